import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { GzipCheck } from '#engine/features/encryption/gzip-check.ts'

const GOOD = gzipSync('a dump')

async function verdict(bytes: Buffer, chunkSize = 7): Promise<string | null> {
  const check = new GzipCheck()
  for (let at = 0; at < bytes.length; at += chunkSize) await check.write(bytes.subarray(at, at + chunkSize))
  return check.end()
}

describe('GzipCheck', () => {
  it('passes one member and several', async () => {
    expect(await verdict(GOOD)).toBeNull()
    expect(await verdict(Buffer.concat([GOOD, gzipSync(''), GOOD]))).toBeNull()
  })

  it.each([
    ['zeros after the end', Buffer.concat([GOOD, Buffer.alloc(50)])],
    ['zeros in a chunk of their own', Buffer.concat([GOOD, Buffer.alloc(7 - (GOOD.length % 7)), Buffer.alloc(700)])],
    ['words after the end', Buffer.concat([GOOD, Buffer.from('more than this')])],
    ['a cut', GOOD.subarray(0, GOOD.length - 3)],
    ['nothing', Buffer.alloc(0)],
  ])('finds %s, and never waits for ever', async (_, bytes) => {
    expect(await verdict(bytes)).not.toBeNull()
  })

  it('finds a flipped bit', async () => {
    const bytes = Buffer.from(GOOD)
    bytes[12] = (bytes[12] ?? 0) ^ 1
    expect(await verdict(bytes)).not.toBeNull()
  })
})
