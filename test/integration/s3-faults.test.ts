import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { ListMultipartUploadsCommand, PutBucketPolicyCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { S3Repository } from '#engine/foundation/repository/s3/repository.ts'
import type { IncomingSlot } from '#engine/foundation/repository/types.ts'
import { type S3User, startS3, type TestS3 } from '#test/support/ceph.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { type Fault, type HttpFaultProxy, startHttpFaultProxy } from '#test/support/http-fault-proxy.ts'
import { codeOf } from '#test/support/repository-contract.ts'
import { filestoreSettings, openTestS3, type S3RepositoryTestOptions } from '#test/support/s3-repository.ts'
import { expectWhole, hashesOf, incomingOf, pieces, sendPart, storeBackup } from '#test/support/slot-contract.ts'
import { contentOf, hashOf, SLOT_KINDS } from '#test/support/slots.ts'
import { startTcpProxy } from '#test/support/tcp-proxy.ts'

const MiB = 1024 * 1024
const never = new AbortController().signal
/** More than two ranges, more than two parts. */
const large = randomBytes(20 * MiB + 77)

let s3: TestS3
let proxy: HttpFaultProxy

beforeAll(async () => {
  s3 = await startS3()
  proxy = await startHttpFaultProxy(s3.port)
})
afterEach(() => {
  proxy.clear()
  vi.useRealTimers()
})
afterAll(async () => {
  await proxy?.close()
  await s3?.stop()
})

/** A stall is noticed after a second. */
const quick = { stallMs: 1000, pauseMs: 10 }

/** A filestore behind the proxy. */
function open(options: S3RepositoryTestOptions = {}): Promise<S3Repository> {
  return openTestS3(s3, { patience: quick, ...options, settings: { endpoint: proxy.endpoint, ...options.settings } })
}

const behindProxy = () => filestoreSettings(s3, { endpoint: proxy.endpoint })

function putForeign(repository: S3Repository, name: string, content: string | Buffer): Promise<unknown> {
  const object = { Bucket: s3.bucket, Key: repository.connection.keyOf(name) }
  return s3.client().send(new PutObjectCommand({ ...object, Body: Buffer.from(content) }))
}

async function uploadsOf(repository: S3Repository): Promise<string[]> {
  const listed = await s3
    .client()
    .send(new ListMultipartUploadsCommand({ Bucket: s3.bucket, Prefix: repository.connection.keyOf('') }))
  return (listed.Uploads ?? []).map(({ Key }) => Key ?? '')
}

const isGet = ({ method, path }: { method: string; path: string }) => method === 'GET' && path.includes('large')
const isPart = ({ method, path }: { method: string; path: string }) => method === 'PUT' && path.includes('partNumber=')

describe('reading from a filestore', () => {
  const passing: [string, Fault, number][] = [
    ['500 three times', { kind: 'error', status: 500, code: 'InternalError' }, 3],
    ['503 SlowDown three times', { kind: 'error', status: 503, code: 'SlowDown' }, 3],
    ['a reset at the start', { kind: 'reset-answer', after: 1 }, 2],
    ['resets within every range', { kind: 'reset-answer', after: 3 * MiB }, 6],
    ['a stall', { kind: 'stall', after: 2 * MiB }, 1],
    ['an answer that was cut', { kind: 'truncate', to: 5000 }, 2],
  ]
  it.each(passing)('gets all bytes in spite of %s', async (_, fault, times) => {
    const repository = await open()
    await putForeign(repository, 'large.gz', large)
    proxy.add({ fault, when: isGet, times })
    const read = await buffer(await repository.read('large.gz'))
    expect(read.equals(large)).toBe(true)
    // each fault struck: the three ranges alone are three requests
    expect(
      proxy.requests.filter((line) => line.startsWith('GET') && line.includes(repository.connection.keyOf('large'))).length,
    ).toBe(3 + times)
  })

  it('never takes a part of a file for the whole one', async () => {
    const repository = await open()
    await putForeign(repository, 'large.gz', large)
    proxy.add({ fault: { kind: 'truncate', to: 0 }, when: isGet, times: 100 })
    const read = async () => buffer(await repository.read('large.gz'))
    expect(await codeOf(read())).toBe('filestore-unreachable')
  })

  it('notices that an object is replaced while it is read', async () => {
    const repository = await open()
    await putForeign(repository, 'large.gz', large)
    const { version } = (await repository.stat('large.gz')) ?? { version: '' }
    const other = randomBytes(large.length)
    let asked = 0
    const isLater = (seen: { method: string; path: string }) => isGet(seen) && ++asked > 1
    proxy.add({ fault: { kind: 'first', action: () => putForeign(repository, 'large.gz', other) }, when: isLater })
    const read = async () => buffer(await repository.read('large.gz', { ifVersion: version }))
    expect(await codeOf(read())).toBe('changed-while-reading')
  })

  it('notices a wrong ETag', async () => {
    const repository = await open()
    await putForeign(repository, 'large.gz', large)
    proxy.add({ fault: { kind: 'headers', headers: { etag: '"0123456789abcdef0123456789abcdef"' } }, when: isGet })
    const read = async () => buffer(await repository.read('large.gz'))
    expect(await codeOf(read())).toBe('changed-while-reading')
  })

  it('reads empty files, ends of files and nothing behind them', async () => {
    const repository = await open()
    await putForeign(repository, 'empty.gz', '')
    await putForeign(repository, 'large.gz', large)
    expect((await buffer(await repository.read('empty.gz'))).length).toBe(0)
    expect((await buffer(await repository.read('large.gz', { offset: large.length }))).length).toBe(0)
    expect((await buffer(await repository.read('large.gz', { offset: large.length - 3 }))).equals(large.subarray(-3))).toBe(true)
    const middle = { offset: 8 * MiB - 5, length: 9 * MiB }
    const read = await buffer(await repository.read('large.gz', middle))
    expect(read.equals(large.subarray(middle.offset, middle.offset + middle.length))).toBe(true)
    expect(await codeOf(repository.read('none.gz'))).toBe('not-found')
  })

  it('stops at once when asked to, also while nothing comes', async () => {
    const repository = await open({ patience: { ...quick, stallMs: 20_000 } })
    await putForeign(repository, 'large.gz', large)
    proxy.add({ fault: { kind: 'stall', after: 1000 }, when: isGet, times: 10 })
    const abort = new AbortController()
    const stream = await repository.read('large.gz', { signal: abort.signal })
    const began = performance.now()
    setTimeout(() => abort.abort(), 100)
    await expect(buffer(stream)).rejects.toThrow()
    expect(performance.now() - began).toBeLessThan(3000)
  })
})

/** One part of 20 MiB: three pieces. */
function incoming(): IncomingSlot {
  return { ...incomingOf('large'), parts: [{ kind: 'database', size: large.length }] }
}
const hashes = { database: hashOf(large) }

describe('writing to a filestore', () => {
  const passing: [string, Fault, number][] = [
    ['500', { kind: 'error', status: 500, code: 'InternalError' }, 3],
    ['503 SlowDown', { kind: 'error', status: 503, code: 'SlowDown' }, 3],
    ['resets within the parts', { kind: 'reset-request', after: MiB }, 3],
    ['answers that are lost', { kind: 'lost-answer' }, 3],
    ['bytes that are altered on their way', { kind: 'corrupt-request' }, 2],
  ]
  it.each(passing)('stores all bytes in spite of %s', async (_, fault, times) => {
    const repository = await open()
    const lease = await repository.lease()
    const slot = await repository.openSlot(incoming())
    proxy.add({ fault, when: isPart, times })
    await slot.write('database', Readable.from(pieces(large, MiB)), 0, never)
    await slot.putInPlace(hashes, never)
    await lease.release()
    expect((await buffer(await repository.read('testsite-1.sql.gz'))).equals(large)).toBe(true)
    expect(await uploadsOf(repository)).toEqual([])
  })

  it('puts in place once, also when the answer to that is lost', async () => {
    const repository = await open()
    const lease = await repository.lease()
    const slot = await repository.openSlot(incoming())
    await slot.write('database', Readable.from(pieces(large, MiB)), 0, never)
    const isComplete = ({ method, path }: { method: string; path: string }) => method === 'POST' && path.includes('uploadId=')
    proxy.add({ fault: { kind: 'lost-answer' }, when: isComplete })
    proxy.add({ fault: { kind: 'error', status: 404, code: 'NoSuchUpload' }, when: isComplete })
    const isIndex = ({ method, path }: { method: string; path: string }) => method === 'PUT' && path.includes('backup.json')
    proxy.add({ fault: { kind: 'lost-answer' }, when: isIndex })
    expect(await slot.putInPlace(hashes, never)).toMatchObject({ timestamp: 2000, database_hash: hashes.database })
    await lease.release()
    expect((await buffer(await repository.read('testsite-1.sql.gz'))).equals(large)).toBe(true)
  })

  it('goes on after an outage in mid upload, and sends nothing again that the server has', async () => {
    const settings = behindProxy()
    const transfers = await temporaryFolder()
    const repository = await open({ settings, transfers })
    const lease = await repository.lease()
    const slot = await repository.openSlot(incoming())
    const broken = Readable.from(
      (async function* () {
        yield* pieces(large.subarray(0, 17 * MiB), MiB)
        while ((await slot.storedBytes('database')) < 16 * MiB) await new Promise((resolve) => setTimeout(resolve, 50))
        await s3.stopGateway()
        yield* pieces(large.subarray(17 * MiB), MiB)
      })(),
    )
    expect(await codeOf(slot.write('database', broken, 0, never))).toBe('filestore-unreachable')
    await s3.startGateway()
    await lease.release()

    const second = await open({ settings, transfers })
    const again = await second.lease()
    const resumed = await second.openSlot(incoming())
    expect(await resumed.storedBytes('database')).toBe(16 * MiB)
    const before = proxy.requests.filter((line) => line.includes('partNumber=')).length
    let skipped = 0
    await resumed.write('database', Readable.from(pieces(large, MiB)), 0, never, (bytes) => {
      skipped += bytes
    })
    expect(skipped).toBe(16 * MiB)
    expect(proxy.requests.filter((line) => line.includes('partNumber=')).length - before).toBe(1)
    await resumed.putInPlace(hashes, never)
    await again.release()
    expect((await buffer(await second.read('testsite-1.sql.gz'))).equals(large)).toBe(true)
  })

  it('sends again what was kept but is not what the source has', async () => {
    const repository = await open()
    const lease = await repository.lease()
    const other = Buffer.from(large)
    other[9 * MiB] = (other[9 * MiB] ?? 0) ^ 1
    await (await repository.openSlot(incoming())).write('database', Readable.from(pieces(other, MiB)), 0, never)
    const slot = await repository.openSlot(incoming())
    let skipped = 0
    await slot.write('database', Readable.from(pieces(large, MiB)), 0, never, (bytes) => {
      skipped += bytes
    })
    expect(skipped).toBe(large.length - 8 * MiB)
    await slot.putInPlace(hashes, never)
    await lease.release()
    expect((await buffer(await repository.read('testsite-1.sql.gz'))).equals(large)).toBe(true)
  })

  it('leaves no uploads behind what is given up, cancelled or not what was announced', async () => {
    const repository = await open()
    const slot = await repository.openSlot(incoming())
    await slot.write('database', Readable.from(pieces(large, MiB)), 0, never)
    expect((await uploadsOf(repository)).length).toBe(1)
    await slot.discard()
    expect(await uploadsOf(repository)).toEqual([])

    const abort = new AbortController()
    const endless = Readable.from(
      (async function* () {
        yield* pieces(large, MiB)
        abort.abort()
        await new Promise(() => {})
      })(),
    )
    await expect(repository.put('a.gz', endless, { signal: abort.signal })).rejects.toThrow()
    const differing = repository.put('a.gz', Readable.from(pieces(large, MiB)), { sha256: hashOf(Buffer.from('other')) })
    expect(await codeOf(differing)).toBe('hash-differs')
    expect(await uploadsOf(repository)).toEqual([])
    expect(await repository.list()).toEqual([])
    await repository.put('a.gz', Readable.from(pieces(large, MiB)), { sha256: hashOf(large), ifAbsent: true })
    expect((await buffer(await repository.read('a.gz'))).equals(large)).toBe(true)
    expect(await codeOf(repository.put('a.gz', Readable.from(pieces(large, MiB)), { ifAbsent: true }))).toBe('exists')
  })

  it('is finished by the next program when it breaks off between the parts', async () => {
    const settings = behindProxy()
    const transfers = await temporaryFolder()
    const repository = await open({ settings, transfers })
    await storeBackup(repository, 'old', { timestamp: 1000, isEncrypted: true })
    const lease = await repository.lease()
    const slot = await repository.openSlot(incomingOf('new'))
    for (const kind of SLOT_KINDS) await sendPart(slot, kind, contentOf('new', kind))
    const isConfig = ({ method, path }: { method: string; path: string }) =>
      method === 'POST' && path.includes('uploadId=') && path.includes('config-')
    proxy.add({ fault: { kind: 'error', status: 500, code: 'InternalError' }, when: isConfig, times: 5 })
    expect(await codeOf(slot.putInPlace(hashesOf('new'), never))).toBe('slot-index-pending')
    expect((await repository.readIndex()).get('testsite-1')?.timestamp).toBe(1000)
    await lease.release()

    const second = await open({ settings, transfers })
    await (await second.lease()).release()
    await expectWhole(second, 'new')
    expect((await second.list()).map(({ name }) => name).filter((name) => name.endsWith('.enc'))).toEqual([])
    expect(await uploadsOf(second)).toEqual([])
  })

  it('keeps what a server writes into the index at the same moment', async () => {
    const repository = await open()
    await repository.updateIndex((index) => index.set('a-1', { timestamp: 1 }))
    const isIndex = ({ method, path }: { method: string; path: string }) => method === 'PUT' && path.includes('backup.json')
    const byServer = () => putForeign(repository, 'backup.json', '{"a-1":{"timestamp":1},"a-2":{"timestamp":2}}')
    proxy.add({ fault: { kind: 'first', action: byServer }, when: isIndex })
    await repository.updateIndex((index) => index.set('a-3', { timestamp: 3 }))
    expect([...(await repository.readIndex()).keys()]).toEqual(['a-1', 'a-2', 'a-3'])
  })

  it('gives up an index that never rests', async () => {
    const repository = await open()
    let writes = 0
    const byServer = () => putForeign(repository, 'backup.json', `{"a-${++writes}":{"timestamp":1}}`)
    const isIndex = ({ method, path }: { method: string; path: string }) => method === 'PUT' && path.includes('backup.json')
    proxy.add({ fault: { kind: 'first', action: byServer }, when: isIndex, times: 100 })
    expect(await codeOf(repository.updateIndex((index) => index.set('a-0', { timestamp: 3 })))).toBe('index-busy')
    expect([...(await repository.readIndex()).keys()]).toEqual([`a-${writes}`])
  })
})

describe('the lease of a filestore', () => {
  it('is taken over from one that is dead by the server’s clock, and told by whom it is held before', async () => {
    const repository = await open({ leaseWaitMs: 300 })
    const since = new Date().toISOString()
    const owner = { token: 'other', host: 'desk-2', machine: null, pid: 1, start: null, since }
    await putForeign(repository, '.backup-desk.lease', JSON.stringify(owner))
    await expect(repository.lease()).rejects.toMatchObject({ code: 'repository-busy', details: { host: 'desk-2' } })
    const later = new Date(Date.now() + 100_000).toUTCString()
    proxy.add({ fault: { kind: 'headers', headers: { date: later } }, times: 1000 })
    const lease = await repository.lease()
    proxy.clear()
    expect(await repository.list()).toEqual([])
    await lease.release()
  })

  it('notices that it was lost, before anything is put in place', async () => {
    const repository = await open()
    const lease = await repository.lease()
    const slot = await repository.openSlot(incomingOf('new'))
    for (const kind of SLOT_KINDS) await sendPart(slot, kind, contentOf('new', kind))
    await putForeign(repository, '.backup-desk.lease', '{"token":"other"}')
    expect(await codeOf(slot.putInPlace(hashesOf('new'), never))).toBe('lease-lost')
    expect(await codeOf(repository.updateIndex((index) => index.clear()))).toBe('lease-lost')
    await lease.release()
    expect(await repository.list()).toEqual([])
    expect(String(await buffer(await repository.read('.backup-desk.lease')))).toBe('{"token":"other"}')
  })

  it('lets one in at a time where the server knows no conditions', async () => {
    const settings = behindProxy()
    const client = s3.client()
    const putAnyway = async (path: string, Body: Buffer) => {
      const Key = path.replace(/^\/[^/]*\//, '').replace(/\?.*$/, '')
      const { ETag } = await client.send(new PutObjectCommand({ Bucket: s3.bucket, Key, Body }))
      return { status: 200, headers: { etag: ETag ?? '' } }
    }
    const isConditional = ({ headers }: { headers: Record<string, unknown> }) =>
      headers['if-none-match'] !== undefined || headers['if-match'] !== undefined
    const isPut = (seen: { method: string; headers: Record<string, unknown> }) => seen.method === 'PUT' && isConditional(seen)
    proxy.add({ fault: { kind: 'answer', by: putAnyway }, when: isPut, times: 10_000 })
    let inside = 0
    let most = 0
    await Promise.all(
      [0, 1, 2].map(async (at) => {
        // three computers: nothing of one is known to the other
        const repository = await open({ settings: { ...settings, region: `region-${at}` } })
        const turn = await repository.lease()
        inside += 1
        most = Math.max(most, inside)
        await repository.updateIndex((index) => index.set(`a-${at}`, { timestamp: at }))
        inside -= 1
        await turn.release()
        expect(repository.capabilities.conditionalPut).toBe(false)
      }),
    )
    expect(most).toBe(1)
    expect((await (await open({ settings })).readIndex()).size).toBe(3)
  })
})

describe('a filestore that says no', () => {
  it.each<[string, S3RepositoryTestOptions & { secret?: string }, string]>([
    ['a wrong secret key', { secret: 'wrong' }, 'filestore-credentials'],
    ['an unknown access key', { settings: { accessKeyId: 'UNKNOWN' } }, 'filestore-credentials'],
    ['an unknown bucket', { settings: { bucket: 'no-such-bucket' } }, 'bucket-unknown'],
    ['a host that does not exist', { settings: { endpoint: 'http://filestore.invalid' } }, 'filestore-unreachable'],
    ['TLS where there is none', { settings: { endpoint: 'https' } }, 'filestore-certificate'],
  ])('is told in plain words: %s', async (_, { secret, ...options }, code) => {
    if (options.settings?.endpoint === 'https') options.settings.endpoint = s3.endpoint.replace('http:', 'https:')
    const user: S3User = { ...s3, ...(secret ? { secretAccessKey: secret } : {}) }
    const repository = await open({ user, ...options })
    const failure = await repository.list().catch((error: unknown) => error)
    expect(failure).toMatchObject({ code })
    expect(JSON.stringify([failure, String(failure)])).not.toContain(user.secretAccessKey)
  })

  it('refuses when this computer’s clock is wrong, each time', async () => {
    const repository = await open()
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 20 * 60_000 })
    expect(await codeOf(repository.list())).toBe('filestore-clock')
    expect(await codeOf(repository.list())).toBe('filestore-clock')
    vi.useRealTimers()
    expect(await repository.list()).toEqual([])
  })

  it('tells which right is missing, and needs none to delete', async () => {
    const user = await s3.addUser('limited')
    const settings = filestoreSettings(s3, { accessKeyId: user.accessKeyId })
    const repository = await open({ user, settings })
    await expect(repository.list()).rejects.toMatchObject({ code: 'filestore-forbidden', message: /list the backups/ })
    const allowed = ['s3:ListBucket', 's3:GetObject', 's3:PutObject', 's3:ListMultipartUploadParts', 's3:AbortMultipartUpload']
    const Policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Principal: { AWS: [user.arn] },
          Action: allowed,
          Resource: [`arn:aws:s3:::${s3.bucket}`, `arn:aws:s3:::${s3.bucket}/*`],
        },
      ],
    })
    await s3.client().send(new PutBucketPolicyCommand({ Bucket: s3.bucket, Policy }))
    await storeBackup(repository, 'old', { timestamp: 1000, isEncrypted: true })
    await storeBackup(repository, 'new')
    await expectWhole(repository, 'new')
    // the encrypted files of the old one stay: nobody may delete them
    expect((await repository.list()).length).toBe(1 + 2 * SLOT_KINDS.length)
    const began = performance.now()
    await (await repository.lease()).release()
    expect(performance.now() - began).toBeLessThan(10_000)
    await expect(repository.remove('testsite-1.sql.gz.enc')).rejects.toMatchObject({ code: 'filestore-forbidden' })
  })
})

