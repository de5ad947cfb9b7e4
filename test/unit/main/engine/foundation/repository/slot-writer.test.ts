import { spawnSync } from 'node:child_process'
import { readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type FolderRepository, openFolderRepository } from '#engine/foundation/repository/folder.ts'
import { localFiles } from '#engine/foundation/repository/local-files.ts'
import { partName } from '#engine/foundation/repository/names.ts'
import { recoverSlots } from '#engine/foundation/repository/slot-recovery.ts'
import { writeSlot } from '#engine/foundation/repository/slot-writer.ts'
import type { IndexEntry } from '#engine/foundation/repository/types.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { codeOf } from '#test/support/repository-contract.ts'
import { contentOf, hashOf, makeParts, SLOT_JOB, SLOT_KINDS } from '#test/support/slots.ts'

const slot = { jobId: SLOT_JOB, name: 'testsite-1', timestamp: 2000, isEncrypted: false }

/** A repository that has an older testsite-1, a neighbour, and files that are nobody's business. */
async function withOldSlot(owner: 'home' | 'server', change: Partial<IndexEntry> = {}): Promise<FolderRepository> {
  const folder = await temporaryFolder()
  const repository = openFolderRepository({ folder, owner })
  const names = { database: 'testsite-1.sql.gz', config: 'config-testsite-1.tar.gz', files: 'testsite-1.tar.gz' }
  for (const kind of SLOT_KINDS) await writeFile(join(folder, names[kind]), contentOf('old', kind))
  await writeFile(join(folder, 'testsite-2.sql.gz'), 'neighbour')
  await writeFile(join(folder, 'holiday.summer-2026.part'), 'foreign')
  const old = {
    added_by_a_later_server: [1],
    timestamp: 1000,
    is_filestore_uploaded: true,
    is_encrypted: false,
    database: names.database,
    database_hash: hashOf(contentOf('old', 'database')),
    config_files: names.config,
    config_files_hash: hashOf(contentOf('old', 'config')),
    files: names.files,
    files_hash: hashOf(contentOf('old', 'files')),
    ...change,
  }
  const neighbour = { timestamp: 900, database: 'testsite-2.sql.gz' }
  await writeFile(join(folder, 'backup.json'), JSON.stringify({ 'testsite-1': old, odd: 1, 'testsite-2': neighbour }))
  return repository
}

/** Old or new: the entry of testsite-1 and all its files fit, the neighbour is as it was. */
async function stateOf(repository: FolderRepository): Promise<'old' | 'new'> {
  const index = await repository.readIndex()
  const entry = index.get('testsite-1')
  const version = entry?.timestamp === 1000 ? 'old' : 'new'
  for (const [kind, field] of [
    ['database', 'database'],
    ['config', 'config_files'],
    ['files', 'files'],
  ] as const) {
    const content = await readFile(join(repository.folder, String(entry?.[field])))
    expect(hashOf(content), `${version} ${kind}`).toBe(hashOf(contentOf(version, kind)))
    expect(entry?.[`${field}_hash`]).toBe(hashOf(content))
  }
  expect(entry?.added_by_a_later_server).toEqual([1])
  expect(index.get('testsite-2')).toEqual({ timestamp: 900, database: 'testsite-2.sql.gz' })
  expect(await readFile(join(repository.folder, 'testsite-2.sql.gz'), 'utf8')).toBe('neighbour')
  return version
}

const PLAIN = [
  'backup.json',
  'config-testsite-1.tar.gz',
  'holiday.summer-2026.part',
  'testsite-1.sql.gz',
  'testsite-1.tar.gz',
  'testsite-2.sql.gz',
]
const ENCRYPTED = PLAIN.map((file) => (file.includes('testsite-1') ? `${file}.enc` : file))
const filesOf = async (repository: FolderRepository) => (await readdir(repository.folder)).sort()

