import { cp, link, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startPin, startRemove } from '#engine/features/backup/index.ts'
import { chooseName } from '#engine/features/backup/slot-choice.ts'
import { listBackups } from '#engine/features/listing/index.ts'
import { startVerify } from '#engine/features/proof/index.ts'
import { openFolderRepository } from '#engine/foundation/repository/folder.ts'
import { localFiles } from '#engine/foundation/repository/local-files.ts'
import { openRepository, openVault } from '#engine/foundation/repository/open.ts'
import { schemeOfIndex } from '#engine/foundation/repository/scheme.ts'
import { recoverSlots } from '#engine/foundation/repository/slot-recovery.ts'
import { removeKept } from '#engine/foundation/repository/slot-removal.ts'
import { writeSlot } from '#engine/foundation/repository/slot-writer.ts'
import type { IndexEntry } from '#engine/foundation/repository/types.ts'
import { backupsProcedures } from '#engine/procedures/backups.ts'
import type { Site } from '#shared/model/site.ts'
import { openTestContext, type TestContext } from '#test/support/engine-context.ts'
import { fixture, hasFixtures } from '#test/support/fixtures.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { codeOf } from '#test/support/repository-contract.ts'
import { hashOf, makeParts, SLOT_JOB } from '#test/support/slots.ts'

if (!hasFixtures) console.error('SKIPPED in pin.test.ts: the fixtures of a real server are missing')

const PASSWORD = 'zażółć-backup-🔐 pw'
const SOURCE = fixture('backups', '3-slots-mixed')

interface Setup extends TestContext {
  site: Site
  vault: string
  server: string
}

/** A site whose server has the fixture's backups, and whose vault has the plain ones of them. */
async function setUp(secrets: Record<string, string> = {}): Promise<Setup> {
  const folder = await temporaryFolder()
  const server = join(folder, 'files', 'backup')
  const vault = join(folder, 'vault')
  await mkdir(join(folder, 'files'))
  await cp(SOURCE, server, { recursive: true, filter: (path) => !/\.gz/.test(path) || /testsite-[26]\./.test(path) })
  await mkdir(vault)
  const index = JSON.parse(await readFile(join(SOURCE, 'backup.json'), 'utf8')) as Record<string, IndexEntry>
  const plain = Object.entries(index).filter(([, { is_encrypted }]) => !is_encrypted)
  await writeFile(join(vault, 'backup.json'), JSON.stringify(Object.fromEntries(plain)))
  for (const [, entry] of plain) {
    for (const file of [entry.database, entry.config_files, entry.files]) {
      if (file) await cp(join(SOURCE, file), join(vault, file))
    }
  }
  const test = await openTestContext(join(folder, 'home'), { secrets })
  onTestFinished(test.close)
  await test.context.sites.add({
    name: 'testsite',
    database: { database: 'd', schema: 's', user: 'u' },
    server: { kind: 'folder', siteDir: folder, filesDir: join(folder, 'files'), securityDir: folder },
    vault: { path: vault },
  })
  return { ...test, site: await test.context.sites.get('testsite'), vault, server }
}

const contentOf = async (folder: string) => {
  const files = (await readdir(folder)).sort()
  return Promise.all(files.map(async (file) => `${file} ${hashOf(await readFile(join(folder, file)))}`))
}
const indexOf = async (folder: string) =>
  JSON.parse(await readFile(join(folder, 'backup.json'), 'utf8')) as Record<string, IndexEntry>

