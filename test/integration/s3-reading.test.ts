import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { describe, expect, it } from 'vitest'
import { faultyS3, QUICK_S3 } from '#test/support/faulty-s3.ts'
import type { Fault } from '#test/support/http-fault-proxy.ts'
import { allowed } from '#test/support/patience.ts'
import { codeOf } from '#test/support/repository-contract.ts'
import { filestoreSettings, openTestS3 } from '#test/support/s3-repository.ts'
import { startTcpProxy } from '#test/support/tcp-proxy.ts'

const MiB = 1024 * 1024
/** More than two ranges. */
const large = randomBytes(34 * MiB + 77)

const isGet = ({ method, path }: { method: string; path: string }) => method === 'GET' && path.includes('large')
const s3 = faultyS3()

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
    const repository = await s3.open()
    await s3.putForeign(repository, 'large.gz', large)
    s3.proxy.add({ fault, when: isGet, times })
    const read = await buffer(await repository.read('large.gz'))
    expect(read.equals(large)).toBe(true)
    // it struck: without it three ranges are three requests
    const key = repository.connection.keyOf('large')
    expect(s3.proxy.requests.filter((line) => line.startsWith('GET') && line.includes(key)).length).toBeGreaterThan(3)
  })

  it('never takes a part of a file for the whole one', async () => {
    const repository = await s3.open()
    await s3.putForeign(repository, 'large.gz', large)
    s3.proxy.add({ fault: { kind: 'truncate', to: 0 }, when: isGet, times: 100 })
    const read = async () => buffer(await repository.read('large.gz'))
    expect(await codeOf(read())).toBe('filestore-unreachable')
  })

  it('notices that an object is replaced while it is read', async () => {
    const repository = await s3.open()
    await s3.putForeign(repository, 'large.gz', large)
    const { version } = (await repository.stat('large.gz')) ?? { version: '' }
    const other = randomBytes(large.length)
    let asked = 0
    const isLater = (seen: { method: string; path: string }) => isGet(seen) && ++asked > 1
    s3.proxy.add({ fault: { kind: 'first', action: () => s3.putForeign(repository, 'large.gz', other) }, when: isLater })
    const read = async () => buffer(await repository.read('large.gz', { ifVersion: version }))
    expect(await codeOf(read())).toBe('changed-while-reading')
  })

  it('notices a wrong ETag', async () => {
    const repository = await s3.open()
    await s3.putForeign(repository, 'large.gz', large)
    s3.proxy.add({ fault: { kind: 'headers', headers: { etag: '"0123456789abcdef0123456789abcdef"' } }, when: isGet })
    const read = async () => buffer(await repository.read('large.gz'))
    expect(await codeOf(read())).toBe('changed-while-reading')
  })

  it('reads empty files, ends of files and nothing behind them', async () => {
    const repository = await s3.open()
    await s3.putForeign(repository, 'empty.gz', '')
    await s3.putForeign(repository, 'large.gz', large)
    expect((await buffer(await repository.read('empty.gz'))).length).toBe(0)
    expect((await buffer(await repository.read('large.gz', { offset: large.length }))).length).toBe(0)
    expect((await buffer(await repository.read('large.gz', { offset: large.length - 3 }))).equals(large.subarray(-3))).toBe(true)
    const middle = { offset: 16 * MiB - 5, length: 17 * MiB }
    const read = await buffer(await repository.read('large.gz', middle))
    expect(read.equals(large.subarray(middle.offset, middle.offset + middle.length))).toBe(true)
    expect(await codeOf(repository.read('none.gz'))).toBe('not-found')
  })

  it.each([
    ['more than it was asked for', 'bytes 0-8388607/99999999'],
    ['another part than it was asked for', 'bytes 1000-8389607/99999999'],
  ])('does not take what a server sends when that is %s', async (_, range) => {
    let sent = 0
    const server = createServer((_request, answer) => {
      answer.writeHead(206, { 'content-range': range, etag: '"x"' })
      const send = () => {
        sent += MiB
        if (!answer.destroyed) answer.write(Buffer.alloc(MiB), () => setImmediate(send))
      }
      send()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const repository = await openTestS3(s3.server, { settings: { endpoint: `http://127.0.0.1:${port}` } })
    expect(await codeOf(repository.read('large.gz').then(buffer))).toBe('filestore-error')
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    expect(sent).toBeLessThan(200 * MiB)
  })

  it('does not ask for ever for the next page of a list that is empty', async () => {
    let pages = 0
    const server = createServer((_request, answer) => {
      pages += 1
      const more = `<IsTruncated>true</IsTruncated><NextContinuationToken>${pages}</NextContinuationToken>`
      answer.writeHead(200, { 'content-type': 'application/xml' }).end(`<ListBucketResult>${more}</ListBucketResult>`)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const repository = await openTestS3(s3.server, { settings: { endpoint: `http://127.0.0.1:${port}` } })
    expect(await codeOf(repository.list())).toBe('too-many-files')
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    expect(pages).toBeLessThan(1000)
  })

  it('stops at once when asked to, also while nothing comes', async () => {
    const repository = await s3.open({ patience: { ...QUICK_S3, stallMs: 20_000 } })
    await s3.putForeign(repository, 'large.gz', large)
    s3.proxy.add({ fault: { kind: 'stall', after: 1000 }, when: isGet, times: 10 })
    const abort = new AbortController()
    const stream = await repository.read('large.gz', { signal: abort.signal })
    const began = performance.now()
    setTimeout(() => abort.abort(), 100)
    await expect(buffer(stream)).rejects.toThrow()
    expect(performance.now() - began).toBeLessThan(allowed(3000))
  })
})

describe('a filestore far away', () => {
  it('lists 500 backups within 2 s when all bytes take 50 ms', async () => {
    const settings = filestoreSettings(s3.server)
    const near = await openTestS3(s3.server, { settings })
    const index: Record<string, unknown> = {}
    const names: string[] = []
    for (let at = 0; at < 500; at += 1) {
      const name = `testsite${at}-1`
      const files = [`${name}.sql.gz`, `config-${name}.tar.gz`, `${name}.tar.gz`]
      index[name] = { timestamp: 1_700_000_000 + at, database: files[0], config_files: files[1], files: files[2] }
      names.push(...files)
    }
    const client = s3.server.client()
    const put = (name: string, Body: string) =>
      client.send(new PutObjectCommand({ Bucket: s3.server.bucket, Key: near.connection.keyOf(name), Body }))
    await put('backup.json', JSON.stringify(index))
    for (let at = 0; at < names.length; at += 30) await Promise.all(names.slice(at, at + 30).map((name) => put(name, 'content')))
    const far = await startTcpProxy(s3.server.port, { delayMs: 50 })
    try {
      const repository = await openTestS3(s3.server, { settings: { ...settings, endpoint: `http://127.0.0.1:${far.port}` } })
      const began = performance.now()
      const [entries, files] = [await repository.readIndex(), await repository.list()]
      const seconds = (performance.now() - began) / 1000
      expect([entries.size, files.length]).toEqual([500, 1501])
      expect(seconds).toBeLessThan(allowed(2))
    } finally {
      await far.close()
    }
  })
})