describe('writeSlot', () => {
  it.each(['home', 'server'] as const)(
    'replaces an older backup, and the plain form by the encrypted one (%s)',
    async (owner) => {
      const repository = await withOldSlot(owner)
      const entry = await writeSlot(repository, { ...slot, isEncrypted: true, parts: await makeParts(repository, 'new', true) })
      expect(await stateOf(repository)).toBe('new')
      expect(await filesOf(repository)).toEqual(ENCRYPTED)
      expect(entry).toMatchObject({ timestamp: 2000, is_encrypted: true, is_filestore_uploaded: false })
      expect(await readFile(join(repository.folder, 'backup.json'), 'utf8')).toContain('"odd":1')
    },
  )

  it('fills an empty slot of a new repository, and writes null for parts that are not there', async () => {
    const repository = openFolderRepository({ folder: join(await temporaryFolder(), 'vault'), owner: 'home', create: true })
    const parts = await makeParts(repository, 'new', false, () => {}, ['database'])
    await writeSlot(repository, { ...slot, parts })
    expect((await repository.readIndex()).get('testsite-1')).toEqual({
      timestamp: 2000,
      is_filestore_uploaded: false,
      is_encrypted: false,
      database: 'testsite-1.sql.gz',
      database_hash: parts[0]?.sha256,
      config_files: null,
      config_files_hash: null,
      files: null,
      files_hash: null,
    })
    expect(await filesOf(repository)).toEqual(['backup.json', 'testsite-1.sql.gz'])
  })

  it.each([2000, 2001])('never replaces a backup that is not older (%i)', async (timestamp) => {
    const repository = await withOldSlot('server', { timestamp })
    const parts = await makeParts(repository, 'new', false)
    expect(await codeOf(writeSlot(repository, { ...slot, parts }))).toBe('slot-newer')
    expect(await readFile(join(repository.folder, 'testsite-1.sql.gz'))).toEqual(contentOf('old', 'database'))
    expect((await repository.readIndex()).get('testsite-1')?.timestamp).toBe(timestamp)
  })

  it.each(['testsite-safety-20261123', 'testsite', 'testsite-pinned', 'testsite-9'])(
    'never writes %s to a server',
    async (name) => {
      const server = openFolderRepository({ folder: await temporaryFolder(), owner: 'server' })
      const parts = [{ kind: 'database' as const, sha256: '0'.repeat(64), size: 1 }]
      expect(await codeOf(writeSlot(server, { ...slot, name, parts }))).toBe('slot-not-rotation')
      expect(await readdir(server.folder)).toEqual([])
    },
  )

  it('refuses a part that is not as it was written, and a corrupt index, before anything changes', async () => {
    const repository = await withOldSlot('home')
    const parts = await makeParts(repository, 'new', false)
    await writeFile(join(repository.folder, partName('testsite-1.tar.gz', SLOT_JOB)), 'short')
    expect(await codeOf(writeSlot(repository, { ...slot, parts }))).toBe('slot-part-differs')
    expect(await stateOf(repository)).toBe('old')
    await writeFile(join(repository.folder, 'backup.json'), '{"testsite-1":')
    expect(await codeOf(writeSlot(repository, { ...slot, parts }))).toBe('index-corrupt')
    expect(await readFile(join(repository.folder, 'backup.json'), 'utf8')).toBe('{"testsite-1":')
    expect(await readFile(join(repository.folder, 'testsite-1.sql.gz'))).toEqual(contentOf('old', 'database'))
  })

  it('keeps the record when the index can’t be written, and finishes the next time', async () => {
    const repository = await withOldSlot('server')
    const parts = await makeParts(repository, 'new', false)
    const busy = join(repository.folder, 'backup.json.tmp')
    const onStep = (step: string) => (step === 'index' ? writeFile(busy, '') : undefined)
    expect(await codeOf(writeSlot(repository, { ...slot, parts, onStep }))).toBe('slot-index-pending')
    await rm(busy)
    expect(await recoverSlots(repository.files)).toEqual({ finished: ['testsite-1'], removed: [] })
    expect(await stateOf(repository)).toBe('new')
    expect(await filesOf(repository)).toEqual(PLAIN)
  })
})

describe('a program that is killed', () => {
  const before = [
    'half of database',
    'half of files',
    'sync',
    'intent',
    'rename',
    'rename 2',
    'rename 3',
    'index',
    'old files',
    'record',
  ]
  const files = (isEncrypted: boolean) => {
    const names = ['testsite-1.sql.gz', 'config-testsite-1.tar.gz', 'testsite-1.tar.gz']
    return isEncrypted ? names.map((name) => `${name}.enc`) : names
  }
  const cases = (['home', 'server'] as const).flatMap((owner) =>
    [false, true].flatMap((isEncrypted) => before.map((step) => ({ owner, isEncrypted, step }))),
  )
  const child = join(import.meta.dirname, '../../../../../support/slot-child.ts')

  it.each(cases)(
    'before "$step" ($owner, encrypted: $isEncrypted) leaves the old slot or the new one',
    async ({ owner, isEncrypted, step }) => {
      const repository = await withOldSlot(owner)
      const renames = files(isEncrypted)
      const named = step.startsWith('rename') ? `rename ${renames[Number(step.slice(7) || '1') - 1]}` : step
      const ended = spawnSync(process.execPath, [child, repository.folder, owner, String(isEncrypted), named], {
        encoding: 'utf8',
      })
      expect(ended.stderr).not.toContain('Error')
      expect(ended.signal).toBe('SIGKILL')
      // even before the repair: the index is valid, and nothing half-made has the name of a whole file
      await repository.readIndex()
      for (const { name, size } of await repository.list())
        if (name.includes('testsite-1')) expect(size).toBeGreaterThanOrEqual(50_000)
      await recoverSlots(repository.files)
      const isNew = before.indexOf(step) >= before.indexOf('rename')
      expect(await stateOf(repository)).toBe(isNew ? 'new' : 'old')
      expect(await filesOf(repository)).toEqual(isNew && isEncrypted ? ENCRYPTED : PLAIN)
      expect(await recoverSlots(repository.files)).toEqual({ finished: [], removed: [] })
    },
  )
})

