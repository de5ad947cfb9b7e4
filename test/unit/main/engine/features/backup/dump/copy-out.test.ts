import { PassThrough } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import type pg from 'pg'
import { expect, test } from 'vitest'
import { CopyOut } from '#engine/features/backup/dump/copy-out.ts'

function message(type: string, content: Uint8Array | string = ''): Buffer {
  const body = Buffer.from(content)
  const header = Buffer.alloc(5)
  header.write(type, 0)
  header.writeUInt32BE(body.length + 4, 1)
  return Buffer.concat([header, body])
}

/** A connection of pg as CopyOut sees it: a socket with one reader, whose bytes are kept. */
function fakeConnection(): { connection: pg.Connection; socket: PassThrough; parsed: () => Buffer } {
  const socket = new PassThrough()
  const seen: Buffer[] = []
  socket.on('data', (chunk: Buffer) => seen.push(chunk))
  const connection = { stream: socket, query: () => {} } as unknown as pg.Connection
  return { connection, socket, parsed: () => Buffer.concat(seen) }
}

async function feed(socket: PassThrough, bytes: Buffer, cuts: number[]): Promise<void> {
  let from = 0
  for (const cut of [...new Set(cuts.map((at) => at % (bytes.length + 1)))].sort((a, b) => a - b)) {
    socket.write(Buffer.from(bytes.subarray(from, cut)))
    from = cut
    await turn()
  }
  socket.write(Buffer.from(bytes.subarray(from)))
}

test('rows come whole however the bytes are cut, and the parser gets what is after CopyDone', async () => {
  const rows = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(rows, fc.array(fc.nat(5000), { maxLength: 12 }), async (contents, cuts) => {
      const { connection, socket, parsed } = fakeConnection()
      const copy = new CopyOut('COPY t TO STDOUT')
      copy.submit(connection)
      const after = Buffer.concat([message('C', 'COPY 3\0'), message('Z', 'T')])
      const data = contents.flatMap((content) => [message('d', content), message('N', 'a notice')])
      const bytes = Buffer.concat([message('H', '\0\0\0'), ...data, message('c'), after])
      const [came] = await Promise.all([buffer(copy), feed(socket, bytes, cuts)])
      await turn()
      expect(came.equals(Buffer.concat(contents))).toBe(true)
      expect(parsed().equals(after)).toBe(true)
      expect(socket.destroyed).toBe(false)
    }),
    { numRuns: 200 },
  )
})

test('an error of the server goes to the parser with its header, at any cut', async () => {
  const failure = message('E', 'SERROR\0\0')
  const bytes = Buffer.concat([message('H', '\0'), message('d', 'row\n'), failure, message('Z', 'E')])
  for (let cut = 0; cut <= bytes.length; cut++) {
    const { connection, socket, parsed } = fakeConnection()
    const copy = new CopyOut('COPY t TO STDOUT')
    copy.submit(connection)
    const read = buffer(copy).catch((error: Error) => error.message)
    await feed(socket, bytes, [cut])
    await turn()
    expect(parsed().equals(bytes.subarray(bytes.indexOf(failure)))).toBe(true)
    copy.handleError(new Error('from pg'))
    expect(await read).toBe('from pg')
  }
})

test('a COPY that ends without CopyDone does not end well', async () => {
  const { connection, socket } = fakeConnection()
  const copy = new CopyOut('COPY t TO STDOUT')
  copy.submit(connection)
  const read = buffer(copy)
  socket.write(Buffer.concat([message('H', '\0'), message('d', 'row\n'), message('C', 'COPY 1\0')]))
  setImmediate(() => copy.handleCommandComplete())
  await expect(read).rejects.toThrow(/without saying that it is complete/)
})

test('nobody reads: the socket is paused; given up: the connection is closed', async () => {
  const { connection, socket } = fakeConnection()
  const copy = new CopyOut('COPY t TO STDOUT')
  copy.submit(connection)
  for (let n = 0; n < 10; n++) socket.write(message('d', Buffer.alloc(60_000)))
  await turn()
  expect(socket.isPaused()).toBe(true)
  expect(copy.readableLength).toBeLessThan(200_000)
  copy.destroy()
  expect(socket.destroyed).toBe(true)
})
