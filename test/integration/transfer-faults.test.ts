import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { RateLimit } from '#engine/foundation/rate-limit.ts'
import { openFolderRepository } from '#engine/foundation/repository/folder.ts'
import { openSftpRepository } from '#engine/foundation/repository/sftp.ts'
import type { Repository } from '#engine/foundation/repository/types.ts'
import { missingCeph, startS3, type TestS3 } from '#test/support/ceph.ts'
import { allowed } from '#test/support/patience.ts'
import { codeOf } from '#test/support/repository-contract.ts'
import { openTestS3 } from '#test/support/s3-repository.ts'
import { openTestSsh, type TestSsh } from '#test/support/ssh-connection.ts'
import { type Sshd, startSshd, whyNoSshd } from '#test/support/sshd.ts'
import { startTcpProxy, type TcpProxy } from '#test/support/tcp-proxy.ts'
import { contentsOf, makeBackup, QUICK, transfer } from '#test/support/transfers.ts'

const run = promisify(execFile)
const why = missingCeph() ?? whyNoSshd()
if (why) console.error(`SKIPPED in transfer-faults.test.ts: ${why}`)

const MIB = 1 << 20
const SIZES = { database: 6 * MIB, config: 3000, files: 3 * MIB }
const ALL = 9 * MIB + 3000
/** What is on its way when a connection is cut, and comes again. */
const AGAIN = 5 * MIB
const isRoot = process.getuid?.() === 0

