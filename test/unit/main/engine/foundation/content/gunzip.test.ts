import { randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GzipProblem, gunzip } from '#engine/foundation/content/gunzip.ts'
import { watchTurns } from '#test/support/turns.ts'

const GOOD = gzipSync('a dump, a dump, a dump')

async function* cutUp(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function allOf(content: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of content) pieces.push(piece)
  return Buffer.concat(pieces)
}

async function unpack(bytes: Buffer, size = 7): Promise<string> {
  try {
    return (await allOf(gunzip(cutUp(bytes, size)))).toString('latin1')
  } catch (error) {
    if (error instanceof GzipProblem) return `fault ${error.fault}`
    throw error
  }
}

describe('gunzip', () => {
  it('reads one member and many, wherever they are cut into chunks', async () => {
    const text = 'a dump, a dump, a dump'
    const members = Buffer.concat([GOOD, gzipSync(''), GOOD])
    for (const size of [1, 2, GOOD.length, 1000]) {
      expect(await unpack(GOOD, size)).toBe(text)
      expect(await unpack(members, size)).toBe(text + text)
    }
  })

  it.each<[string, string, Buffer]>([
    ['nothing', 'empty', Buffer.alloc(0)],
    ['text', 'not-gzip', Buffer.from('-- PostgreSQL database dump')],
    ['one byte', 'cut', GOOD.subarray(0, 1)],
    ['another method', 'damaged', Buffer.concat([Buffer.from([0x1f, 0x8b, 7]), GOOD.subarray(3)])],
    ['a cut in the header', 'cut', GOOD.subarray(0, 5)],
    ['a cut before the content', 'cut', GOOD.subarray(0, 10)],
    ['a cut in the content', 'cut', GOOD.subarray(0, 15)],
    ['a cut in the CRC', 'cut', GOOD.subarray(0, -6)],
    ['a cut in the length', 'cut', GOOD.subarray(0, -1)],
    ['another CRC', 'crc', Buffer.concat([GOOD.subarray(0, -8), Buffer.alloc(4), GOOD.subarray(-4)])],
    ['another length', 'crc', Buffer.concat([GOOD.subarray(0, -4), Buffer.from([9, 0, 0, 0])])],
    ['zeros after the end', 'trailing', Buffer.concat([GOOD, Buffer.alloc(50)])],
    ['a zero in a chunk of its own', 'trailing', Buffer.concat([GOOD, Buffer.alloc(1)])],
    ['many zeros', 'trailing', Buffer.concat([GOOD, Buffer.alloc(2_000_000)])],
    ['words after the end', 'trailing', Buffer.concat([GOOD, Buffer.from('more than this')])],
    ['two bytes after the end', 'trailing', Buffer.concat([GOOD, Buffer.from('mo')])],
    ['a member without its end', 'cut', Buffer.concat([GOOD, GOOD.subarray(0, 20)])],
    ['a member that is damaged', 'crc', Buffer.concat([GOOD, GOOD.subarray(0, -8), Buffer.alloc(8)])],
  ])('tells %s apart: %s', async (_name, fault, bytes) => {
    const sizes = bytes.length > 1000 ? [4096, 100_000] : [1, 7, GOOD.length]
    for (const size of sizes) expect(await unpack(bytes, size), `in chunks of ${size}`).toBe(`fault ${fault}`)
  })

  it('gives back what was packed, and nothing else when a byte was changed', async () => {
    const some = fc.array(fc.uint8Array({ maxLength: 2000 }), { minLength: 1, maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(some, fc.integer({ min: 1, max: 600 }), fc.nat(), fc.nat({ max: 7 }), async (parts, size, place, bit) => {
        const packed = Buffer.concat(parts.map((part) => gzipSync(part)))
        const plain = Buffer.concat(parts).toString('latin1')
        expect(await unpack(packed, size)).toBe(plain)
        const at = place % packed.length
        packed[at] = (packed[at] ?? 0) ^ (1 << bit)
        const found = await unpack(packed, size)
        // the header holds a time and a system, which nobody checks
        if (found !== plain) expect(found).toMatch(/^fault /)
      }),
      { numRuns: 150 },
    )
  })

  it('passes on what the source fails with, also after a fault', async () => {
    async function* broken(): AsyncGenerator<Buffer> {
      yield GOOD
      throw new Error('the disk went away')
    }
    await expect(allOf(gunzip(broken()))).rejects.toThrow('the disk went away')
  })

  it('ends the source when it is left, cancelled, or finds a fault', async () => {
    const big = gzipSync(randomBytes(3_000_000))
    let ended = 0
    async function* source(bytes: Buffer): AsyncGenerator<Buffer> {
      try {
        yield* cutUp(bytes, 10_000)
        for (;;) yield bytes
      } finally {
        ended += 1
      }
    }
    for await (const _ of gunzip(source(big))) break
    expect(ended).toBe(1)
    await expect(allOf(gunzip(source(Buffer.from('no gzip'))))).rejects.toMatchObject({ fault: 'not-gzip' })
    expect(ended).toBe(2)
    const cancel = new AbortController()
    const cancelled = (async () => {
      for await (const _ of gunzip(source(big), cancel.signal)) cancel.abort()
    })()
    await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' })
    expect(ended).toBe(3)
    await expect(allOf(gunzip(source(big), cancel.signal))).rejects.toMatchObject({ code: 'cancelled' })
  })

  it('unpacks a thousandfold in bounded memory, without holding anything up', async () => {
    const bomb = gzipSync(Buffer.alloc(300_000_000), { level: 1 })
    const turns = watchTurns({ everyMs: 2 })
    const before = process.memoryUsage().rss
    let most = 0
    let bytes = 0
    for await (const piece of gunzip(cutUp(bomb, 256 * 1024))) {
      bytes += piece.length
      most = Math.max(most, process.memoryUsage().rss - before)
    }
    const { longest } = turns.stop()
    expect(bytes).toBe(300_000_000)
    expect(most).toBeLessThan(100e6)
    expect(longest).toBeLessThan(50)
  })
})