describe('a filestore far away', () => {
  it('lists 500 backups within 2 s when all bytes take 50 ms', async () => {
    const settings = filestoreSettings(s3)
    const near = await openTestS3(s3, { settings })
    const index: Record<string, unknown> = {}
    const names: string[] = []
    for (let at = 0; at < 500; at += 1) {
      const name = `testsite${at}-1`
      const files = [`${name}.sql.gz`, `config-${name}.tar.gz`, `${name}.tar.gz`]
      index[name] = { timestamp: 1_700_000_000 + at, database: files[0], config_files: files[1], files: files[2] }
      names.push(...files)
    }
    const client = s3.client()
    const put = (name: string, Body: string) =>
      client.send(new PutObjectCommand({ Bucket: s3.bucket, Key: near.connection.keyOf(name), Body }))
    await put('backup.json', JSON.stringify(index))
    for (let at = 0; at < names.length; at += 30) await Promise.all(names.slice(at, at + 30).map((name) => put(name, 'content')))
    const far = await startTcpProxy(s3.port, { delayMs: 50 })
    try {
      const repository = await openTestS3(s3, { settings: { ...settings, endpoint: `http://127.0.0.1:${far.port}` } })
      const began = performance.now()
      const [entries, files] = [await repository.readIndex(), await repository.list()]
      const seconds = (performance.now() - began) / 1000
      expect([entries.size, files.length]).toEqual([500, 1501])
      expect(seconds).toBeLessThan(2)
    } finally {
      await far.close()
    }
  })
})