describe.skipIf(!hasFixtures)('pinning', () => {
  it('keeps a backup of the vault under its moment, as the same files, whatever its slot gets later', async () => {
    const { context, site, vault } = await setUp()
    const entry = (await indexOf(vault))['testsite-6'] as IndexEntry
    const pinned = await startPin(context, { site: 'testsite', name: 'testsite-6' }).done
    expect(pinned).toMatchObject({ name: 'testsite-pinned-20261121032000', from: 'vault', already: false, bytes: 0 })
    const kept = (await indexOf(vault))[pinned.name]
    expect(kept).toMatchObject({
      timestamp: entry.timestamp,
      database: `${pinned.name}.sql.gz`,
      database_hash: entry.database_hash,
      files_hash: entry.files_hash,
      config_files_hash: entry.config_files_hash,
    })
    const before = await readFile(join(vault, `${pinned.name}.sql.gz`))
    expect((await stat(join(vault, `${pinned.name}.sql.gz`))).ino).toBe((await stat(join(vault, 'testsite-6.sql.gz'))).ino)
    // the slot gets a newer backup
    const repository = openVault(context, site)
    const { handle } = await repository.createPart('testsite-6.sql.gz', SLOT_JOB)
    await handle.writeFile('newer')
    await handle.close()
    const parts = [{ kind: 'database' as const, sha256: hashOf(Buffer.from('newer')), size: 5 }]
    await writeSlot(repository, {
      jobId: SLOT_JOB,
      name: 'testsite-6',
      timestamp: entry.timestamp + 604_800,
      parts,
      isEncrypted: false,
    })
    expect(await readFile(join(vault, 'testsite-6.sql.gz'), 'utf8')).toBe('newer')
    expect(await readFile(join(vault, `${pinned.name}.sql.gz`))).toEqual(before)
    const verified = await startVerify(context, { site: 'testsite', name: pinned.name, level: 2, passwords: [] })
    expect((await verified.done).verdict).toBe('verified')
  })

  it('may be repeated', async () => {
    const { context, vault } = await setUp()
    const first = await startPin(context, { site: 'testsite', name: 'testsite-6' }).done
    const before = await contentOf(vault)
    expect(await startPin(context, { site: 'testsite', name: 'testsite-6' }).done).toEqual({ ...first, already: true })
    expect(await startPin(context, { site: 'testsite', name: 'testsite-6', from: 'server' }).done).toMatchObject({
      already: true,
    })
    expect(await startPin(context, { site: 'testsite', name: first.name }).done).toMatchObject({
      name: first.name,
      already: true,
    })
    expect(await contentOf(vault)).toEqual(before)
  })

  it('copies an encrypted one from the server, whose hash is of its content, and notes the hash of the file', async () => {
    const secrets = { 'site/testsite/encryption-password': PASSWORD }
    const { context, jobs, vault, server } = await setUp(secrets)
    const untouched = await contentOf(server)
    const pinning = startPin(context, { site: 'testsite', name: 'testsite-2' })
    const { name, from, bytes } = await pinning.done
    expect([name, from]).toEqual(['testsite-pinned-20261117032000', 'server'])
    expect(bytes).toBe(232_849 + 1_536_764 + 1233)
    const kept = (await indexOf(vault))[name]
    expect(kept).toMatchObject({
      is_encrypted: true,
      database: `${name}.sql.gz.enc`,
      database_hash: 'fa7196ffdf0950afddbb9974fd0ea5dd93e4049ec4ab9c8c249035fd91abe684',
    })
    expect((await stat(join(vault, `${name}.sql.gz.enc`))).mode & 0o777).toBe(0o600)
    expect((await jobs.show(pinning.id)).log.map(({ text }) => text).join()).not.toContain('not checked')
    const verified = await startVerify(context, { site: 'testsite', name, level: 2, passwords: [] })
    expect((await verified.done).verdict).toBe('verified')
    expect(await contentOf(server)).toEqual(untouched)
  })

  it('keeps an encrypted one whose password is not known, and says that it was not checked', async () => {
    const { context, jobs } = await setUp()
    const pinning = startPin(context, { site: 'testsite', name: 'testsite-2' })
    await pinning.done
    expect((await jobs.show(pinning.id)).log.map(({ text }) => text)).toContain(
      'testsite-2.sql.gz.enc was not checked: no password for it is known.',
    )
  })

  const damages: [string, 'vault' | 'server', string, string, (path: string) => Promise<void>][] = [
    ['a flipped bit', 'vault', 'testsite-6', 'testsite-6.tar.gz', (path) => flip(path, 700_000)],
    ['a flipped bit behind the encryption', 'server', 'testsite-2', 'testsite-2.tar.gz.enc', (path) => flip(path, 700_000)],
    ['a missing part', 'vault', 'testsite-6', 'config-testsite-6.tar.gz', (path) => rm(path)],
    ['an empty part', 'vault', 'testsite-6', 'config-testsite-6.tar.gz', (path) => writeFile(path, '')],
  ]
  it.each(damages)('refuses %s and leaves the vault as it was', async (what, from, name, file, damage) => {
    const setup = await setUp({ 'site/testsite/encryption-password': PASSWORD })
    await damage(join(setup[from], file))
    const before = await contentOf(setup.vault)
    const pinning = startPin(setup.context, { site: 'testsite', name, from })
    expect(await codeOf(pinning.done)).toBe(what.startsWith('a flipped') ? 'part-differs' : 'backup-incomplete')
    expect(await contentOf(setup.vault)).toEqual(before)
  })

  it('reads a part without a recorded hash to its end', async () => {
    const { context, vault } = await setUp()
    const index = await indexOf(vault)
    for (const name of ['testsite-4', 'testsite-6']) Object.assign(index[name] ?? {}, { files_hash: null })
    await writeFile(join(vault, 'backup.json'), JSON.stringify(index))
    await startPin(context, { site: 'testsite', name: 'testsite-4' }).done
    await flip(join(vault, 'testsite-6.tar.gz'), 700_000)
    expect(await codeOf(startPin(context, { site: 'testsite', name: 'testsite-6' }).done)).toBe('part-differs')
  })

  it('refuses what is not there, or not of that time', async () => {
    const { context } = await setUp()
    const timestamp = '2026-11-14T03:20:00Z'
    expect(await codeOf(startPin(context, { site: 'testsite', name: 'testsite-6', timestamp }).done)).toBe('unknown-backup')
    expect(await codeOf(startPin(context, { site: 'testsite', name: 'testsite-7' }).done)).toBe('unknown-backup')
    expect(await codeOf(startPin(context, { site: 'testsite', name: 'testsite-1', from: 'vault' }).done)).toBe('unknown-backup')
  })

  it('tells nobody that another backup of the same second is pinned', async () => {
    const { context, vault } = await setUp()
    const { name } = await startPin(context, { site: 'testsite', name: 'testsite-6' }).done
    await rm(join(vault, `${name}.sql.gz`))
    await writeFile(join(vault, `${name}.sql.gz`), 'other')
    expect(await codeOf(startPin(context, { site: 'testsite', name: 'testsite-6' }).done)).toBe('pin-taken')
  })

  it('stays out of the rotation: scheme, slots and the server know nothing of it', async () => {
    const { context, site, vault, server } = await setUp()
    const before = schemeOfIndex('testsite', await (await openRepository(context, site, 'vault')).readIndex())
    const { name } = await startPin(context, { site: 'testsite', name: 'testsite-w3' }).done
    const repository = await openRepository(context, site, 'vault')
    const own = await repository.readIndex()
    expect(schemeOfIndex('testsite', own)).toBe(before)
    // with nothing but pinned and safety backups there, no scheme is told, and every slot is free
    const outside = new Map([...own].filter(([key]) => key === name))
    outside.set('testsite-safety-20261123094200', { timestamp: Date.parse('2026-11-23T09:42:00Z') / 1000 })
    expect(schemeOfIndex('testsite', outside)).toBeNull()
    const night = new Date('2026-11-23T03:00:00Z')
    expect(chooseName({ ...site, rotation: 'server' }, night, 'vault', { server: null, own: outside, target: outside })).toBe(
      'testsite-1',
    )
    const listed = (await listBackups(context, site)).backups.find((backup) => backup.name === name)
    expect(listed).toMatchObject({ kind: 'pinned', slot: null, kept: { reason: 'pinned', replacedOn: null } })
    // and no server ever gets it
    const onServer = openFolderRepository({ folder: server, owner: 'server' })
    const parts = await makeParts(onServer, 'x', false, () => {}, ['database'])
    expect(await codeOf(writeSlot(onServer, { jobId: SLOT_JOB, name, timestamp: 5, parts, isEncrypted: false }))).toBe(
      'slot-not-rotation',
    )
    expect(Object.keys(await indexOf(vault))).toContain(name)
  })
})

