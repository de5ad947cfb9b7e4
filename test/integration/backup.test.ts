import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { chown, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { type BackupRequest, startBackup } from '#engine/features/backup/index.ts'
import { decryptStream } from '#engine/features/encryption/index.ts'
import { layOutServerFolder, loadFixtureDatabase, type ServerFolder, siteInput } from '#test/support/backup-site.ts'
import { openTestContext, type TestContext, withPhases } from '#test/support/engine-context.ts'
import { fixture, hasFixtures } from '#test/support/fixtures.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { type Postgres15, startPostgres15 } from '#test/support/postgres.ts'

const run = promisify(execFile)
const PASSWORD = 'zażółć 🔐'
if (!hasFixtures) console.error('SKIPPED test/integration/backup.test.ts: the fixtures of a real server are missing')

describe.skipIf(!hasFixtures)('startBackup', () => {
  let postgres: Postgres15
  beforeAll(async () => {
    postgres = await startPostgres15()
    await loadFixtureDatabase(postgres, 'site')
  })
  afterAll(() => postgres?.stop())

  let root: string
  let server: ServerFolder
  let vault: string
  beforeEach(async () => {
    root = await temporaryFolder()
    server = await layOutServerFolder(root)
    vault = join(root, 'home', 'backups', 'testsite')
  })

  async function open(options: { encrypted?: boolean | 'without password'; schema?: string } = {}): Promise<TestContext> {
    const secrets: Record<string, string> = { 'site/testsite/database-password': postgres.password }
    if (options.encrypted === true) secrets['site/testsite/encryption-password'] = PASSWORD
    const test = await openTestContext(join(root, 'home'), { secrets })
    onTestFinished(() => test.close())
    const input = siteInput('site', postgres, server)
    if (options.encrypted) input.encryption = { enabled: true }
    if (options.schema) input.database.schema = options.schema
    const known = (await test.context.sites.list()).sites.length > 0
    await (known ? test.context.sites.update(input) : test.context.sites.add(input))
    return test
  }

  const request = (change: Partial<BackupRequest> = {}): BackupRequest => ({
    site: 'testsite',
    to: 'vault',
    databaseOnly: false,
    ...change,
  })

  it('makes what the server makes, and what its tools accept', async () => {
    const { context, events } = await open()
    const result = await startBackup(context, request()).done
    expect(result.problems).toEqual([])
    expect(result.parts.map(({ part }) => part)).toEqual(['database', 'config', 'files'])
    const files = await readdir(vault)
    expect(files.sort()).toEqual(['backup.json', ...result.parts.map(({ file }) => file)].sort())
    for (const file of files) expect((await stat(join(vault, file))).mode & 0o777).toBe(0o600)

    const index = JSON.parse(await readFile(join(vault, 'backup.json'), 'utf8'))
    const entry = index[result.name]
    const serverIndex = JSON.parse(await readFile(fixture('backups', '1-plain-full', 'backup.json'), 'utf8'))
    expect(Object.keys(entry).sort()).toEqual(Object.keys(serverIndex['testsite-1']).sort())
    expect(entry).toMatchObject({ is_filestore_uploaded: false, is_encrypted: false })
    expect(new Date(entry.timestamp * 1000).toISOString().slice(0, 19)).toBe(result.timestamp.slice(0, 19))
    for (const { part, file, hash, size } of result.parts) {
      const bytes = await readFile(join(vault, file))
      expect(bytes).toHaveLength(size)
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(hash)
      expect(entry[part === 'config' ? 'config_files_hash' : `${part}_hash`]).toBe(hash)
    }

    await expectSameListing('testsite-1.tar.gz', `${result.name}.tar.gz`)
    await expectSameListing('config-testsite-1.tar.gz', `config-${result.name}.tar.gz`)
    const out = join(root, 'out')
    await mkdir(out)
    await run('tar', ['-xzf', join(vault, `${result.name}.tar.gz`), '-C', out])
    await run('diff', ['-r', out, server.archiveDir])

    const dump = await readFile(join(vault, `${result.name}.sql.gz`))
    const head = gunzipSync(dump.subarray(0, 5000), { finishFlush: 2 }).subarray(0, 10_000).toString()
    expect(head).toContain('CREATE SCHEMA "testsite"')
    await postgres.createDatabase('restored')
    await postgres.psql('restored', { file: join(vault, `${result.name}.sql.gz`) }, 'zotonic')
    const count = (table: string) => postgres.psql('restored', `SELECT count(*) FROM testsite.${table}`)
    expect([await count('rsc'), await count('edge'), await count('backup_revision')].map(Number)).toEqual([126, 111, 211])
    expect(events).toContainEqual({ type: 'backups-changed', site: 'testsite' })
  })

  async function expectSameListing(theirs: string, ours: string): Promise<void> {
    const list = async (file: string) => {
      const { stdout } = await run('tar', ['--full-time', '-tvzf', file])
      // names of owners are those of the machine, and only root keeps the numbers of the fixture's
      return stdout
        .trimEnd()
        .split('\n')
        .map((line) => line.split(/\s+/).toSpliced(1, 1).join(' '))
        .sort()
    }
    expect(await list(join(vault, ours))).toEqual(await list(fixture('backups', '1-plain-full', theirs)))
  }

  it('encrypts, replaces the plain files of its slot, and leaves the server’s folder to the server', async () => {
    await chown(server.backupDir, 1234, 1234)
    const plain = await open()
    const first = await startBackup(plain.context, request({ to: 'server' })).done
    await nextSecond()
    const test = await open({ encrypted: true })
    const result = await startBackup(test.context, request({ to: 'server' })).done
    expect(result.name).toBe(first.name)
    expect((await readdir(server.backupDir)).sort()).toEqual(['backup.json', ...result.parts.map(({ file }) => file)].sort())
    expect(result.parts.every(({ file }) => file.endsWith('.enc'))).toBe(true)
    for (const file of await readdir(server.backupDir)) {
      const facts = await stat(join(server.backupDir, file))
      if (process.getuid?.() === 0) expect([facts.uid, facts.gid]).toEqual([1234, 1234])
    }
    const { plain: content } = await decryptStream(
      Readable.from([await readFile(join(server.backupDir, `${result.name}.tar.gz.enc`))]),
      [PASSWORD],
    )
    const tar = join(root, 'decrypted.tar.gz')
    await writeFile(tar, Buffer.concat(await content.toArray()))
    const { stdout } = await run('tar', ['-tzf', tar])
    const fixtureNames = (await run('tar', ['-tzf', fixture('backups', '1-plain-full', 'testsite-1.tar.gz')])).stdout
    expect(stdout.split('\n').sort()).toEqual(fixtureNames.split('\n').sort())
    const jobs = await readdir(join(root, 'home', 'jobs'))
    for (const job of jobs) expect(await readFile(join(root, 'home', 'jobs', job), 'utf8')).not.toContain(PASSWORD)
  })

  it('leaves the media out of a database backup, and keeps the configuration', async () => {
    const { context } = await open()
    const result = await startBackup(context, request({ databaseOnly: true })).done
    expect(result.parts.map(({ part }) => part)).toEqual(['database', 'config'])
    const index = JSON.parse(await readFile(join(vault, 'backup.json'), 'utf8'))
    expect(index[result.name]).toMatchObject({ files: null, files_hash: null })
  })

  it('makes the dump with the engine and the level that are asked for, and says which and why', async () => {
    const { context, events } = await open()
    const byDefault = await startBackup(context, request({ databaseOnly: true })).done
    expect(byDefault.dump).toEqual({ engine: 'built-in', why: expect.stringContaining('every object') })
    await nextSecond()
    const job = startBackup(context, request({ databaseOnly: true, engine: 'pg_dump', compression: 1 }))
    const result = await job.done
    expect(result.dump).toEqual({ engine: 'pg_dump', why: expect.stringMatching(/pg_dump 15\.\d+ \(/) })
    const { log } = await context.jobs.show(job.id)
    expect(log.map(({ text }) => text).join('\n')).toContain(`Dump engine: pg_dump. ${result.dump.why}`)
    const text = gunzipSync(await readFile(join(vault, `${result.name}.sql.gz`))).toString()
    expect(text).toContain('-- Dumped by pg_dump version 15.')
    expect(text).toContain('\n-- PostgreSQL database dump complete\n')
    const sizeOf = ({ parts }: typeof result) => parts.find(({ part }) => part === 'database')?.size ?? 0
    expect(sizeOf(result)).toBeGreaterThan(sizeOf(byDefault))
    expect(await readdir(join(root, 'home', 'scratch'))).toEqual([])
    // no phase and no part was ever beyond its total
    for (const event of events) {
      if (event.type !== 'job') continue
      for (const { done, total } of [event.job.phase, ...event.job.items].filter((row) => row !== null)) {
        if (total !== null) expect(done).toBeLessThanOrEqual(total)
      }
    }
  })

  it('takes the slot of the server’s rotation, and tells what is not in it', async () => {
    await run('cp', [fixture('backups', '3-slots-mixed', 'backup.json'), server.backupDir])
    await run('mv', [server.archiveDir, `${server.archiveDir}-away`])
    const { context } = await open()
    const result = await startBackup(context, request()).done
    const day = new Date().getUTCDay()
    if (day !== 0) expect(result.name).toBe(`testsite-${day}`)
    expect(result.problems.map(({ code }) => code)).toEqual(['media-missing'])
    expect(result.parts.map(({ part }) => part)).toEqual(['database', 'config'])
  })

  it('writes nothing when encryption is on without a password', async () => {
    const { context } = await open({ encrypted: 'without password' })
    await expect(startBackup(context, request()).done).rejects.toMatchObject({ code: 'encryption-no-password' })
    await expect(readdir(vault)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('leaves everything as it was when it fails', async () => {
    const first = await open()
    await startBackup(first.context, request()).done
    await nextSecond()
    const before = await snapshot(vault)
    const { context } = await open({ schema: 'no_such_schema' })
    await expect(startBackup(context, request()).done).rejects.toMatchObject({ code: 'schema-unknown' })
    expect(await snapshot(vault)).toEqual(before)
  })

  it.each([
    'Looking at what there is to back up',
    'Reading the database',
    'Archiving the media files',
    'Checking what was written',
  ])('leaves nothing behind when cancelled while %s', async (phase) => {
    await startBackup((await open()).context, request()).done
    const before = await snapshot(vault)
    await nextSecond()
    // enough to be at it when the cancel comes
    await writeFile(join(server.archiveDir, 'big.bin'), Buffer.alloc(40_000_000, 'backup'))
    const test = await open()
    const context = withPhases(test.context, (name, id) => {
      if (name === phase) void test.jobs.cancel(id)
    })
    await expect(startBackup(context, request()).done).rejects.toMatchObject({ code: 'cancelled' })
    expect(await snapshot(vault)).toEqual(before)
  })

  const canMount = process.getuid?.() === 0 && process.platform === 'linux'
  if (!canMount) console.error('SKIPPED the full disk: mounting a small one needs root on Linux')

  it.runIf(canMount)('is refused when the disk is too small, and clean when it becomes full', async () => {
    vault = join(root, 'small')
    await mkdir(vault)
    await run('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', vault])
    const mounted = vault
    onTestFinished(async () => void (await run('umount', [mounted])))
    await writeFile(join(vault, 'ballast'), Buffer.alloc(40_000_000))
    const { context } = await open()
    await context.sites.update({ ...siteInput('site', postgres, server), vault: { path: vault } })
    await expect(startBackup(context, request()).done).rejects.toMatchObject({ code: 'disk-full' })
    expect(await readdir(vault)).toEqual(['ballast'])
    await rm(join(vault, 'ballast'))
    await writeFile(join(server.archiveDir, 'random.bin'), randomBytes(20_000_000))
    const becomingFull = withPhases(context, (name) => {
      if (name === 'Archiving the media files') writeFileSync(join(vault, 'ballast'), Buffer.alloc(50_000_000))
    })
    await expect(startBackup(becomingFull, request()).done).rejects.toMatchObject({ code: 'disk-full' })
    expect(await readdir(vault)).toEqual(['ballast'])
  })
})

/** Two backups of the same second are not one older than the other. */
function nextSecond(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1100))
}

/** Names, sizes, times and content of a folder. */
async function snapshot(folder: string): Promise<unknown[]> {
  const files = (await readdir(folder)).sort()
  return Promise.all(
    files.map(async (file) => {
      const { size, mtimeMs, ino } = await stat(join(folder, file))
      return [file, size, mtimeMs, ino]
    }),
  )
}
