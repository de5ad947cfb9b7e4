import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { PlainGets } from '#engine/foundation/connections/s3/plain-get.ts'
import type { PartFacts, PartTaker } from '#engine/foundation/connections/s3/plain-wire.ts'
import { allowed } from '#test/support/patience.ts'

const servers: Server[] = []
const sockets = new Set<Socket>()
const never = new AbortController().signal

afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
})

/** A server that answers the requests it gets, in their order, by these functions; the last one answers all further ones. */
async function serve(...answers: ((socket: Socket, request: string) => unknown)[]) {
  const seen: { request: string; connection: number }[] = []
  let connections = 0
  const server = createServer((socket) => {
    connections += 1
    const connection = connections
    sockets.add(socket)
    socket.on('error', () => {})
    let text = ''
    socket.on('data', (data) => {
      text += data.toString('latin1')
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const request = text.slice(0, end)
        text = text.slice(end + 4)
        seen.push({ request, connection })
        answers[Math.min(seen.length, answers.length) - 1]?.(socket, request)
      }
    })
  })
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const headers = { host: `127.0.0.1:${port}`, range: 'bytes=0-9', authorization: 'signed' }
  const request = {
    protocol: 'http:',
    hostname: '127.0.0.1',
    port,
    path: '/bucket/file',
    query: { 'x-id': 'GetObject' },
    headers,
  }
  return { request, seen }
}

/** Takes up to `size` bytes, `step` at a time. */
function taker(size = 10, step = size) {
  const memory = Buffer.alloc(size)
  const facts: PartFacts[] = []
  let at = 0
  const take: PartTaker = {
    begin: (seen) => facts.push(seen),
    space() {
      if (at === size) throw new Error('no more was asked for')
      return memory.subarray(at, Math.min(size, at + step))
    },
    took(bytes) {
      at += bytes
    },
  }
  return { take, facts, bytes: () => memory.subarray(0, at) }
}

const gets = (stallMs = allowed(2000)) => new PlainGets({ connectMs: allowed(2000), stallMs, ca: null })
const part = (body: string, more = '') =>
  `HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-9/10\r\nETag: "e"\r\nContent-Length: ${body.length}\r\n${more}\r\n${body}`
const write = (text: string) => (socket: Socket) => socket.write(text)

