import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { appendFile, chmod, link, mkdir, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type BackupRequest, startBackup } from '#engine/features/backup/index.ts'
import { openRepository } from '#engine/foundation/repository/open.ts'
import { AppError } from '#shared/errors.ts'
import { layOutServerFolder, loadFixtureDatabase, type ServerFolder, siteInput } from '#test/support/backup-site.ts'
import { missingCeph, startS3 } from '#test/support/ceph.ts'
import { openTestContext, type TestContext, withPhases } from '#test/support/engine-context.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { allowed } from '#test/support/patience.ts'
import { type Postgres15, startPostgres15 } from '#test/support/postgres.ts'
import { useServerFolders, whyNoServer } from '#test/support/server-stage.ts'
import { knowHost, sshSiteInput } from '#test/support/ssh-site.ts'
import { type Sshd, startSshd } from '#test/support/sshd.ts'

const run = promisify(execFile)
const OWNER = 'nobody'
const isRoot = process.getuid?.() === 0
const whyNotAsOwner = isRoot && existsSync('/etc/sudoers.d') ? null : 'only root may make users and let them run sudo'
if (whyNotAsOwner) console.error(`SKIPPED in remote-backup.test.ts: ${whyNotAsOwner}`)
const why = whyNoServer('test/integration/remote-backup.test.ts')

/** Where two archives part, with what stands there in each; null: nowhere. */
function firstDifference(one: Buffer, other: Buffer): string | null {
  if (one.equals(other)) return null
  const at = one.findIndex((byte, index) => byte !== other[index])
  const around = (bytes: Buffer) => JSON.stringify(bytes.toString('latin1', at & ~511, (at | 511) + 1).replaceAll('\0', ''))
  return `at ${at}, ${one.length} against ${other.length} bytes: ${around(one)} against ${around(other)}`
}

