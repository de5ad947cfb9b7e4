import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openFolderRepository } from '#engine/foundation/repository/folder.ts'
import { missingCeph, startS3, type TestS3 } from '#test/support/ceph.ts'
import { fixture, hasFixtures } from '#test/support/fixtures.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { makeQuickStore } from '#test/support/quick-store.ts'
import { filestoreSettings, openTestS3 } from '#test/support/s3-repository.ts'
import { contentsOf, leftIn, makeBackup } from '#test/support/transfers.ts'
import { spawnZbd, type ZbdOptions, zbd } from '#test/support/zbd.ts'

const run = promisify(execFile)
const CHILD = fileURLToPath(new URL('../bench/transfer-child.ts', import.meta.url))
const why = hasFixtures ? missingCeph() : 'the fixtures of a real server are missing'
if (why) console.error(`SKIPPED in zbd-transfer.test.ts: ${why}`)
const isHeavy = process.env.HEAVY === '1'
if (!isHeavy) console.error('SKIPPED in zbd-transfer.test.ts: 2 GB through memory, which takes minutes (HEAVY=1)')

const MIB = 1 << 20
const PASSPHRASE = 'canary-passphrase-9xv'

describe.skipIf(why !== null)('zbd copy and zbd sync', () => {
  let s3: TestS3
  beforeAll(async () => {
    s3 = await startS3()
  })
  afterAll(() => s3?.stop())

  async function newSite(backups: string | null, settings = filestoreSettings(s3)) {
    const root = await temporaryFolder()
    const home = join(root, 'home')
    const server = join(root, 'files', 'backup')
    await mkdir(home)
    await makeQuickStore(home, PASSPHRASE)
    await mkdir(server, { recursive: true })
    if (backups !== null) await cp(fixture('backups', backups), server, { recursive: true })
    const site = {
      version: 1,
      name: 'testsite',
      database: { database: 'd', schema: 's', user: 'u' },
      server: { kind: 'folder', siteDir: root, filesDir: join(root, 'files'), securityDir: root },
      filestore: settings,
      filestoreSecret: s3.secretAccessKey,
    }
    await writeFile(join(root, 'site.json'), JSON.stringify(site))
    const options: ZbdOptions = { home, env: { BACKUP_DESK_PASSPHRASE: PASSPHRASE } }
    const added = await zbd(['sites', 'add', '--file', join(root, 'site.json'), '--json'], options)
    expect([added.code, added.stdout]).toEqual([0, expect.stringContaining('"ok":true')])
    return { options, server, vault: join(home, 'backups', 'testsite'), settings, home }
  }

  it('fetches at once, sends when it is confirmed, and says what it would do', async () => {
    const { options, server, vault, settings } = await newSite('1-plain-full')
    const fetched = await zbd(['copy', 'testsite', 'testsite-1', '--from', 'server', '--to', 'vault', '--json'], options)
    expect(fetched.code).toBe(0)
    expect(fetched.json.result).toMatchObject({ backups: [{ name: 'testsite-1', outcome: 'copied' }], bytes: 1_770_288 })
    const open = (folder: string) => openFolderRepository({ folder, owner: 'server' })
    expect(await contentsOf(open(vault))).toEqual(await contentsOf(open(server)))
    const send = ['sync', 'testsite', '--from', 'server', '--to', 'filestore']
    expect((await zbd(send, options)).code).toBe(2)
    const planned = await zbd([...send, '--plan'], options)
    expect([planned.code, planned.stdout]).toEqual([0, expect.stringContaining('--confirm testsite')])
    expect((await zbd([...send, '--confirm', 'other'], options)).code).toBe(2)
    const sent = await zbd([...send, '--confirm', 'testsite', '--json'], options)
    expect([sent.code, sent.stdout]).toEqual([0, expect.stringContaining('"copied"')])
    const filestore = await openTestS3(s3, { settings })
    expect(await contentsOf(filestore)).toEqual(await contentsOf(open(server)))
    // both say that the filestore has it now
    for (const repository of [filestore, open(server)]) {
      expect((await repository.readIndex()).get('testsite-1')?.is_filestore_uploaded).toBe(true)
    }
    // a source that does not know is put right where the filestore is seen to have it
    const unaware = JSON.parse(await readFile(join(server, 'backup.json'), 'utf8'))
    unaware['testsite-1'].is_filestore_uploaded = false
    await writeFile(join(server, 'backup.json'), JSON.stringify(unaware))
    await rm(vault, { recursive: true })
    expect((await zbd(['copy', 'testsite', 'testsite-1', '--from', 'server', '--to', 'vault'], options)).code).toBe(0)
    expect((await open(vault).readIndex()).get('testsite-1')?.is_filestore_uploaded).toBe(true)
    // and where nothing else is to be done
    const noted = await zbd([...send, '--confirm', 'testsite', '--json'], options)
    expect([noted.code, noted.json.result]).toMatchObject([0, { backups: [{ name: 'testsite-1', outcome: 'same' }] }])
    expect((await open(server).readIndex()).get('testsite-1')?.is_filestore_uploaded).toBe(true)
    const again = await zbd([...send, '--confirm', 'testsite'], options)
    expect([again.code, again.stdout]).toEqual([0, 'Nothing to do: all of it is there.\n'])
    const unknown = await zbd(['copy', 'testsite', 'testsite-6', '--from', 'server', '--to', 'vault', '--json'], options)
    expect([unknown.code, unknown.json.error.code]).toEqual([1, 'unknown-backup'])
    expect((await zbd(['copy', 'testsite', 'testsite-1', '--from', 'vault', '--to', 'vault'], options)).code).toBe(2)
    // what takes the place of another backup is confirmed by name, into the vault too
    const instead = ['copy', 'testsite', 'testsite-1', '--from', 'server', '--to', 'vault', '--replace-other']
    expect((await zbd(instead, options)).code).toBe(2)
    expect((await zbd([...instead, '--confirm', 'testsite'], options)).stdout).toBe('Nothing to do: all of it is there.\n')
    // a slot with a newer backup
    await makeBackup(server, { database: 1000 }, { name: 'testsite-1', timestamp: 1_900_000_000 })
    const older = await zbd(
      ['copy', 'testsite', 'testsite-1', '--from', 'vault', '--to', 'server', '--confirm', 'testsite', '--json'],
      options,
    )
    expect([older.code, older.json.error.code]).toEqual([1, 'plan-not-runnable'])
  })

  it('shows and changes the limit of all transfers', async () => {
    const options = { home: await temporaryFolder() }
    const limit = async (...args: string[]) => {
      const { code, json } = await zbd(['limit', ...args, '--json'], options)
      return [code, json.result ?? json.error.code]
    }
    expect(await limit()).toEqual([0, { transferLimit: null }])
    expect(await limit('2048')).toEqual([0, { transferLimit: 2048 }])
    expect((await zbd(['limit'], options)).stdout).toBe('All together take at most 2.10 MB a second.\n')
    for (const wrong of ['15', '1e3']) expect(await limit(wrong), wrong).toEqual([2, 'wrong-use'])
    expect(await limit()).toEqual([0, { transferLimit: 2048 }])
    expect(await limit('off')).toEqual([0, { transferLimit: null }])
  })

  it('goes on after kill -9 at several places, each time with what was stored', async () => {
    const { options, server, vault, home } = await newSite(null)
    await makeBackup(server, { database: 12 * MIB, config: 1000, files: 3 * MIB })
    // slow enough to be killed in the middle
    await writeFile(join(home, 'settings.json'), JSON.stringify({ version: 1, transferLimit: 5000 }))
    const command = ['copy', 'testsite', 'testsite-1', '--from', 'server', '--to', 'vault', '--json']
    let stored = 0
    for (const wanted of [2, 5, 8].map((mib) => mib * MIB)) {
      const child = spawnZbd(command, options)
      const ended = once(child, 'exit')
      for (let waited = 0; stored < wanted && waited < 6000 && child.exitCode === null; waited += 1) {
        await sleep(10)
        const [part] = await leftIn(vault).catch(() => [])
        stored = part ? (await stat(join(vault, part)).catch(() => ({ size: 0 }))).size : 0
      }
      child.kill('SIGKILL')
      await ended
      expect(stored).toBeGreaterThanOrEqual(wanted)
      expect(await readdir(vault)).not.toContain('backup.json')
    }
    const plan = await zbd([...command, '--plan'], options)
    expect(plan.json.result).toMatchObject({ items: [{ action: 'resume' }] })
    const done = await zbd(command, options)
    expect(done.code).toBe(0)
    expect((done.json.result as { bytes: number }).bytes).toBeLessThan(15 * MIB + 1000 - 7 * MIB)
    const open = (folder: string) => openFolderRepository({ folder, owner: 'server' })
    expect(await contentsOf(open(vault))).toEqual(await contentsOf(open(server)))
    expect(await leftIn(vault)).toEqual([])
  })

  it('lets two computers send the same and different backups to one filestore', async () => {
    const settings = filestoreSettings(s3)
    const one = await newSite(null, settings)
    const two = await newSite(null, settings)
    const names = ['testsite-1', 'testsite-2', 'testsite-3']
    for (const [at, name] of names.entries()) {
      await makeBackup(one.server, { database: 9 * MIB }, { name, timestamp: 1_795_000_000 + at })
    }
    await cp(one.server, two.server, { recursive: true })
    await makeBackup(two.server, { database: MIB }, { name: 'testsite-4', timestamp: 1_795_000_009 })
    const send = ['sync', 'testsite', '--from', 'server', '--to', 'filestore', '--confirm', 'testsite', '--json']
    const runs = await Promise.all([zbd(send, one.options), zbd(send, two.options)])
    expect(runs.map(({ code, stdout }) => [code, stdout.slice(0, 300)])).toEqual([
      [0, expect.anything()],
      [0, expect.anything()],
    ])
    const filestore = await openTestS3(s3, { settings })
    expect([...(await filestore.readIndex()).keys()].sort()).toEqual([...names, 'testsite-4'])
    expect(await contentsOf(filestore)).toEqual(await contentsOf(openFolderRepository({ folder: two.server, owner: 'server' })))
  })

  it('needs no more memory for a larger backup', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'backup-desk-memory-'))
    try {
      const rssOf = async (bytes: number) => {
        const source = join(folder, `source-${bytes}`)
        await makeBackup(source, { database: bytes })
        const transfers = join(folder, 'transfers')
        await mkdir(transfers, { recursive: true })
        const filestore = { kind: 's3', settings: filestoreSettings(s3), secret: s3.secretAccessKey, transfers }
        const back = join(folder, `back-${bytes}`)
        await mkdir(back)
        const go = async (from: object, to: object) => {
          const { stdout } = await run(process.execPath, [CHILD, JSON.stringify({ from, to, name: 'testsite-1' })])
          return (JSON.parse(stdout) as { rss: number }).rss
        }
        const up = await go({ kind: 'folder', folder: source }, filestore)
        const down = await go(filestore, { kind: 'folder', folder: back })
        expect((await readFile(join(back, 'backup.json'))).length).toBeGreaterThan(0)
        await rm(source, { recursive: true })
        await rm(back, { recursive: true })
        return { up, down }
      }
      const small = await rssOf(64 * MIB)
      const large = await rssOf((isHeavy ? 2000 : 200) * MIB)
      expect(large.up - small.up).toBeLessThan(100 * MIB)
      expect(large.down - small.down).toBeLessThan(100 * MIB)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
})