describe('getting parts of objects straight into memory', () => {
  it('asks as the request was signed, and takes what comes in one piece', async () => {
    const { request, seen } = await serve(write(part('0123456789')))
    const { take, facts, bytes } = taker()
    const answer = await gets().get(request, take, never)
    expect(answer?.statusCode).toBe(206)
    expect(facts).toEqual([{ contentRange: 'bytes 0-9/10', etag: '"e"' }])
    expect(bytes().toString()).toBe('0123456789')
    expect(seen[0]?.request.split('\r\n')).toEqual([
      'GET /bucket/file?x-id=GetObject HTTP/1.1',
      `host: ${request.headers.host}`,
      'range: bytes=0-9',
      'authorization: signed',
    ])
  })

  it.each([1, 3])('takes what comes in pieces of %i, into memory of any size', async (step) => {
    const { request } = await serve(async (socket) => {
      for (const byte of part('0123456789')) {
        socket.write(byte)
        await turn()
      }
    })
    const { take, bytes } = taker(10, step)
    expect((await gets().get(request, take, never))?.headers.etag).toBe('"e"')
    expect(bytes().toString()).toBe('0123456789')
  })

  it('takes a large part whole', async () => {
    const body = 'abcdefg'.repeat(500_000)
    const { request } = await serve(write(part(body)))
    const { take, bytes } = taker(body.length)
    await gets().get(request, take, never)
    expect(bytes().toString() === body).toBe(true)
  })

  it('uses a connection again, but not one that the server wants closed', async () => {
    const { request, seen } = await serve(write(part('0123456789')), write(part('0123456789', 'Connection: Close\r\n')))
    const client = gets()
    for (let count = 0; count < 3; count += 1) expect((await client.get(request, taker().take, never))?.statusCode).toBe(206)
    expect(seen.map(({ connection }) => connection)).toEqual([1, 1, 2])
  })

  it('asks again when the server closed a connection that was idle', async () => {
    const { request, seen } = await serve(write(part('0123456789')), (socket) => socket.destroy(), write(part('9876543210')))
    const client = gets()
    await client.get(request, taker().take, never)
    const { take, bytes } = taker()
    await client.get(request, take, never)
    expect(bytes().toString()).toBe('9876543210')
    expect(seen.map(({ connection }) => connection)).toEqual([1, 1, 2])
  })

  it('hands on what a refusal says', async () => {
    const { request } = await serve(write('HTTP/1.1 403 Forbidden\r\nContent-Length: 8\r\n\r\n<Error/>'))
    const { take, facts } = taker()
    const answer = await gets().get(request, take, never)
    expect([answer?.statusCode, answer?.document.toString()]).toEqual([403, '<Error/>'])
    expect(facts).toEqual([])
  })

  it.each([
    ['in chunks', 'HTTP/1.1 206 Partial\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n'],
    ['up to its end', 'HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-9/10\r\n\r\n0123456789'],
    ['compressed', part('0123456789', 'Content-Encoding: gzip\r\n')],
    ['with two lengths', part('0123456789', 'Content-Length: 3\r\n')],
    ['with a length that is none', 'HTTP/1.1 206 Partial\r\nContent-Length: 0x10\r\n\r\n'],
    ['by an older protocol', part('0123456789').replace('1.1', '1.0')],
    ['not at once', `HTTP/1.1 100 Continue\r\n\r\n${part('0123456789')}`],
    ['with a header that goes on', part('0123456789', 'X-A: b\r\n c\r\n')],
    ['behind a head without end', `HTTP/1.1 206 Partial\r\nX-A: ${'a'.repeat(70_000)}`],
  ])('leaves an answer to the general way that comes %s, and asks there from then on', async (_, text) => {
    const { request, seen } = await serve(write(text))
    const client = gets()
    const { take, facts } = taker()
    expect(await client.get(request, take, never)).toBe(null)
    expect(await client.get(request, take, never)).toBe(null)
    expect([facts.length, seen.length]).toEqual([0, 1])
  })

  it('leaves a refusal in chunks to the general way, and asks here the next time', async () => {
    const chunked = 'HTTP/1.1 503 Slow Down\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'
    const { request } = await serve(write(chunked), write(part('0123456789')))
    const client = gets()
    expect(await client.get(request, taker().take, never)).toBe(null)
    expect((await client.get(request, taker().take, never))?.statusCode).toBe(206)
  })

  it('leaves a document that could fill the memory to the general way', async () => {
    const { request } = await serve(write('HTTP/1.1 404 Not Found\r\nContent-Length: 900000000\r\n\r\n'))
    expect(await gets().get(request, taker().take, never)).toBe(null)
  })

  it.each<[string, (socket: Socket) => unknown, string]>([
    ['the answer breaks off', (socket) => socket.end(part('0123456789').slice(0, -3)), 'truncated-answer'],
    ['the connection is closed without an answer', (socket) => socket.destroy(), 'ECONNRESET'],
    ['more comes than was asked for', write(part('0123456789ab')), 'no more was asked for'],
    ['nothing comes', () => {}, 'TimeoutError'],
    ['nothing comes any more', write(part('0123456789').slice(0, -3)), 'TimeoutError'],
  ])('says what happened when %s', async (_, answer, expected) => {
    const { request } = await serve(answer)
    const error = await gets(200)
      .get(request, taker().take, never)
      .catch((failure: unknown) => failure)
    const { name, code, message } = error as { name: string; code?: string; message: string }
    expect([name, code, message]).toContain(expected)
  })

  it('takes an answer whole that has something behind it, and trusts that connection no more', async () => {
    const { request, seen } = await serve(write(`${part('0123456789')}HTTP/1.1 206 Another\r\n\r\n`), write(part('9876543210')))
    const client = gets()
    expect((await client.get(request, taker().take, never))?.statusCode).toBe(206)
    const { take, bytes } = taker()
    await client.get(request, take, never)
    expect(bytes().toString()).toBe('9876543210')
    expect(seen.map(({ connection }) => connection)).toEqual([1, 2])
  })

  it('says what the taker says', async () => {
    const { request } = await serve(write(part('0123456789')))
    const refusing: PartTaker = {
      ...taker().take,
      begin() {
        throw new Error('another part')
      },
    }
    await expect(gets().get(request, refusing, never)).rejects.toThrow('another part')
  })

  it('stops at once when asked to', async () => {
    const stop = new AbortController()
    const { request } = await serve(() => stop.abort(new Error('stopped')))
    await expect(gets(60_000).get(request, taker().take, stop.signal)).rejects.toThrow('stopped')
  })

  it('does not write what would be another header', async () => {
    const { request, seen } = await serve(write(part('0123456789')))
    const crooked = { ...request, headers: { ...request.headers, 'x-key': 'a\r\nx-other: b' } }
    expect(await gets().get(crooked, taker().take, never)).toBe(null)
    expect(seen).toEqual([])
  })

  it('says that nobody listens', async () => {
    const { request } = await serve()
    await new Promise((resolve) => servers.pop()?.close(resolve))
    await expect(gets().get(request, taker().take, never)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })
})