describe.skipIf(why !== null)('a backup of a site on a server', () => {
  let postgres: Postgres15
  let sshd: Sshd
  let root: string
  let server: ServerFolder
  useServerFolders('site', (stage) => {
    ;({ postgres, sshd, root, server } = stage)
  })

  async function open(kind: 'ssh' | 'folder', options: { password?: string } = {}): Promise<TestContext> {
    const home = join(root, `home-${kind}`)
    await knowHost(home, sshd)
    const secrets: Record<string, string> = { 'site/testsite/database-password': postgres.password }
    if (options.password) secrets['site/testsite/encryption-password'] = options.password
    const test = await openTestContext(home, { secrets })
    onTestFinished(() => test.close())
    const input = kind === 'ssh' ? sshSiteInput('site', postgres, server, sshd) : siteInput('site', postgres, server)
    if (options.password) input.encryption = { enabled: true }
    await test.context.sites.add(input)
    return test
  }

  const request = (change: Partial<BackupRequest> = {}): BackupRequest => ({
    site: 'testsite',
    to: 'vault',
    databaseOnly: false,
    ...change,
  })

  /** Names as sites have them, and as nobody should give them. */
  async function addOddFiles(): Promise<void> {
    const { archiveDir, securityDir, siteDir } = server
    const folder = join(archiveDir, '2026', '01')
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'ŻÓŁW.jpg'), 'a turtle')
    await writeFile(join(folder, `${'long'.repeat(40)}.txt`), 'a long name')
    await writeFile(join(folder, 'a-b'), '')
    await mkdir(join(folder, 'a'))
    await writeFile(join(folder, 'a', 'large'), Buffer.alloc(3_000_001, 7))
    await link(join(folder, 'a', 'large'), join(folder, 'second name'))
    await utimes(join(folder, 'a-b'), 1_700_000_000.75, 1_700_000_000.75)
    await run('touch', ['-d', '@-86400.5', join(folder, 'a', 'older than time')])
    await symlink('/etc/passwd', join(folder, 'link'))
    await run('mkfifo', [join(folder, 'pipe')])
    await mkdir(join(securityDir, 'keys', 'deep'), { recursive: true })
    await writeFile(join(securityDir, 'keys', 'deep', 'site.key'), 'a key', { mode: 0o600 })
    await writeFile(join(securityDir, 'keys-1'), 'sorts before the folder’s content')
    await symlink(join(securityDir, 'keys', 'deep', 'site.key'), join(securityDir, 'current.key'))
    await symlink('/etc', join(securityDir, 'folder-link'))
    await mkdir(join(siteDir, 'priv', 'config.d'), { recursive: true })
    await writeFile(join(siteDir, 'priv', 'config.d', 'mail.config'), '[].', { mode: 0o640 })
  }

  it('has the same archives as one of the same folders on this computer', async () => {
    await addOddFiles()
    const here = await open('folder')
    const there = await open('ssh')
    const local = await startBackup(here.context, request()).done
    const remote = await startBackup(there.context, request()).done
    const unpacked = async (test: TestContext, file: string | undefined) =>
      gunzipSync(await readFile(join(test.context.home.vaults, 'testsite', file ?? '')))
    for (const part of ['config', 'files'] as const) {
      const ours = await unpacked(here, local.parts.find((made) => made.part === part)?.file)
      const theirs = await unpacked(there, remote.parts.find((made) => made.part === part)?.file)
      expect(firstDifference(theirs, ours), part).toBeNull()
    }
    const facts = ({ part, path, code }: { part: string; path: string; code: string }) => `${part} ${path} ${code}`
    expect(remote.problems.map(facts).sort()).toEqual(local.problems.map(facts).sort())
    expect(remote.dump.engine).toBe('built-in')
    expect(remote.parts.map(({ part }) => part)).toEqual(['database', 'config', 'files'])
  })

  it.skipIf(whyNotAsOwner !== null)('reads as the user of Zotonic what nobody else may read', async () => {
    const way = await startSshd({ password: 'password' })
    onTestFinished(() => way.stop())
    const user = way.passwordUser?.name ?? ''
    const rule = join('/etc/sudoers.d', user)
    await writeFile(rule, `${user} ALL=(${OWNER}) NOPASSWD: ALL\n`, { mode: 0o440 })
    onTestFinished(() => rm(rule, { force: true }))
    const here = await startBackup((await open('folder')).context, request()).done
    await chmod(root, 0o711)
    for (const folder of [server.archiveDir, server.securityDir, join(server.siteDir, 'priv')]) {
      await run('chown', ['-R', OWNER, folder])
      await run('chmod', ['-R', 'go-rwx', folder])
    }
    const { context } = await open('ssh')
    const input = sshSiteInput('site', postgres, server, way)
    if (input.server?.kind !== 'ssh') throw new Error('another server')
    await appendFile(context.home.knownHostsFile, `${await way.knownHostsLine()}\n`)
    const asUser = { ...input, server: { ...input.server, ssh: { ...input.server.ssh, user } } }
    await context.sites.update(asUser)
    await expect(startBackup(context, request()).done).rejects.toThrow(/Permission denied/)
    // what nobody may look for is not called absent
    await run('chown', [OWNER, server.filesDir])
    await run('chmod', ['go-rwx', server.filesDir])
    await expect(startBackup(context, request()).done).rejects.toMatchObject({ code: 'media-unreadable' })
    await context.sites.update({ ...asUser, zotonic: { runAs: OWNER } })
    const there = await startBackup(context, request()).done
    const media = (made: typeof here) => made.parts.find(({ part }) => part === 'files')
    const listed = async (home: string, file: string) => {
      const { stdout } = await run('tar', ['-tzf', join(root, home, 'backups', 'testsite', file)])
      return stdout
    }
    expect(await listed('home-ssh', media(there)?.file ?? '')).toBe(await listed('home-folder', media(here)?.file ?? ''))
    expect(there.problems).toEqual(here.problems)
  })

  it('is none without configuration and media where no command can be run', async () => {
    const filesOnly = await startSshd({ config: ['ForceCommand internal-sftp'] })
    onTestFinished(() => filesOnly.stop())
    const { context } = await open('ssh')
    await appendFile(context.home.knownHostsFile, `${await filesOnly.knownHostsLine()}\n`)
    await context.sites.update(sshSiteInput('site', postgres, server, filesOnly))
    const made = startBackup(context, request({ databaseOnly: true })).done
    await expect(made).rejects.toMatchObject({ code: 'server-tool-failed', message: /can’t list configuration files/ })
    expect(await readdir(join(context.home.vaults, 'testsite')).catch(() => [])).toEqual([])
  })

  it('takes no more of the line than the limit of transfers lets it', async () => {
    await writeFile(join(server.archiveDir, 'large'), randomBytes(2 << 20))
    const { context } = await open('ssh')
    await context.preferences.update({ transferLimit: 1024 })
    const entered = new Map<string, number>()
    const timed = withPhases(context, (name) => entered.set(name, performance.now()))
    await startBackup(timed, request()).done
    const at = (name: string) => entered.get(name) ?? Number.NaN
    expect(at('Checking what was written') - at('Archiving the media files')).toBeGreaterThan(1500)
  })

  it('has the server’s own pg_dump read the database, and is what psql restores', async () => {
    const { context } = await open('ssh', { password: 'zażółć' })
    const encrypted = await startBackup(context, request({ engine: 'server', databaseOnly: true })).done
    expect(encrypted.dump).toMatchObject({ engine: 'server' })
    expect(encrypted.parts[0]?.file).toMatch(/\.sql\.gz\.enc$/)
    const plain = await open('folder')
    await plain.context.sites.update(sshSiteInput('site', postgres, server, sshd))
    const result = await startBackup(plain.context, request({ engine: 'server', databaseOnly: true })).done
    const file = join(plain.context.home.vaults, 'testsite', result.parts[0]?.file ?? '')
    await postgres.createDatabase('restored')
    await postgres.psql('restored', { file }, 'zotonic')
    const count = (table: string) => postgres.psql('restored', `SELECT count(*) FROM testsite.${table}`)
    expect([await count('rsc'), await count('edge'), await count('backup_revision')].map(Number)).toEqual([126, 111, 211])
  })

  it('goes into the server’s own folder over SFTP, as a server would have made it, and nothing stays here', async () => {
    const { context } = await open('ssh', { password: 'zażółć' })
    const result = await startBackup(context, request({ to: 'server' })).done
    expect((await readdir(server.backupDir)).sort()).toEqual(['backup.json', ...result.parts.map(({ file }) => file)].sort())
    const index = JSON.parse(await readFile(join(server.backupDir, 'backup.json'), 'utf8'))
    const [database] = result.parts
    expect(index[result.name]).toMatchObject({ database: database?.file, database_hash: database?.hash, is_encrypted: true })
    const stored = await readFile(join(server.backupDir, database?.file ?? ''))
    expect(createHash('sha256').update(stored).digest('hex')).toBe(database?.hash)
    expect(await readdir(context.home.scratch)).toEqual([])
    expect(await readdir(context.home.vaults)).toEqual([])
  })

  it('changes nothing on the server when that is lost on the way, and leaves nothing here', async () => {
    const test = await open('ssh')
    const context = withPhases(test.context, (phase) => {
      if (phase === 'Archiving the media files') void sshd.kill()
    })
    onTestFinished(() => sshd.start())
    const failed = await startBackup(context, request({ to: 'server' })).done.catch((error) => error)
    expect(failed).toBeInstanceOf(AppError)
    expect(failed.code).not.toBe('internal')
    expect(await readdir(server.backupDir)).toEqual([])
    expect(await readdir(context.home.scratch)).toEqual([])
  })

  it('leaves nothing on the server when it is cancelled or lost while it is sent, since it can’t go on', async () => {
    await writeFile(join(server.archiveDir, 'large'), randomBytes(2 << 20))
    const { context } = await open('ssh')
    await startBackup(context, request({ to: 'server', databaseOnly: true })).done
    const before = await readdir(server.backupDir)
    await context.preferences.update({ transferLimit: 1024 })
    const arrived = async () => (await readdir(server.backupDir)).some((file) => file.endsWith('.part'))
    const sending = async (stop: (id: string) => unknown) => {
      const { id, done } = startBackup(context, request({ to: 'server' }))
      const ended = done.catch((error) => error)
      await expect.poll(arrived, { timeout: allowed(60_000), interval: 20 }).toBe(true)
      await stop(id)
      return ended
    }
    expect(await sending((id) => context.jobs.cancel(id))).toMatchObject({ code: 'cancelled' })
    expect((await readdir(server.backupDir)).sort()).toEqual(before.sort())
    // nobody can clear up over a line that is gone: whoever writes there next does
    onTestFinished(() => sshd.start())
    const lost = sending(async (id) => {
      await sshd.kill()
      setTimeout(() => void context.jobs.cancel(id), 500)
    })
    expect(await lost).toBeInstanceOf(AppError)
    expect(await arrived()).toBe(true)
    await sshd.start()
    await context.preferences.update({ transferLimit: null })
    await startBackup(context, request({ to: 'server', databaseOnly: true })).done
    expect(await arrived()).toBe(false)
  })

  it('has the server end its pg_dump when it is cancelled', async () => {
    const { context } = await open('ssh')
    await postgres.psql('postgres', 'CREATE DATABASE site_large TEMPLATE site OWNER zotonic')
    const rows = 'SELECT md5(n::text) || md5((-n)::text) AS text FROM generate_series(1, 1500000) AS n'
    await postgres.psql('site_large', `CREATE TABLE testsite.large AS ${rows}`, 'zotonic')
    await context.sites.update(sshSiteInput('site_large', postgres, server, sshd))
    const started = startBackup(context, request({ engine: 'server', databaseOnly: true, compression: 9 }))
    started.done.catch(() => {})
    const waiting = () =>
      postgres.psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'Backup Desk pg_dump%'")
    await expect.poll(async () => Number(await waiting()), { timeout: 60_000 }).toBe(1)
    await context.jobs.cancel(started.id)
    await expect(started.done).rejects.toMatchObject({ code: 'cancelled' })
    await expect.poll(async () => Number(await waiting()), { timeout: allowed(5000) }).toBe(0)
  })
})