describe('recoverSlots', () => {
  async function interrupted(repository: FolderRepository, isEncrypted: boolean, step: string): Promise<void> {
    const parts = await makeParts(repository, 'new', isEncrypted)
    const stop = (reached: string) => {
      if (reached === step) throw new Error('stopped')
    }
    await writeSlot(repository, { ...slot, isEncrypted, parts, onStep: stop }).catch(() => {})
  }

  it('takes back a slot of which a part is damaged, and keeps what the index names', async () => {
    const repository = await withOldSlot('home')
    await interrupted(repository, true, 'rename testsite-1.sql.gz.enc')
    const part = join(repository.folder, partName('testsite-1.tar.gz.enc', SLOT_JOB))
    const bytes = await readFile(part)
    bytes[100] = (bytes[100] ?? 0) ^ 1
    await writeFile(part, bytes)
    expect((await recoverSlots(repository.files)).finished).toEqual([])
    expect(await stateOf(repository)).toBe('old')
    expect(await filesOf(repository)).toEqual(PLAIN)
  })

  it('finishes a slot whose index was half written', async () => {
    const repository = await withOldSlot('server')
    await interrupted(repository, true, 'index')
    await writeFile(join(repository.folder, partName('backup.json', SLOT_JOB)), '{"testsi')
    expect((await recoverSlots(repository.files)).finished).toEqual(['testsite-1'])
    expect(await stateOf(repository)).toBe('new')
    expect(await filesOf(repository)).toEqual(ENCRYPTED)
  })

  it('does not put an interrupted backup over a newer one', async () => {
    const repository = await withOldSlot('server')
    await interrupted(repository, false, 'rename testsite-1.sql.gz')
    await repository.updateIndex((index) => {
      const entry = index.get('testsite-1')
      if (entry) entry.timestamp = 3000
    })
    await recoverSlots(repository.files)
    expect(await readFile(join(repository.folder, 'testsite-1.sql.gz'))).toEqual(contentOf('old', 'database'))
    expect((await repository.readIndex()).get('testsite-1')?.timestamp).toBe(3000)
    expect(await filesOf(repository)).toEqual(PLAIN)
  })

  it('leaves the files of a job that it is told of, and fresh ones of another home folder', async () => {
    const repository = await withOldSlot('home')
    const parts = await makeParts(repository, 'new', false)
    expect(parts).toHaveLength(3)
    expect(await recoverSlots(repository.files, { except: SLOT_JOB })).toEqual({ finished: [], removed: [] })
    expect(await recoverSlots(repository.files, { isOurJob: async () => false })).toEqual({ finished: [], removed: [] })
    const old = partName('testsite-1.tar.gz', SLOT_JOB)
    const yesterday = Date.now() / 1000 - 2 * 86_400
    await utimes(join(repository.folder, old), yesterday, yesterday)
    expect(await recoverSlots(repository.files, { isOurJob: async () => false })).toEqual({ finished: [], removed: [old] })
    expect((await recoverSlots(repository.files)).removed).toHaveLength(2)
    expect(await filesOf(repository)).toEqual(PLAIN)
  })

  it('believes no record that it did not write', async () => {
    const repository = await withOldSlot('server')
    const id = 'zbd-0123456789abcdef'
    const hostile = {
      version: 1,
      id,
      owner: 'server',
      name: 'testsite-1',
      entry: { timestamp: 9000 },
      oldEntry: { timestamp: 1, database: '../../victim', files: 'testsite-2.sql.gz' },
      // it is there, whole
      parts: [{ finalName: 'testsite-2.sql.gz', sha256: hashOf(Buffer.from('neighbour')), size: 9 }],
    }
    const record = join(repository.folder, `testsite-1.${id}.intent`)
    await writeFile(record, JSON.stringify(hostile))
    await recoverSlots(repository.files)
    expect(await stateOf(repository)).toBe('old')
    const escaping = [{ finalName: '../escaped.sql.gz', sha256: hashOf(Buffer.from('x')), size: 1 }]
    await writeFile(record, JSON.stringify({ ...hostile, parts: escaping }))
    await recoverSlots(repository.files)
    expect(await stateOf(repository)).toBe('old')
    await writeFile(record, 'x'.repeat(300_000))
    await recoverSlots(repository.files)
    expect(await stateOf(repository)).toBe('old')
  })

  it('needs no folder', async () => {
    expect(await recoverSlots(localFiles({ folder: join(await temporaryFolder(), 'none'), owner: 'home' }))).toEqual({
      finished: [],
      removed: [],
    })
  })
})
