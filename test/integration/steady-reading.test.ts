import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRateLimit, noRateLimit } from '#engine/foundation/rate-limit.ts'
import type { Patience } from '#engine/foundation/repository/repeating.ts'
import type { S3Repository } from '#engine/foundation/repository/s3/repository.ts'
import { openSftpRepository } from '#engine/foundation/repository/sftp.ts'
import { steadily } from '#engine/foundation/repository/steady.ts'
import type { Repository } from '#engine/foundation/repository/types.ts'
import { missingCeph, startS3, type TestS3 } from '#test/support/ceph.ts'
import { allowed } from '#test/support/patience.ts'
import { openTestS3 } from '#test/support/s3-repository.ts'
import { openTestSsh, type TestSsh } from '#test/support/ssh-connection.ts'
import { type Sshd, startSshd, whyNoSshd } from '#test/support/sshd.ts'
import { startTcpProxy, type TcpProxy } from '#test/support/tcp-proxy.ts'
import { sha256 } from '#test/support/transfers.ts'

const why = missingCeph() ?? whyNoSshd()
if (why) console.error(`SKIPPED test/integration/steady-reading.test.ts: ${why}`)

const MIB = 1 << 20
const NAME = 'testsite-1.tar.gz'
const CONTENT = randomBytes(24 * MIB)
const OTHER = randomBytes(24 * MIB)
/** Long enough for an outage of a second, on a busy machine too. */
const PATIENT: Patience = { stallMs: allowed(500), pausesMs: [100, 200, 400, 800, 1600, 3200, 6400] }
const HASTY: Patience = { stallMs: allowed(300), pausesMs: [20, 20] }