async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path)
  bytes[at] = (bytes[at] ?? 0) ^ 0x10
  await rm(path)
  await writeFile(path, bytes)
}

describe.skipIf(!hasFixtures)('deleting a kept backup', () => {
  const TIMESTAMP = '2026-11-21T03:20:00Z'
  const NAME = 'testsite-pinned-20261121032000'

  it('takes its entry and files, and nothing of the slot that has the same files', async () => {
    const { context, vault } = await setUp()
    const before = await contentOf(vault)
    await startPin(context, { site: 'testsite', name: 'testsite-6' }).done
    await startRemove(context, { site: 'testsite', name: NAME, timestamp: TIMESTAMP }).done
    expect(await contentOf(vault)).toEqual(before)
  })

  it('is finished by the next start, wherever it was stopped', async () => {
    const { context, vault } = await setUp()
    const before = await contentOf(vault)
    const repository = openFolderRepository({ folder: vault, owner: 'home' })
    for (const stop of ['intent', 'index', 'old files', 'record']) {
      await startPin(context, { site: 'testsite', name: 'testsite-6' }).done
      const timestamp = Date.parse(TIMESTAMP) / 1000
      const onStep = (step: string) => {
        if (step === stop) throw new Error('the power is gone')
      }
      const removing = removeKept(repository, { jobId: SLOT_JOB, site: 'testsite', name: NAME, timestamp, onStep })
      await expect(removing).rejects.toThrow('the power is gone')
      await recoverSlots(localFiles({ folder: vault, owner: 'home' }))
      const isThere = NAME in (await indexOf(vault))
      // before its intention was written nothing has happened
      expect(isThere).toBe(stop === 'intent')
      if (isThere) await startRemove(context, { site: 'testsite', name: NAME, timestamp: TIMESTAMP }).done
      expect(await contentOf(vault)).toEqual(before)
    }
  })

  it('leaves alone a backup that came under the same name meanwhile', async () => {
    const { context, vault } = await setUp()
    await startPin(context, { site: 'testsite', name: 'testsite-6' }).done
    const before = await contentOf(vault)
    const removing = startRemove(context, { site: 'testsite', name: NAME, timestamp: '2026-11-21T03:20:01Z' })
    expect(await codeOf(removing.done)).toBe('unknown-backup')
    expect(await contentOf(vault)).toEqual(before)
  })

  it.each(['testsite-6', 'testsite-w3', 'other-pinned-20261121032000', 'testsite-pinned-1'])('refuses %s', async (name) => {
    const { context, vault } = await setUp()
    const index = await indexOf(vault)
    const timestamp = new Date((index[name]?.timestamp ?? 0) * 1000).toISOString()
    expect(await codeOf(startRemove(context, { site: 'testsite', name, timestamp }).done)).toBe('not-removable')
    expect(await indexOf(vault)).toEqual(index)
  })

  it('asks a person first, by the site’s name', async () => {
    const { context, vault } = await setUp()
    await startPin(context, { site: 'testsite', name: 'testsite-6' }).done
    const before = await contentOf(vault)
    const asked: string[] = []
    const refusing = { ...context, confirm: async ({ typedName }: { typedName: string }) => asked.push(typedName) < 0 }
    const { 'backups.remove': remove } = backupsProcedures(refusing)
    expect(await remove({ site: 'testsite', name: NAME, timestamp: TIMESTAMP })).toEqual({ jobId: null })
    expect(asked).toEqual(['testsite'])
    expect(await codeOf(remove({ site: 'testsite', name: 'testsite-6', timestamp: TIMESTAMP }))).toBe('not-removable')
    expect(asked).toEqual(['testsite'])
    expect(await contentOf(vault)).toEqual(before)
  })
})

it('a second name of a file shows what it was when another file takes the first name', async () => {
  // what pinning by links rests on
  const folder = await temporaryFolder()
  await writeFile(join(folder, 'a'), 'old')
  await link(join(folder, 'a'), join(folder, 'b'))
  await writeFile(join(folder, 'new'), 'new')
  await cp(join(folder, 'new'), join(folder, 'c'))
  await rename(join(folder, 'c'), join(folder, 'a'))
  expect(await readFile(join(folder, 'b'), 'utf8')).toBe('old')
})
