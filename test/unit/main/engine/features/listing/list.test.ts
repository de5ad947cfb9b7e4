import { cp, mkdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { listBackups, listFolder } from '#engine/features/listing/index.ts'
import { startVerify, startVerifyFolder } from '#engine/features/proof/index.ts'
import type { BackupEntry } from '#shared/model/backup.ts'
import type { SiteInput } from '#shared/model/site.ts'
import { openTestContext, type TestContext } from '#test/support/engine-context.ts'
import { fixture, hasFixtures } from '#test/support/fixtures.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { codeOf } from '#test/support/repository-contract.ts'

if (!hasFixtures) console.error('SKIPPED in list.test.ts: the fixtures of a real server are missing')

const FOLDERS = ['1-plain-full', '2-encrypted-full-autopw', '3-slots-mixed']

/** The server's own fields. */
function serverFields({ name, timestamp, ...entry }: BackupEntry): Record<string, unknown> {
  const { is_encrypted, is_database_present, is_files_present, is_config_files_present, is_filestore_uploaded } = entry
  return { timestamp, name, is_filestore_uploaded, is_files_present, is_encrypted, is_database_present, is_config_files_present }
}

describe.skipIf(!hasFixtures)('listFolder on a real server’s folders', () => {
  it.each(FOLDERS)('%s: names, order, times and flags are those of the server’s own listing', async (name) => {
    const list = await listFolder(fixture('backups', name))
    const expected: unknown = JSON.parse(await readFile(fixture('backups', `${name}.expected-listing.json`), 'utf8'))
    expect(list.backups.map(serverFields)).toEqual(expected)
    expect(list.problems).toEqual([])
    expect(list.scheme).toBe('server')
  })

  it('tells slots, kinds, parts and stale files', async () => {
    const list = await listFolder(fixture('backups', '3-slots-mixed'))
    expect(list.backups.map(({ slot, kind }) => `${slot} ${kind}`)).toEqual([
      '1 daily',
      'w3 weekly',
      ...['6', '5', '4', '3', '2'].map((slot) => `${slot} daily`),
      ...['w2', 'w1', 'w0', 'w4'].map((slot) => `${slot} weekly`),
    ])
    expect(list.backups[0]?.parts[0]).toEqual({
      part: 'database',
      file: 'testsite-1.sql.gz.enc',
      size: 232_674,
      hash: '7a13c1a50149e9bdb3a0e68525dcc6e9120a9f4f0fd04b249f814aeacef3d6e6',
      isEncrypted: true,
      trouble: null,
    })
    expect(list.backups.find(({ name }) => name === 'testsite-5')?.parts.map(({ part }) => part)).toEqual(['database', 'config'])
    expect(list.unknown.map(({ file, kind }) => `${file} ${kind}`)).toEqual([
      'config-testsite-w3.tar.gz.enc stale',
      'testsite-w3.sql.gz.enc stale',
      'testsite-w3.tar.gz.enc stale',
    ])
  })
})

describe('listFolder', () => {
  it('tells stale from foreign files, and shows nothing of what is being made', async () => {
    const folder = await temporaryFolder()
    const index = {
      'shop-1': { timestamp: 1_795_398_925, database: 'shop-1.sql.gz' },
      'shop-safety-20261123094200': { timestamp: 1, files: 'shop-safety-20261123094200.tar.gz' },
    }
    await writeFile(join(folder, 'backup.json'), JSON.stringify(index))
    const job = '20261123T034300123-0a1b2c3d'
    const files = [
      'shop-1.sql.gz.enc',
      'shop-7.tar.gz',
      'shop-safety-20261123094200.sql.gz',
      'notes.txt',
      'old.sql.gz',
      `shop-1.sql.gz.${job}.part`,
      `shop-1.${job}.intent`,
      'backup.json.tmp',
      '.backup-desk.lease',
    ]
    for (const file of files) await writeFile(join(folder, file), 'x')
    await mkdir(join(folder, 'folder'))
    await symlink('/etc/passwd', join(folder, 'shop-1.sql.gz'))
    const list = await listFolder(folder)
    expect(list.unknown.map(({ file, kind }) => `${file} ${kind}`)).toEqual([
      'notes.txt foreign',
      'old.sql.gz foreign',
      'shop-1.sql.gz.enc stale',
      'shop-7.tar.gz stale',
      'shop-safety-20261123094200.sql.gz stale',
    ])
    expect(list.backups.map(({ name, kind, slot }) => [name, kind, slot])).toEqual([
      ['shop-1', 'daily', '1'],
      ['shop-safety-20261123094200', 'safety', null],
    ])
    // a link is no part of a backup
    expect(list.backups[0]?.parts[0]).toMatchObject({ file: 'shop-1.sql.gz', size: null })
  })

  it('lists a folder without index as unknown files, and says what is missing', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'shop-1.sql.gz'), 'x')
    const list = await listFolder(folder)
    expect(list.backups).toEqual([])
    expect(list.unknown).toEqual([{ repository: 'folder', file: 'shop-1.sql.gz', size: 1, kind: 'stale' }])
    expect(list.problems.map(({ code }) => code)).toEqual(['no-index'])
  })

  it('tells where the index and its files disagree', async () => {
    const folder = await temporaryFolder()
    const entryOf = (name: string, timestamp: number) => ({
      timestamp,
      database: `${name}.sql.gz`,
      config_files: `config-${name}.tar.gz`,
    })
    const index = { 'shop-1': entryOf('shop-1', 1_795_398_925), 'shop-2': entryOf('shop-2', 1_795_485_325) }
    await writeFile(join(folder, 'backup.json'), JSON.stringify(index))
    await writeFile(join(folder, 'shop-1.sql.gz'), 'x')
    await writeFile(join(folder, 'config-shop-1.tar.gz'), '')
    await writeFile(join(folder, 'config-shop-2.tar.gz'), 'x')
    const at = (seconds: number) => new Date(1_795_500_000_000 + seconds * 1000)
    const date = (file: string, seconds: number) => utimes(join(folder, file), at(seconds), at(seconds))
    await date('backup.json', 0)
    const troubles = async () =>
      Object.fromEntries(
        (await listFolder(folder)).backups.flatMap(({ parts }) => parts.map(({ file, trouble }) => [file, trouble])),
      )
    for (const file of ['shop-1.sql.gz', 'config-shop-1.tar.gz', 'config-shop-2.tar.gz']) await date(file, -60)
    const before = {
      'shop-1.sql.gz': null,
      'config-shop-1.tar.gz': 'empty',
      'shop-2.sql.gz': 'missing',
      'config-shop-2.tar.gz': null,
    }
    expect(await troubles()).toEqual(before)
    await date('shop-1.sql.gz', 1.9)
    expect(await troubles()).toEqual(before)
    await date('shop-1.sql.gz', 2.1)
    expect(await troubles()).toEqual({ ...before, 'shop-1.sql.gz': 'newer' })
    // the times of a copied folder tell nothing
    await date('config-shop-2.tar.gz', 3)
    expect(await troubles()).toEqual(before)
  })

  it('refuses what is no folder, and a corrupt index', async () => {
    const folder = await temporaryFolder()
    expect(await codeOf(listFolder(join(folder, 'none')))).toBe('not-found')
    await writeFile(join(folder, 'backup.json'), '{"a')
    expect(await codeOf(listFolder(join(folder, 'backup.json')))).toBe('not-a-folder')
    expect(await codeOf(listFolder(folder))).toBe('index-corrupt')
  })
})