describe.skipIf(why !== null)('reading that goes on', () => {
  let s3: TestS3
  let sshd: Sshd
  let ssh: TestSsh
  let root: string
  const ways: Record<string, TcpProxy> = {}

  beforeAll(async () => {
    ;[s3, sshd] = await Promise.all([startS3(), startSshd()])
    ways.sftp = await startTcpProxy(sshd.port)
    ways.s3 = await startTcpProxy(s3.port)
    ssh = await openTestSsh(sshd, { ports: [ways.sftp.port], keepAliveMs: 500 })
    root = await mkdtemp(join(tmpdir(), 'backup-desk-steady-'))
  })
  afterAll(async () => {
    await ssh?.close()
    for (const way of Object.values(ways)) await way.close()
    await s3?.stop()
    await sshd?.stop()
    await rm(root, { recursive: true, force: true })
  })

  /** A file in a repository that is reached over a line, and how somebody else replaces it. */
  async function remote(kind: string): Promise<{ repository: Repository; version: string; replace(): Promise<unknown> }> {
    const way = wayTo(kind)
    way.accept()
    if (kind === 'sftp') {
      const folder = await mkdtemp(join(root, 'folder-'))
      await mkdir(folder, { recursive: true })
      const put = (content: Buffer) => writeFile(join(folder, NAME), content)
      await put(CONTENT)
      const repository = openSftpRepository({ connection: await ssh.connect(way.port), folder })
      const replace = async () => {
        await put(OTHER)
        // SFTP tells times in seconds
        await utimes(join(folder, NAME), 1_700_000_000, 1_700_000_000)
      }
      return { repository, version: (await repository.stat(NAME))?.version ?? '', replace }
    }
    const settings = { endpoint: `http://127.0.0.1:${way.port}` }
    // its own tries are over long before an outage is
    const repository: S3Repository = await openTestS3(s3, { settings, patience: { stallMs: 60_000, pauseMs: 1 } })
    const put = (Body: Buffer) =>
      s3.client().send(new PutObjectCommand({ Bucket: s3.bucket, Key: repository.connection.keyOf(NAME), Body }))
    await put(CONTENT)
    return { repository, version: (await repository.stat(NAME))?.version ?? '', replace: () => put(OTHER) }
  }

  function wayTo(kind: string): TcpProxy {
    const way = ways[kind]
    if (!way) throw new Error(kind)
    return way
  }

  function steady(repository: Repository, patience: Patience, limit = noRateLimit) {
    const notes: string[] = []
    const stopping = new AbortController()
    const onNote = (text: string) => notes.push(text)
    return { repository: steadily(repository, { signal: stopping.signal, onNote, patience, limit }), notes, stopping }
  }

  /** Nobody answers for a second as soon as so many bytes came. */
  async function outageAfter(way: TcpProxy, bytes: number): Promise<void> {
    await way.cutAfter(bytes)
    way.refuse()
    way.cut()
    await sleep(1000)
    way.accept()
  }

  it.each(['sftp', 's3'])('brings all bytes once through an outage (%s)', async (kind) => {
    const way = wayTo(kind)
    const { repository, version } = await remote(kind)
    const { repository: reading, notes } = steady(repository, { ...PATIENT, stallMs: 60_000 })
    const before = way.moved.down
    const outage = outageAfter(way, 18 * MIB)
    const bytes = await buffer(await reading.read(NAME, { ifVersion: version }))
    await outage
    expect(sha256(bytes)).toBe(sha256(CONTENT))
    expect(notes[0]).toMatch(/^Reading testsite-1\.tar\.gz: .* Trying again in 0\.1 s\.$/)
    // what was on its way when the line was cut comes again, and no more than that
    expect(way.moved.down - before).toBeLessThan(24 * MIB + 14 * MIB)
  })

  it.each(['sftp', 's3'])('notices silence, and goes on over another connection (%s)', async (kind) => {
    const way = wayTo(kind)
    const { repository, version } = await remote(kind)
    const { repository: reading, notes } = steady(repository, PATIENT)
    const stream = await reading.read(NAME, { ifVersion: version, offset: 5, length: 20 * MIB })
    const chunks: Buffer[] = []
    const started = performance.now()
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      if (chunks.length === 0) way.setWeather('swallowed')
      chunks.push(chunk)
    }
    expect(sha256(Buffer.concat(chunks))).toBe(sha256(CONTENT.subarray(5, 20 * MIB + 5)))
    expect(notes.length).toBeGreaterThan(0)
    expect(performance.now() - started).toBeGreaterThan(900)
  })

  it.each(['sftp', 's3'])('takes no more of the line than the limit lets it, and no slowness for silence (%s)', async (kind) => {
    const { repository, version } = await remote(kind)
    const limit = createRateLimit(async () => 2 * MIB)
    const { repository: reading, notes } = steady(repository, HASTY, limit)
    const started = performance.now()
    const bytes = await buffer(await reading.read(NAME, { ifVersion: version, length: 4 * MIB }))
    expect(sha256(bytes)).toBe(sha256(CONTENT.subarray(0, 4 * MIB)))
    // a quarter of a second's worth goes at once
    expect(performance.now() - started).toBeGreaterThan(1500)
    expect(notes).toEqual([])
  })

  it.each(['sftp', 's3'])('does not go on with another file than it began with (%s)', async (kind) => {
    const way = wayTo(kind)
    const { repository, version, replace } = await remote(kind)
    const { repository: reading } = steady(repository, PATIENT)
    const stream = await reading.read(NAME, { ifVersion: version })
    const [first] = await chunksOf(stream, 1)
    expect(first?.equals(CONTENT.subarray(0, first.length))).toBe(true)
    way.refuse()
    way.cut()
    await replace()
    way.accept()
    const read = await buffer(stream).then(({ length }) => `${length} bytes`, codeOf)
    expect(read).toBe('changed-while-reading')
  })

  it.each(['sftp', 's3'])('gives up when a line does not come back, and says so (%s)', async (kind) => {
    const way = wayTo(kind)
    const { repository, version } = await remote(kind)
    const { repository: reading } = steady(repository, HASTY)
    const stream = await reading.read(NAME, { ifVersion: version })
    await chunksOf(stream, 1)
    way.refuse()
    way.cut()
    const error = await buffer(stream).catch((cause) => cause)
    expect(error.code).toMatch(/^(?:connection-lost|host-unreachable|stalled|filestore-unreachable)$/)
    expect(error.message).toMatch(/Reading testsite-1\.tar\.gz was tried 3 times in vain\.$/)
    expect(error.hint).not.toBe('')
    way.accept()
  })

  it('ends with who reads, also while it waits for a line', async () => {
    const { repository, version } = await remote('sftp')
    const { repository: reading, notes } = steady(repository, { stallMs: allowed(200), pausesMs: [1, 1, 1, 1, 1, 1] })
    const stream = await reading.read(NAME, { ifVersion: version })
    stream.on('data', () => {})
    wayTo('sftp').setWeather('swallowed')
    while (notes.length === 0) await sleep(10)
    const told = notes.length
    stream.destroy()
    await sleep(1000)
    expect(notes).toHaveLength(told)
  })

  it('tells at once of what no waiting mends, and is stopped while it waits', async () => {
    const way = wayTo('s3')
    const { repository, version } = await remote('s3')
    const { repository: reading, notes, stopping } = steady(repository, { stallMs: 60_000, pausesMs: [600_000] })
    await expect(reading.read('testsite-2.tar.gz', { ifVersion: 'x' })).rejects.toMatchObject({ code: 'changed-while-reading' })
    await expect(reading.read(NAME, { ifVersion: 'x' })).rejects.toMatchObject({ code: 'changed-while-reading' })
    expect(notes).toEqual([])
    const stream = await reading.read(NAME, { ifVersion: version })
    await chunksOf(stream, 1)
    way.refuse()
    way.cut()
    const ended = buffer(stream).catch((cause) => cause)
    while (notes.length === 0) await sleep(10)
    stopping.abort()
    expect(await ended).toMatchObject({ code: 'cancelled' })
    way.accept()
  })
})

const codeOf = ({ code }: { code?: string }) => code ?? ''

async function chunksOf(stream: Readable, count: number): Promise<Buffer[]> {
  const chunks: Buffer[] = []
  while (chunks.length < count) {
    const chunk: Buffer | null = stream.read()
    if (chunk) chunks.push(chunk)
    else await new Promise((resolve) => stream.once('readable', resolve))
  }
  return chunks
}
