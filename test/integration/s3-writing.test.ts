import { randomBytes } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { ListMultipartUploadsCommand, UploadPartCommand } from '@aws-sdk/client-s3'
import { describe, expect, it } from 'vitest'
import { createUpload } from '#engine/foundation/repository/s3/multipart.ts'
import { openPutRecords } from '#engine/foundation/repository/s3/put-record.ts'
import { storeIdOf } from '#engine/foundation/repository/s3/upload-record.ts'
import type { IncomingSlot } from '#engine/foundation/repository/types.ts'
import { faultyS3 } from '#test/support/faulty-s3.ts'
import { temporaryFolder } from '#test/support/home.ts'
import type { Fault } from '#test/support/http-fault-proxy.ts'
import { codeOf } from '#test/support/repository-contract.ts'
import { expectWhole, hashesOf, incomingOf, pieces, sendPart, storeBackup } from '#test/support/slot-contract.ts'
import { contentOf, hashOf, SLOT_KINDS } from '#test/support/slots.ts'

const MiB = 1024 * 1024
const never = new AbortController().signal
/** More than two ranges, more than two parts. */
const large = randomBytes(20 * MiB + 77)

const isPart = ({ method, path }: { method: string; path: string }) => method === 'PUT' && path.includes('partNumber=')
const s3 = faultyS3()

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
    const repository = await s3.open()
    const lease = await repository.lease()
    const slot = await repository.openSlot(incoming())
    s3.proxy.add({ fault, when: isPart, times })
    await slot.write('database', Readable.from(pieces(large, MiB)), 0, never)
    await slot.putInPlace(hashes, never)
    await lease.release()
    expect((await buffer(await repository.read('testsite-1.sql.gz'))).equals(large)).toBe(true)
    expect(await s3.uploadsOf(repository)).toEqual([])
  })

  it('puts in place once, also when the answer to that is lost', async () => {
    const repository = await s3.open()
    const lease = await repository.lease()
    const slot = await repository.openSlot(incoming())
    await slot.write('database', Readable.from(pieces(large, MiB)), 0, never)
    const isComplete = ({ method, path }: { method: string; path: string }) => method === 'POST' && path.includes('uploadId=')
    s3.proxy.add({ fault: { kind: 'lost-answer' }, when: isComplete })
    s3.proxy.add({ fault: { kind: 'error', status: 404, code: 'NoSuchUpload' }, when: isComplete })
    const isIndex = ({ method, path }: { method: string; path: string }) => method === 'PUT' && path.includes('backup.json')
    s3.proxy.add({ fault: { kind: 'lost-answer' }, when: isIndex })
    expect(await slot.putInPlace(hashes, never)).toMatchObject({ timestamp: 2000, database_hash: hashes.database })
    await lease.release()
    expect((await buffer(await repository.read('testsite-1.sql.gz'))).equals(large)).toBe(true)
  })

  it('knows what it put itself when the answer to that was lost', async () => {
    const repository = await s3.open()
    // learns whether the server knows conditions
    await (await repository.lease()).release()
    s3.proxy.add({ fault: { kind: 'lost-answer' }, when: ({ method, path }) => method === 'PUT' && path.includes('a.gz') })
    await repository.put('a.gz', Readable.from(['content']), { ifAbsent: true })
    expect(await codeOf(repository.put('a.gz', Readable.from(['content']), { ifAbsent: true }))).toBe('exists')
  })

  it('goes on after an outage in mid upload, and sends nothing again that the server has', async () => {
    const settings = s3.settings()
    const transfers = await temporaryFolder()
    const repository = await s3.open({ settings, transfers })
    const lease = await repository.lease()
    const slot = await repository.openSlot(incoming())
    const broken = Readable.from(
      (async function* () {
        yield* pieces(large.subarray(0, 17 * MiB), MiB)
        while ((await slot.storedBytes('database')) < 16 * MiB) await new Promise((resolve) => setTimeout(resolve, 50))
        await s3.server.stopGateway()
        yield* pieces(large.subarray(17 * MiB), MiB)
      })(),
    )
    expect(await codeOf(slot.write('database', broken, 0, never))).toBe('filestore-unreachable')
    await s3.server.startGateway()
    await lease.release()

    const second = await s3.open({ settings, transfers })
    const again = await second.lease()
    const resumed = await second.openSlot(incoming())
    expect(await resumed.storedBytes('database')).toBe(16 * MiB)
    const before = s3.proxy.requests.filter((line) => line.includes('partNumber=')).length
    let skipped = 0
    await resumed.write('database', Readable.from(pieces(large, MiB)), 0, never, {
      onSkipped: (bytes) => {
        skipped += bytes
      },
    })
    expect(skipped).toBe(16 * MiB)
    expect(s3.proxy.requests.filter((line) => line.includes('partNumber=')).length - before).toBe(1)
    await resumed.putInPlace(hashes, never)
    await again.release()
    expect((await buffer(await second.read('testsite-1.sql.gz'))).equals(large)).toBe(true)
  })

  it('sends again what was kept but is not what the source has', async () => {
    const repository = await s3.open()
    const lease = await repository.lease()
    const other = Buffer.from(large)
    other[9 * MiB] = (other[9 * MiB] ?? 0) ^ 1
    await (await repository.openSlot(incoming())).write('database', Readable.from(pieces(other, MiB)), 0, never)
    const slot = await repository.openSlot(incoming())
    let skipped = 0
    await slot.write('database', Readable.from(pieces(large, MiB)), 0, never, {
      onSkipped: (bytes) => {
        skipped += bytes
      },
    })
    expect(skipped).toBe(large.length - 8 * MiB)
    await slot.putInPlace(hashes, never)
    await lease.release()
    expect((await buffer(await repository.read('testsite-1.sql.gz'))).equals(large)).toBe(true)
  })

  it('leaves no uploads behind what is given up, cancelled or not what was announced', async () => {
    const repository = await s3.open()
    const slot = await repository.openSlot(incoming())
    await slot.write('database', Readable.from(pieces(large, MiB)), 0, never)
    expect((await s3.uploadsOf(repository)).length).toBe(1)
    await slot.discard()
    expect(await s3.uploadsOf(repository)).toEqual([])

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
    expect(await s3.uploadsOf(repository)).toEqual([])
    expect(await repository.list()).toEqual([])
    await repository.put('a.gz', Readable.from(pieces(large, MiB)), { sha256: hashOf(large), ifAbsent: true })
    expect((await buffer(await repository.read('a.gz'))).equals(large)).toBe(true)
    expect(await codeOf(repository.put('a.gz', Readable.from(pieces(large, MiB)), { ifAbsent: true }))).toBe('exists')
  })

  it('leaves no upload behind that could not be written down', async () => {
    const transfers = join(await temporaryFolder(), 'transfers')
    const repository = await s3.open({ transfers })
    const slot = await repository.openSlot(incoming())
    await writeFile(transfers, 'a file where the folder should be')
    await expect(slot.write('database', Readable.from(pieces(large, MiB)), 0, never)).rejects.toThrow()
    expect(await s3.uploadsOf(repository)).toEqual([])
  })

  it('puts nothing in place that became something else after it was checked', async () => {
    const repository = await s3.open()
    const lease = await repository.lease()
    const slot = await repository.openSlot(incomingOf('new'))
    for (const kind of SLOT_KINDS) await sendPart(slot, kind, contentOf('new', kind))
    const client = s3.server.client()
    const Key = repository.connection.keyOf('testsite-1.sql.gz')
    const upload = async (UploadId: string) => {
      const Body = Buffer.alloc(contentOf('new', 'database').length)
      await client.send(new UploadPartCommand({ Bucket: s3.server.bucket, Key, UploadId, PartNumber: 1, Body }))
    }
    let looks = 0
    const isSecondLook = ({ method, path }: { method: string; path: string }) =>
      method === 'GET' && path.includes('uploadId=') && path.includes('.sql.gz') && ++looks === 2
    const listed = await client.send(new ListMultipartUploadsCommand({ Bucket: s3.server.bucket, Prefix: Key }))
    s3.proxy.add({
      fault: { kind: 'first', action: () => upload(listed.Uploads?.[0]?.UploadId ?? '') },
      when: isSecondLook,
    })
    expect(await codeOf(slot.putInPlace(hashesOf('new'), never))).toBe('slot-index-pending')
    expect((await repository.readIndex()).size).toBe(0)
    await lease.release()
    // what can't be finished is given up
    await (await repository.lease()).release()
    expect(await s3.uploadsOf(repository)).toEqual([])
    expect(await repository.list()).toEqual([])
  })

  it('gives up a file that broke off with its line as soon as it is back, and none that is under way', async () => {
    const transfers = await temporaryFolder()
    // a slow answer must not be taken for a stall here: an upload is begun once
    const repository = await s3.open({ transfers, patience: { stallMs: 60_000, pauseMs: 10 } })
    const lost = { kind: 'reset-request', after: 0 } as const
    s3.proxy.add({ fault: lost, when: isPart, times: 100 })
    s3.proxy.add({ fault: { kind: 'error', status: 503, code: 'SlowDown' }, when: ({ method }) => method === 'DELETE', times: 5 })
    const code = await codeOf(repository.put('a.gz', Readable.from(pieces(large, MiB))))
    expect(code).toBe('filestore-unreachable')
    expect(await s3.uploadsOf(repository)).toHaveLength(1)
    expect(await readdir(transfers)).toHaveLength(1)
    s3.proxy.clear()
    let end = () => {}
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    async function* slowly() {
      yield* pieces(large, MiB)
      await ended
    }
    const underWay = repository.put('b.gz', Readable.from(slowly()))
    while ((await readdir(transfers)).length < 2) await new Promise((resolve) => setTimeout(resolve, 20))
    await (await repository.lease()).release()
    expect(await s3.uploadsOf(repository)).toEqual([repository.connection.keyOf('b.gz')])
    end()
    expect(await underWay).toMatchObject({ size: large.length })
    expect(await s3.uploadsOf(repository)).toEqual([])
    expect(await readdir(transfers)).toEqual([])
    // of a program that is gone
    const { connection } = repository
    await openPutRecords(connection, transfers, storeIdOf(connection)).begin(await createUpload(connection, 'c.gz'))
    const file = join(transfers, (await readdir(transfers))[0] ?? '')
    const record = JSON.parse(await readFile(file, 'utf8'))
    await writeFile(file, JSON.stringify({ ...record, owner: { pid: 2 ** 22 + 1, start: '1' } }))
    await (await repository.lease()).release()
    expect(await s3.uploadsOf(repository)).toEqual([])
    expect(await readdir(transfers)).toEqual([])
  })

  it('is finished by the next program when it breaks off between the parts', async () => {
    const settings = s3.settings()
    const transfers = await temporaryFolder()
    const repository = await s3.open({ settings, transfers })
    await storeBackup(repository, 'old', { timestamp: 1000, isEncrypted: true })
    const lease = await repository.lease()
    const slot = await repository.openSlot(incomingOf('new'))
    for (const kind of SLOT_KINDS) await sendPart(slot, kind, contentOf('new', kind))
    const isConfig = ({ method, path }: { method: string; path: string }) =>
      method === 'POST' && path.includes('uploadId=') && path.includes('config-')
    s3.proxy.add({ fault: { kind: 'error', status: 500, code: 'InternalError' }, when: isConfig, times: 5 })
    expect(await codeOf(slot.putInPlace(hashesOf('new'), never))).toBe('slot-index-pending')
    expect((await repository.readIndex()).get('testsite-1')?.timestamp).toBe(1000)
    await lease.release()

    const second = await s3.open({ settings, transfers })
    await (await second.lease()).release()
    await expectWhole(second, 'new')
    expect((await second.list()).map(({ name }) => name).filter((name) => name.endsWith('.enc'))).toEqual([])
    expect(await s3.uploadsOf(second)).toEqual([])
  })

  it('keeps what a server writes into the index at the same moment', async () => {
    const repository = await s3.open()
    await repository.updateIndex((index) => index.set('a-1', { timestamp: 1 }))
    const isIndex = ({ method, path }: { method: string; path: string }) => method === 'PUT' && path.includes('backup.json')
    const byServer = () => s3.putForeign(repository, 'backup.json', '{"a-1":{"timestamp":1},"a-2":{"timestamp":2}}')
    s3.proxy.add({ fault: { kind: 'first', action: byServer }, when: isIndex })
    await repository.updateIndex((index) => index.set('a-3', { timestamp: 3 }))
    expect([...(await repository.readIndex()).keys()]).toEqual(['a-1', 'a-2', 'a-3'])
    // one that had read before us, and writes after us
    let reads = 0
    const isReadBack = ({ method, path }: { method: string; path: string }) =>
      method === 'GET' && path.includes('backup.json') && ++reads === 2
    s3.proxy.add({ fault: { kind: 'first', action: byServer }, when: isReadBack })
    await repository.updateIndex((index) => index.set('a-4', { timestamp: 4 }))
    expect([...(await repository.readIndex()).keys()]).toEqual(['a-1', 'a-2', 'a-4'])
  })

  it('gives up an index that never rests', async () => {
    const repository = await s3.open()
    let writes = 0
    const byServer = () => s3.putForeign(repository, 'backup.json', `{"a-${++writes}":{"timestamp":1}}`)
    const isIndex = ({ method, path }: { method: string; path: string }) => method === 'PUT' && path.includes('backup.json')
    s3.proxy.add({ fault: { kind: 'first', action: byServer }, when: isIndex, times: 100 })
    expect(await codeOf(repository.updateIndex((index) => index.set('a-0', { timestamp: 3 })))).toBe('index-busy')
    expect([...(await repository.readIndex()).keys()]).toEqual([`a-${writes}`])
  })
})
