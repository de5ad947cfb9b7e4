import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { cp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { startPin } from '#engine/features/backup/index.ts'
import { listBackups, overview, readProofs, watchRepositories } from '#engine/features/listing/index.ts'
import { testPassword } from '#engine/features/password-test/index.ts'
import { startVerify } from '#engine/features/proof/index.ts'
import type { EngineEvent } from '#shared/contract/events.ts'
import type { FilestoreSettings, SiteInput } from '#shared/model/site.ts'
import { missingCeph, startS3, type TestS3 } from '#test/support/ceph.ts'
import { openTestContext } from '#test/support/engine-context.ts'
import { fixture, hasFixtures } from '#test/support/fixtures.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { allowed } from '#test/support/patience.ts'
import { startPostgres15 } from '#test/support/postgres.ts'
import { createDatabaseFrom, makePlan, openLiveSite, runPlan } from '#test/support/restore-site.ts'
import { filestoreSettings } from '#test/support/s3-repository.ts'
import { startTcpProxy } from '#test/support/tcp-proxy.ts'
import { zbd } from '#test/support/zbd.ts'

const missing = missingCeph() ?? (hasFixtures ? null : 'the fixtures of a real server are missing')
if (missing) console.error(`SKIPPED test/integration/remote-filestore.test.ts: ${missing}`)

const MIXED = fixture('backups', '3-slots-mixed')
const PASSWORD = 'zażółć-backup-🔐 pw'
/** Of the newest one there: the server made it up itself. */
const NEWEST_PASSWORD = 'g7t2a-y1fcW-sliow-BBad@<'

let s3: TestS3

beforeAll(async () => {
  if (!missing) s3 = await startS3()
})
afterAll(() => s3?.stop())

async function upload(settings: FilestoreSettings, file: string, body: Buffer): Promise<void> {
  const client = s3.client()
  const Key = `${settings.prefix}/backup/${file}`
  await client.send(new PutObjectCommand({ Bucket: settings.bucket, Key, Body: body })).finally(() => client.destroy())
}

/** As a server leaves it: the index last. */
async function uploadFolder(settings: FilestoreSettings, folder: string, isWanted = /./): Promise<void> {
  const files = (await readdir(folder)).filter((file) => file !== 'backup.json' && isWanted.test(file))
  const put = async (file: string) => upload(settings, file, await readFile(join(folder, file)))
  await Promise.all(files.map(put))
  await put('backup.json')
}

/** A site with a vault, the folder of a server and a filestore; `way` is how the filestore is reached. */
async function remoteSite(way: Partial<FilestoreSettings> = {}, password = PASSWORD) {
  const root = await temporaryFolder()
  const settings = filestoreSettings(s3)
  const test = await openTestContext(join(root, 'home'), {
    secrets: {
      'site/testsite/filestore-secret': s3.secretAccessKey,
      'site/testsite/encryption-password': password,
    },
  })
  onTestFinished(() => test.close())
  const input: SiteInput = {
    name: 'testsite',
    database: { database: 'x', schema: 'testsite', user: 'x' },
    server: { kind: 'folder', siteDir: join(root, 'site'), filesDir: join(root, 'files'), securityDir: join(root, 'security') },
    filestore: { ...settings, ...way },
  }
  await test.context.sites.add(input)
  await cp(fixture('backups', '1-plain-full'), join(root, 'home', 'backups', 'testsite'), { recursive: true })
  await cp(MIXED, join(root, 'files', 'backup'), { recursive: true })
  return { ...test, root, settings, site: await test.context.sites.get('testsite') }
}

describe.skipIf(missing !== null)('a site’s filestore', () => {
  it('is listed beside vault and server, each backup with its own proof', async () => {
    const { context, site, settings } = await remoteSite()
    await uploadFolder(settings, MIXED)
    await upload(settings, 'notes.txt', Buffer.from('x'))
    const verified = await startVerify(context, {
      site: 'testsite',
      name: 'testsite-2',
      from: 'filestore',
      level: 2,
      passwords: [],
    })
    expect(await verified.done).toMatchObject({ verdict: 'verified', proofs: [{ repository: 'filestore' }] })
    const { backups, unknown, problems, scheme } = await listBackups(context, site)
    expect(problems).toEqual([])
    expect(scheme).toBe('server')
    const count = (place: string) => backups.filter(({ repository }) => repository === place).length
    expect(['vault', 'server', 'filestore'].map(count)).toEqual([1, 11, 11])
    const proofs = backups.filter(({ name }) => name === 'testsite-2').map(({ repository, proof }) => [repository, proof?.level])
    expect(proofs.sort()).toEqual([
      ['filestore', 2],
      ['server', undefined],
    ])
    expect(backups.flatMap(({ parts }) => parts.filter(({ trouble }) => trouble !== null))).toEqual([])
    expect(unknown.filter(({ repository }) => repository === 'filestore').map(({ file, kind }) => `${file} ${kind}`)).toEqual([
      'config-testsite-w3.tar.gz.enc stale',
      'notes.txt foreign',
      'testsite-w3.sql.gz.enc stale',
      'testsite-w3.tar.gz.enc stale',
    ])
    // an object that is stored anew is not the one that was proven
    await upload(settings, 'testsite-2.sql.gz.enc', Buffer.from('other'))
    const again = await listBackups(context, site, 'filestore')
    expect(again.backups.find(({ name }) => name === 'testsite-2')?.proof).toBeNull()
  })

  it('gives a flipped bit away, reading each part once', async () => {
    const proxy = await startTcpProxy(s3.port)
    onTestFinished(() => proxy.close())
    const { context, settings } = await remoteSite({ endpoint: `http://127.0.0.1:${proxy.port}` })
    await uploadFolder(settings, MIXED, /testsite-2/)
    const file = 'testsite-2.tar.gz.enc'
    const damaged = await readFile(join(MIXED, file))
    const middle = Math.floor(damaged.length / 2)
    damaged[middle] = (damaged[middle] ?? 0) ^ 1
    await upload(settings, file, damaged)
    const verify = async (passwords: string[]) =>
      (await startVerify(context, { site: 'testsite', name: 'testsite-2', from: 'filestore', level: 2, passwords })).done
    const found = await verify([])
    expect(found.verdict).toBe('failed')
    const levels = found.proofs[0]?.proof.parts.map((part) => [part.file, part.levels.L0?.outcome, part.levels.L1?.outcome])
    expect(levels).toEqual([
      ['testsite-2.sql.gz.enc', 'passed', 'passed'],
      ['config-testsite-2.tar.gz.enc', 'passed', 'passed'],
      [file, 'passed', 'failed'],
    ])
    const names = ['testsite-2.sql.gz.enc', 'config-testsite-2.tar.gz.enc', file]
    const sizes = await Promise.all(names.map(async (name) => (await stat(join(MIXED, name))).size))
    const total = sizes.reduce((sum, size) => sum + size, 0)
    expect(proxy.moved.down).toBeGreaterThan(total)
    expect(proxy.moved.down).toBeLessThan(total + 64 * 1024)
  })

  it('gives what no password opens once too', async () => {
    const proxy = await startTcpProxy(s3.port)
    onTestFinished(() => proxy.close())
    const { context, settings } = await remoteSite({ endpoint: `http://127.0.0.1:${proxy.port}` })
    const folder = fixture('backups', '2-encrypted-full-autopw')
    await uploadFolder(settings, folder)
    const request = { site: 'testsite', name: 'testsite-1', from: 'filestore', level: 2, passwords: [] } as const
    const found = await (await startVerify(context, { ...request, passwords: [] })).done
    expect(found.proofs[0]?.proof.parts.map(({ levels }) => levels.L2)).toMatchObject([
      { outcome: 'unknown', reason: 'no password fits' },
      { outcome: 'unknown' },
      { outcome: 'unknown' },
    ])
    const { proofs } = await readProofs(context, 'testsite')
    const hashOf = async (file: string) =>
      createHash('sha256')
        .update(await readFile(join(folder, file)))
        .digest('hex')
    const files = ['testsite-1.sql.gz.enc', 'config-testsite-1.tar.gz.enc', 'testsite-1.tar.gz.enc']
    expect(proofs[0]?.files.map(({ sha256 }) => sha256)).toEqual(await Promise.all(files.map(hashOf)))
    const sizes = await Promise.all((await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size))
    expect(proxy.moved.down).toBeLessThan(sizes.reduce((sum, size) => sum + size, 0) + 64 * 1024)
  })

  it('has its password tried by a few kilobytes', async () => {
    const proxy = await startTcpProxy(s3.port)
    onTestFinished(() => proxy.close())
    const { context, settings } = await remoteSite({ endpoint: `http://127.0.0.1:${proxy.port}` }, NEWEST_PASSWORD)
    await uploadFolder(settings, MIXED, /testsite-1/)
    const { verdict, trials } = await testPassword(context, 'testsite')
    expect(verdict).toBe('opens')
    expect(trials.map(({ repository, outcome }) => [repository, outcome])).toEqual([
      ['server', 'opens'],
      ['filestore', 'opens'],
    ])
    expect(proxy.moved.down).toBeLessThan(64 * 1024)
  })

  it('gives a backup to be pinned', async () => {
    const { context, settings } = await remoteSite()
    await uploadFolder(settings, MIXED, /testsite-w2/)
    const pinned = await startPin(context, { site: 'testsite', name: 'testsite-w2', from: 'filestore' }).done
    expect(pinned).toMatchObject({ from: 'filestore', already: false })
    const check = await startVerify(context, { site: 'testsite', name: pinned.name, from: 'vault', level: 2, passwords: [] })
    expect(await check.done).toMatchObject({ verdict: 'verified' })
  })

  it('is no worse for the media archive that servers don’t upload', async () => {
    const { context, site, settings } = await remoteSite()
    await uploadFolder(settings, MIXED, /^(?!testsite-.*\.tar\.gz)/)
    const { backups } = await listBackups(context, site, 'filestore')
    const found = backups.find(({ name }) => name === 'testsite-2')
    expect(found?.parts.map(({ part, size, trouble }) => [part, size === null, trouble])).toEqual([
      ['database', false, null],
      ['config', false, null],
      ['files', true, 'not-uploaded'],
    ])
    const verify = async () =>
      (await startVerify(context, { site: 'testsite', name: 'testsite-2', from: 'filestore', level: 2, passwords: [] })).done
    const { verdict, proofs } = await verify()
    expect(verdict).toBe('unknown')
    expect(proofs[0]?.proof.parts.map(({ levels }) => levels.L0?.outcome)).toEqual(['passed', 'passed', 'unknown'])
    expect(proofs[0]?.proof.parts[2]?.levels.L2?.reason).toContain('servers upload no media archive')
    const pinned = await startPin(context, { site: 'testsite', name: 'testsite-2', from: 'filestore' }).done
    const vault = await listBackups(context, site, 'vault')
    expect(vault.backups.find(({ name }) => name === pinned.name)).toMatchObject({ is_files_present: false })
    // what is in the server's own folder is another matter
    await rm(join(site.server?.kind === 'folder' ? site.server.filesDir : '', 'backup', 'testsite-2.tar.gz.enc'))
    const server = await listBackups(context, site, 'server')
    expect(server.backups.find(({ name }) => name === 'testsite-2')?.parts[2]?.trouble).toBe('missing')
  })

  it('keeps the other repositories from nothing when it does not answer', async () => {
    const silent = createServer(() => {})
    silent.listen(0, '127.0.0.1')
    await once(silent, 'listening')
    onTestFinished(() => void silent.close())
    const { context, site } = await remoteSite({ endpoint: `http://127.0.0.1:${(silent.address() as AddressInfo).port}` })
    const started = performance.now()
    const { backups, problems } = await listBackups(context, site, 'all', { timeout: 1500 })
    expect(performance.now() - started).toBeLessThan(allowed(2500))
    expect(backups).toHaveLength(12)
    expect(problems).toMatchObject([{ repository: 'filestore', code: 'repository-timeout' }])
    expect(problems[0]?.message).toBe('The filestore did not answer within 2 s.')
    // what lies here needs nobody's answer
    const verify = startVerify(context, { site: 'testsite', name: 'testsite-1', level: 0, passwords: [] })
    expect(await (await verify).done).toMatchObject({ proofs: [{ repository: 'vault' }] })
    const stopping = new AbortController()
    const stopped = listBackups(context, site, 'all', { signal: stopping.signal })
    setTimeout(() => stopping.abort(), 200)
    await expect(stopped).rejects.toThrow(/abort/i)
  })

  it('is stopped by the operator in the middle of a part', async () => {
    const proxy = await startTcpProxy(s3.port, { bytesPerSecond: 200_000 })
    onTestFinished(() => proxy.close())
    const { context, settings } = await remoteSite({ endpoint: `http://127.0.0.1:${proxy.port}` })
    await uploadFolder(settings, MIXED, /testsite-6/)
    const request = { site: 'testsite', name: 'testsite-6', from: 'filestore', level: 2, passwords: [] } as const
    const job = await startVerify(context, { ...request, passwords: [] })
    const ended = expect(job.done).rejects.toMatchObject({ code: 'cancelled' })
    await sleep(1000)
    const started = performance.now()
    await context.jobs.cancel(job.id)
    await ended
    expect(performance.now() - started).toBeLessThan(allowed(1000))
  })

  it('is watched: changes show, trouble shows, and the overview tells at once what was seen last', async () => {
    const proxy = await startTcpProxy(s3.port)
    onTestFinished(() => proxy.close())
    const { context, site, settings, root } = await remoteSite({ endpoint: `http://127.0.0.1:${proxy.port}` })
    await uploadFolder(settings, fixture('backups', '1-plain-full'))
    const events: EngineEvent[] = []
    const watch = watchRepositories(
      { ...context, emit: (event) => events.push(event) },
      { remotePoll: 300, folderPoll: 3_600_000, timeout: 3000 },
    )
    onTestFinished(() => watch.close())
    const now = new Date('2026-11-23T09:00:00Z')
    const status = async () => (await overview(context, now))[0]
    const untilTold = async (count: number) => {
      const until = performance.now() + 15_000
      while (events.length < count && performance.now() < until) await sleep(20)
      return events.length
    }
    const first = await status()
    expect(first?.copies.filestore).toBe('unknown')
    expect(first?.reason).toContain('What is in the filestore is not known yet')
    expect(await untilTold(1)).toBe(1)
    expect((await status())?.copies.filestore).not.toBe('unknown')
    // nothing new is nothing to tell
    await sleep(1000)
    expect(events).toHaveLength(1)
    const seen = proxy.moved.up
    await status()
    expect(proxy.moved.up - seen).toBeLessThan(2000)
    await upload(settings, 'backup.json', await readFile(join(MIXED, 'backup.json')))
    expect(await untilTold(2)).toBe(2)
    expect(await listBackups(context, site, 'filestore')).toMatchObject({ backups: { length: 11 } })
    proxy.refuse()
    proxy.cut()
    expect(await untilTold(3)).toBe(3)
    const failing = await status()
    expect(failing?.copies).toMatchObject({ vault: 'newest', filestore: 'failing' })
    expect(failing?.reason).toMatch(/filestore/)
    expect(root).not.toBe('')
    await sleep(1500)
    expect(events).toHaveLength(3)
  })
})

describe.skipIf(missing !== null)('zbd and a filestore', () => {
  it('lists, verifies and pins what is there', async () => {
    const folder = await temporaryFolder()
    const settings = filestoreSettings(s3)
    await uploadFolder(settings, MIXED, /testsite-(?:2|6)/)
    const options = { home: join(folder, 'home'), env: { BACKUP_DESK_PASSPHRASE: 'canary-passphrase' }, cwd: folder }
    const site = {
      name: 'testsite',
      database: { database: 'd', schema: 's', user: 'u' },
      filestore: settings,
      filestoreSecret: s3.secretAccessKey,
    }
    await writeFile(join(folder, 'site.json'), JSON.stringify(site))
    expect((await zbd(['sites', 'add', '--file', join(folder, 'site.json')], options)).code).toBe(0)
    const listed = await zbd(['list', 'testsite', '--in', 'filestore', '--json'], options)
    // eight others have lost their files
    expect(listed.code).toBe(3)
    expect(listed.json.result).toMatchObject({ backups: { length: 11 }, problems: [] })
    const text = await zbd(['list', 'testsite', '--in', 'all'], options)
    expect(text.stdout).toContain(
      '! testsite-1 in the filestore: testsite-1.sql.gz.enc is named by the index, but there is no such file.',
    )
    const verified = await zbd(['verify', 'testsite', 'testsite-6', '--from', 'filestore', '--json'], options)
    expect([verified.code, verified.json.result]).toMatchObject([0, { proofs: [{ repository: 'filestore' }] }])
    const pinned = await zbd(['pin', 'testsite', 'testsite-6', '--json'], options)
    expect([pinned.code, pinned.json.result]).toMatchObject([0, { from: 'filestore', already: false }])
    const none = await zbd(['list', 'testsite', '--in', 'server', '--json'], options)
    expect([none.code, none.json.error.code]).toEqual([1, 'no-server'])
    for (const command of [['list'], ['verify', '--from'], ['drill', '--from'], ['pin', '--from'], ['restore', '--from']]) {
      const [name = '', option = '--in'] = command
      const args = [name, 'testsite', ...(name === 'list' ? [] : ['testsite-6']), option, 'moon']
      const wrong = await zbd([...args, ...(name === 'restore' ? ['--plan'] : [])], options)
      expect([wrong.code, wrong.stderr], name).toEqual([2, expect.stringContaining('vault, server, filestore')])
    }
  })
})

describe.skipIf(missing !== null)('a restore from a filestore', () => {
  it('reads it there, and asks again that it is what the plan read', async () => {
    const postgres = await startPostgres15()
    onTestFinished(() => postgres.stop())
    await createDatabaseFrom(postgres, 'older', 'revert', 'A-edges-all-options-before.sql.gz')
    const live = await openLiveSite(postgres, 'live', 'older')
    onTestFinished(() => live.close())
    const { context } = live.test
    context.secrets.addSource(async (name) => (name === 'site/testsite/filestore-secret' ? s3.secretAccessKey : null))
    const filestore = filestoreSettings(s3)
    await context.sites.update({ ...(await context.sites.get('testsite')), filestore })
    await uploadFolder(filestore, fixture('backups', '1-plain-full'))
    const plan = await makePlan(context)
    expect(plan).toMatchObject({ backup: { repository: 'filestore' }, runnable: true })
    expect(plan.from).toBe(
      `Read from the filestore (s3://${filestore.bucket}/${filestore.prefix}): it was not found in the vault or on the server.`,
    )
    expect((await runPlan(context, plan.id)).error).toBeNull()
    const withoutMedia = filestoreSettings(s3)
    await context.sites.update({ ...(await context.sites.get('testsite')), filestore: withoutMedia })
    await uploadFolder(withoutMedia, fixture('backups', '1-plain-full'), /^(?!testsite-.*\.tar\.gz)/)
    const partial = await makePlan(context)
    expect(partial).toMatchObject({ runnable: true, media: null })
    expect(partial.checks.find(({ name }) => name === 'Media')).toMatchObject({ outcome: 'warning' })
    await context.sites.update({ ...(await context.sites.get('testsite')), filestore })
    const count = async () => (await postgres.psql('live', 'SELECT count(*) FROM testsite.rsc')).match(/\d+/)?.[0]
    expect(await count()).toBe('126')
    const second = await makePlan(context, { parts: ['database'] })
    await upload(filestore, 'testsite-1.sql.gz', Buffer.from('another'))
    const job = await runPlan(context, second.id)
    expect(job.error?.code).toBe('plan-outdated')
    expect(await count()).toBe('126')
  })
})