describe.skipIf(why !== null)('transfers in trouble', () => {
  let s3: TestS3
  let sshd: Sshd
  let sshWay: TcpProxy
  let s3Way: TcpProxy
  let ssh: TestSsh
  let root: string
  let made = 0

  beforeAll(async () => {
    s3 = await startS3()
    sshd = await startSshd()
    sshWay = await startTcpProxy(sshd.port)
    s3Way = await startTcpProxy(s3.port)
    ssh = await openTestSsh(sshd, { ports: [sshWay.port], keepAliveMs: 1000 })
    root = await mkdtemp(join(tmpdir(), 'backup-desk-faults-'))
  })
  afterAll(async () => {
    await ssh?.close()
    await sshWay?.close()
    await s3Way?.close()
    await s3?.stop()
    await sshd?.stop()
    await rm(root, { recursive: true, force: true })
  })

  const newPath = () => {
    made += 1
    return join(root, `folder-${made}`)
  }
  const source = async () => {
    const path = newPath()
    await makeBackup(path, SIZES)
    return openFolderRepository({ folder: path, owner: 'server' })
  }
  const overSsh = async (folder: string) => openSftpRepository({ connection: await ssh.connect(sshWay.port), folder })
  const overS3 = (settings = {}) =>
    openTestS3(s3, {
      settings: { endpoint: `http://127.0.0.1:${s3Way.port}`, ...settings },
      patience: { stallMs: allowed(500), pauseMs: 50 },
    })
  const remote: Record<string, () => Promise<Repository>> = {
    async sftp() {
      const path = newPath()
      await mkdir(path)
      return overSsh(path)
    },
    s3: () => overS3(),
  }
  const wayOf = (kind: string) => (kind === 'sftp' ? sshWay : s3Way)

  // five places up and five down, for each kind
  const places = [0.05, 0.3, 0.55, 0.8, 0.97]
  it.each(['sftp', 's3'].flatMap((kind) => ['up', 'down'].map((way) => [kind, way] as const)))(
    'goes on after cuts at five places (%s, %s), sending little again',
    async (kind, way) => {
      const local = await source()
      const far = (await remote[kind]?.()) as Repository
      const near = openFolderRepository({ folder: newPath(), owner: 'home', create: true })
      if (way === 'down') await transfer(local, far, 'testsite-1')
      const [from, to] = way === 'up' ? [local, far] : [far, near]
      const proxy = wayOf(kind)
      const cuts = [...places]
      let progress = 0
      const positions = new Map<string, number>()
      const onProgress = (part: string, position: number) => {
        positions.set(part, position)
        progress = [...positions.values()].reduce((sum, bytes) => sum + bytes, 0)
        if (cuts.length > 0 && progress >= (cuts[0] ?? 1) * ALL) {
          cuts.shift()
          proxy.setReset(cuts.length % 2 === 0)
          proxy.cut()
        }
      }
      const { sent } = await transfer(from, to, 'testsite-1', { onProgress })
      proxy.setReset(false)
      expect(cuts).toEqual([])
      expect(sent).toBeLessThan(ALL + places.length * AGAIN)
      expect(await contentsOf(to)).toEqual(await contentsOf(local))
      expect([...(await to.readIndex())]).toEqual([...(await local.readIndex())])
    },
  )

  it.each(['sftp', 's3'])('notices that nothing moves any more (%s) and goes on', async (kind) => {
    const local = await source()
    const far = (await remote[kind]?.()) as Repository
    await transfer(local, far, 'testsite-1')
    const near = openFolderRepository({ folder: newPath(), owner: 'home', create: true })
    let isStalled = false
    const onProgress = (_part: string, position: number) => {
      if (isStalled || position < 2 * MIB) return
      isStalled = true
      wayOf(kind).setWeather('swallowed')
    }
    const started = performance.now()
    const { notes } = await transfer(far, near, 'testsite-1', { onProgress })
    expect(performance.now() - started).toBeLessThan(allowed(15_000))
    expect(isStalled).toBe(true)
    if (kind === 'sftp') expect(notes.join()).toMatch(/nothing for|connection/i)
    expect(await contentsOf(near)).toEqual(await contentsOf(local))
  })

  it('waits out a server that is down for a moment, and gives up on one that stays down', async () => {
    const local = await source()
    const far = await overS3()
    let isDown = false
    const onProgress = (_part: string, position: number) => {
      if (isDown || position < 2 * MIB) return
      isDown = true
      void s3.outage(500)
    }
    await transfer(local, far, 'testsite-1', { onProgress, patience: { ...QUICK, pausesMs: [500, 1000, 2000, 4000] } })
    expect(isDown).toBe(true)
    expect(await contentsOf(far)).toEqual(await contentsOf(local))
    const near = openFolderRepository({ folder: newPath(), owner: 'home', create: true })
    await s3.stopGateway()
    const code = await codeOf(transferFromGone(far, near))
    await s3.startGateway()
    expect(code).toBe('filestore-unreachable')
    await transfer(far, near, 'testsite-1')
    expect(await contentsOf(near)).toEqual(await contentsOf(local))
  })

  /** The index cannot even be read. */
  async function transferFromGone(from: Repository, to: Repository): Promise<unknown> {
    return transfer(
      { ...from, readIndex: async () => new Map([['testsite-1', { timestamp: 1_795_000_000, database: 'testsite-1.sql.gz' }]]) },
      to,
      'testsite-1',
      // the tries of the connection itself take seconds already
      { patience: { ...QUICK, pausesMs: [20] } },
    )
  }

  it('does not take an object that was replaced while it was read', async () => {
    const local = await source()
    const far = await overS3()
    await transfer(local, far, 'testsite-1')
    const near = openFolderRepository({ folder: newPath(), owner: 'home', create: true })
    const other = newPath()
    await makeBackup(other, SIZES, { timestamp: 1_795_100_000 })
    let replacing: Promise<void> | null = null
    const limit: RateLimit = {
      pieceBytes: () => MIB,
      take() {
        replacing ??= transfer(openFolderRepository({ folder: other, owner: 'server' }), far, 'testsite-1').then(() => {})
        return replacing
      },
    }
    const code = await codeOf(transfer(far, near, 'testsite-1', { limit, patience: { ...QUICK, stallMs: 20_000 } }))
    expect(code).toBe('changed-while-reading')
    expect([...(await near.readIndex())]).toEqual([])
    await transfer(far, near, 'testsite-1')
    expect((await near.readIndex()).get('testsite-1')?.timestamp).toBe(1_795_100_000)
  })

  it.skipIf(!isRoot)('leaves a server whose disk is full as it was, without our parts', async () => {
    const disk = newPath()
    await mkdir(disk)
    await run('mount', ['-t', 'tmpfs', '-o', 'size=5m', 'tmpfs', disk])
    onTestFinished(async () => {
      await run('umount', ['-l', disk])
    })
    await makeBackup(disk, { database: 1000 }, { timestamp: 1_700_000_000 })
    const before = await readFile(join(disk, 'backup.json'), 'utf8')
    const local = await source()
    for (const to of [await overSsh(disk), openFolderRepository({ folder: disk, owner: 'server' })]) {
      expect(await codeOf(transfer(local, to, 'testsite-1'))).toMatch(/disk-full|ENOSPC/)
      expect(await readFile(join(disk, 'backup.json'), 'utf8')).toBe(before)
      const { stdout } = await run('ls', ['-A', disk])
      expect(stdout).not.toContain('.part')
    }
  })

  it('keeps what was there when a file may not be read any more, and does not try that again', async () => {
    const local = await source()
    const near = openFolderRepository({ folder: newPath(), owner: 'home', create: true })
    const path = join(local.folder, 'testsite-1.tar.gz')
    if (isRoot) {
      // nothing is forbidden to root: a folder in its place can't be read either
      await rm(path)
      await mkdir(path)
    } else await chmod(path, 0)
    const failure = await transfer(local, near, 'testsite-1').catch((error) => error)
    expect(failure.code).toMatch(/backup-incomplete|no-permission|EACCES/)
    expect(failure.notes).toEqual([])
    expect([...(await near.readIndex())]).toEqual([])
  })

  it('lets two write to the same server one after the other, and both entries are there', async () => {
    const path = newPath()
    await mkdir(path)
    const one = newPath()
    const two = newPath()
    await makeBackup(one, { database: 2 * MIB }, { name: 'testsite-1' })
    await makeBackup(two, { database: 2 * MIB }, { name: 'testsite-2' })
    const open = (folder: string) => openFolderRepository({ folder, owner: 'server' })
    const direct = openSftpRepository({ connection: await ssh.connect(), folder: path })
    await Promise.all([
      transfer(open(one), await overSsh(path), 'testsite-1'),
      transfer(open(two), direct, 'testsite-2'),
      (async () => {
        // the server itself, which knows no lease
        await sleep(100)
        await makeBackup(path, { database: 1000 }, { name: 'testsite-5' })
      })(),
    ])
    expect([...(await direct.readIndex()).keys()].sort()).toEqual(['testsite-1', 'testsite-2', 'testsite-5'])
  })

  it('takes a truncated object for what it is', async () => {
    const local = await source()
    const path = join(local.folder, 'testsite-1.sql.gz')
    const bytes = await readFile(path)
    await writeFile(path, bytes.subarray(0, 4 * MIB))
    const far = await overS3()
    expect(await codeOf(transfer(local, far, 'testsite-1'))).toBe('hash-differs')
    expect([...(await far.readIndex())]).toEqual([])
    expect((await far.list()).map(({ name }) => name)).toEqual([])
  })
})