const whyNoFilestore = why ?? (process.env.HEAVY === '1' ? missingCeph() : 'an S3 server takes long to start; HEAVY=1 does it')
if (whyNoFilestore && !why) console.error(`SKIPPED a backup into the filestore: ${whyNoFilestore}`)

describe.skipIf(whyNoFilestore !== null)('a backup into the filestore', () => {
  it('is there as a server would have uploaded it, and nothing of it stays here', async () => {
    const [postgres, s3] = await Promise.all([startPostgres15(), startS3()])
    onTestFinished(async () => {
      await s3.stop()
      await postgres.stop()
    })
    await loadFixtureDatabase(postgres, 'site')
    const root = await temporaryFolder()
    const server = await layOutServerFolder(root)
    const secrets = {
      'site/testsite/database-password': postgres.password,
      'site/testsite/filestore-secret': s3.secretAccessKey,
    }
    const test = await openTestContext(join(root, 'home'), { secrets })
    onTestFinished(() => test.close())
    const { endpoint, bucket, accessKeyId } = s3
    await test.context.sites.add({
      ...siteInput('site', postgres, server),
      filestore: { endpoint, bucket, accessKeyId, prefix: 'testsite' },
    })
    const { context } = test
    const made = await startBackup(context, { site: 'testsite', to: 'filestore', databaseOnly: true }).done
    const filestore = await openRepository(context, await context.sites.get('testsite'), 'filestore')
    expect((await filestore.readIndex()).get(made.name)).toMatchObject({
      database: made.parts[0]?.file,
      database_hash: made.parts[0]?.hash,
      is_filestore_uploaded: true,
    })
    expect((await filestore.list()).map(({ name }) => name).sort()).toEqual(
      ['backup.json', ...made.parts.map(({ file }) => file)].sort(),
    )
    expect(await readdir(context.home.scratch)).toEqual([])
  })
})