describe.skipIf(!hasFixtures)('listBackups, and what verifying leaves', () => {
  let root: string
  let test: TestContext
  let server: string
  const input = (): SiteInput => ({
    name: 'testsite',
    database: { database: 'x', schema: 'testsite', user: 'x' },
    server: { kind: 'folder', siteDir: join(root, 'site'), filesDir: join(root, 'files'), securityDir: join(root, 'security') },
  })
  beforeEach(async () => {
    root = await temporaryFolder()
    server = join(root, 'files', 'backup')
    await cp(fixture('backups', '3-slots-mixed'), server, { recursive: true })
    test = await openTestContext(join(root, 'home'), { secrets: { 'site/testsite/encryption-password': 'zażółć-backup-🔐 pw' } })
    onTestFinished(() => test.close())
    await test.context.sites.add(input())
  })
  const list = async (where?: 'vault' | 'server' | 'all') =>
    listBackups(test.context, await test.context.sites.get('testsite'), where)

  it('joins vault and server, and takes the rotation from the server', async () => {
    const vault = join(root, 'home', 'backups', 'testsite')
    expect((await list('vault')).backups).toEqual([])
    await cp(fixture('backups', '1-plain-full'), vault, { recursive: true })
    const both = await list()
    expect(both.backups.filter(({ name }) => name === 'testsite-1').map(({ repository }) => repository)).toEqual([
      'server',
      'vault',
    ])
    expect(both.backups).toHaveLength(12)
    expect(both.scheme).toBe('server')
    expect((await list('vault')).backups.map(({ repository }) => repository)).toEqual(['vault'])
  })

  it('still lists the one when the other can’t be read', async () => {
    await writeFile(join(server, 'backup.json'), '[]')
    await cp(fixture('backups', '1-plain-full'), join(root, 'home', 'backups', 'testsite'), { recursive: true })
    const both = await list()
    expect(both.backups).toHaveLength(1)
    expect(both.problems).toMatchObject([{ repository: 'server', code: 'index-corrupt' }])
    await rm(server, { recursive: true })
    expect((await list()).problems).toMatchObject([{ repository: 'server', code: 'repository-unreachable' }])
    expect(await codeOf(startVerify(test.context, { site: 'testsite', name: 'testsite-6', level: 1, passwords: [] }))).toBe(
      'repository-unreachable',
    )
  })

  it('shows a proof until a file changes', async () => {
    const job = await startVerify(test.context, { site: 'testsite', name: 'testsite-2', level: 2, passwords: [] })
    const result = await job.done
    expect(result).toMatchObject({
      verdict: 'verified',
      proofs: [{ repository: 'server', name: 'testsite-2', timestamp: '2026-11-17T03:20:00Z' }],
    })
    const proofOf = async (name: string) => (await list()).backups.find((backup) => backup.name === name)?.proof
    expect(await proofOf('testsite-2')).toMatchObject({ verdict: 'verified', level: 2 })
    expect(await proofOf('testsite-6')).toBeNull()
    // a quicker look later does not take it away
    await (await startVerify(test.context, { site: 'testsite', name: 'testsite-2', level: 0, passwords: [] })).done
    expect(await proofOf('testsite-2')).toMatchObject({ level: 2 })
    const items = (await test.context.jobs.show(job.id)).job.items
    expect(items.map(({ id, state }) => [id, state])).toEqual([
      ['server/testsite-2/testsite-2.sql.gz.enc', 'done'],
      ['server/testsite-2/config-testsite-2.tar.gz.enc', 'done'],
      ['server/testsite-2/testsite-2.tar.gz.enc', 'done'],
    ])
    expect(test.events).toContainEqual({ type: 'backups-changed', site: 'testsite' })
    await rm(join(server, 'testsite-2.sql.gz.enc'))
    expect(await proofOf('testsite-2')).toBeNull()
  })

  it('takes no file for newer than its index whose hash is that of the index', async () => {
    const file = join(server, 'testsite-6.sql.gz')
    const later = new Date(Date.now() + 60_000)
    await utimes(file, later, later)
    const troubleOf = async () =>
      (await list()).backups.find(({ name }) => name === 'testsite-6')?.parts.map(({ trouble }) => trouble)
    expect(await troubleOf()).toEqual(['newer', null, null])
    await (await startVerify(test.context, { site: 'testsite', name: 'testsite-6', level: 1, passwords: [] })).done
    expect(await troubleOf()).toEqual([null, null, null])
  })

  it('a backup that is not well ends as a job that is done', async () => {
    await rm(join(server, 'testsite-6.tar.gz'))
    const job = await startVerify(test.context, { site: 'testsite', name: 'testsite-6', level: 2, passwords: [], from: 'all' })
    expect(await job.done).toMatchObject({ verdict: 'failed' })
    expect((await test.context.jobs.show(job.id)).job).toMatchObject({
      state: 'done',
      items: [{ state: 'done' }, { state: 'done' }, { state: 'failed', detail: 'the file is missing' }],
    })
    const locked = await startVerify(test.context, { site: 'testsite', name: 'testsite-1', level: 1, passwords: [] })
    expect(await locked.done).toMatchObject({ verdict: 'unknown' })
    const unknown = (change: object) =>
      codeOf(startVerify(test.context, { site: 'testsite', name: 'testsite-6', level: 0, passwords: [], ...change }))
    expect(await unknown({ name: 'testsite-7' })).toBe('unknown-backup')
    expect(await unknown({ timestamp: '2026-11-20T03:20:00Z' })).toBe('unknown-backup')
    expect(await unknown({ timestamp: '2026-11-21T03:20:00.000Z' })).toBe('no error')
    expect(await unknown({ from: 'vault' })).toBe('unknown-backup')
  })

  it('verifies a folder with the passwords of its site, and keeps no proof of it', async () => {
    const job = await startVerifyFolder(test.context, {
      folder: fixture('backups', '3-slots-mixed'),
      name: 'testsite-3',
      level: 2,
      passwords: [],
    })
    expect(await job.done).toMatchObject({ verdict: 'verified', proofs: [{ repository: 'folder' }] })
    const all = await startVerifyFolder(test.context, { folder: fixture('backups', '1-plain-full'), level: 1, passwords: [] })
    expect((await all.done).proofs).toHaveLength(1)
    expect((await list()).backups.every(({ proof }) => proof === null)).toBe(true)
  })
})
