import { createCipheriv } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { buffer } from 'node:stream/consumers'
import { gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type EncEnds, peekEncrypted, readEncEnds, readEncHeader } from '#engine/features/encryption/index.ts'
import { ParallelGzip } from '#engine/foundation/files/parallel-gzip.ts'
import { ASCII_PASSWORD, cryptoFixture, encFixtures, UTF8_PASSWORD } from '#test/support/enc-fixtures.ts'
import { strictlyDecrypted } from '#test/support/strict-enc-reader.ts'
import { createEncHeader } from '../../../../../../src/main/engine/features/encryption/header.ts'

/** The ends of a file, as ranges; counts the bytes that were asked for. */
async function endsOf(file: Buffer): Promise<EncEnds & { asked: number }> {
  let asked = 0
  const ends = await readEncEnds(file.length, async ({ offset, length }) => {
    asked += length
    return file.subarray(offset, offset + length)
  })
  return { ...ends, asked }
}

const PASSWORDS = [ASCII_PASSWORD, UTF8_PASSWORD]
const made = await createEncHeader('pw')

/** A file of ours with this content. */
function enc(content: Buffer): Buffer {
  const cipher = createCipheriv('aes-256-cfb8', made.key.key, readEncHeader(made.header).check.subarray(16))
  return Buffer.concat([made.header, cipher.update(content)])
}

describe('files of a real server', () => {
  test.each(encFixtures().filter(({ name }) => /2-enc.*gz.enc|w1.(sql|tar)/.test(name)))('$name', async ({ path, password }) => {
    const file = readFileSync(path)
    const ends = await endsOf(file)
    expect(ends.asked).toBe(54 + 50)
    const length = gunzipSync(strictlyDecrypted(file, password)).length
    expect(await peekEncrypted(ends, ['no', password])).toEqual({
      passwordIndex: 1,
      unpacked: { bytes: length, isExact: false, mayBeWhole: true },
    })
  })

  test('no password fits', async () => {
    const ends = await endsOf(readFileSync(cryptoFixture('p31-ascii.bin.enc')))
    expect(await peekEncrypted(ends, ['no'])).toEqual({ passwordIndex: null, unpacked: null })
    expect(await peekEncrypted(ends, [])).toEqual({ passwordIndex: null, unpacked: null })
  })

  test.each(['p0-ascii.bin.enc', 'p1-utf8.bin.enc'])('%s is too short for a .gz', async (name) => {
    const ends = await endsOf(readFileSync(cryptoFixture(name)))
    expect(await peekEncrypted(ends, ['no', ...PASSWORDS])).toEqual({
      passwordIndex: name.includes('ascii') ? 1 : 2,
      unpacked: null,
    })
  })

  test.each([
    ['bad-prefix.enc', 'not-a-backup'],
    ['bad-truncated-header.enc', 'not-a-backup'],
    ['bad-header-only.enc', 'ends-too-early'],
  ])('%s is refused: %s', async (name, code) => {
    await expect(peekEncrypted(await endsOf(readFileSync(cryptoFixture(name))), ['x'])).rejects.toMatchObject({ code })
  })
})

describe('how much is inside', () => {
  const peekAt = async (content: Buffer) => (await peekEncrypted(await endsOf(enc(content)), ['pw'])).unpacked

  test('of several members the last one tells, and that it cannot be the whole', async () => {
    const noise = Buffer.from(Array.from({ length: 5000 }, (_, at) => (at * 7919) % 251))
    const members = Buffer.concat([gzipSync(noise, { level: 0 }), gzipSync(Buffer.alloc(100))])
    expect(await peekAt(members)).toEqual({ bytes: 100, isExact: false, mayBeWhole: false })
  })

  test('our own files say how much it is in all, and 24 bytes of the end do for others', async () => {
    const gzip = new ParallelGzip(6)
    gzip.end(Buffer.alloc(3_000_000, 'text '))
    const file = enc(await buffer(gzip))
    const ends = await endsOf(file)
    expect((await peekEncrypted(ends, ['pw'])).unpacked).toEqual({ bytes: 3_000_000, isExact: true, mayBeWhole: true })
    const single = await endsOf(enc(gzipSync(Buffer.alloc(5000, 'x'))))
    const short = { ...single, tail: single.tail.subarray(-24) }
    expect((await peekEncrypted(short, ['pw'])).unpacked).toEqual({ bytes: 5000, isExact: false, mayBeWhole: true })
  })

  test('content that cannot be compressed, and as little as there can be', async () => {
    expect(await peekAt(gzipSync(Buffer.alloc(100_000, 'x'), { level: 0 }))).toEqual({
      bytes: 100_000,
      isExact: false,
      mayBeWhole: true,
    })
    expect(await peekAt(gzipSync(Buffer.alloc(0)))).toEqual({ bytes: 0, isExact: false, mayBeWhole: true })
    expect(await peekAt(gzipSync(Buffer.alloc(5_000_000)))).toEqual({ bytes: 5_000_000, isExact: false, mayBeWhole: true })
  })

  test('an end that is not that of a .gz', async () => {
    expect(await peekAt(Buffer.from('no gzip at all, but long enough\xff\xff'))).toBeNull()
  })

  test('is told for every content, and is right', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 3000 }), fc.integer({ min: 0, max: 9 }), async (plain, level) => {
        const file = enc(gzipSync(plain, { level }))
        expect(file.length).toBeGreaterThanOrEqual(54 + 20)
        expect((await peekEncrypted(await endsOf(file), ['pw'])).unpacked?.bytes).toBe(plain.length)
      }),
      { numRuns: 5 },
    )
  })
})
