import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { buffer } from 'node:stream/consumers'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  createEncryptStream,
  decryptContentStream,
  ENC_HEADER_BYTES,
  type EncHeader,
  type EncKey,
  readEncHeader,
  unlockEnc,
} from '#engine/features/encryption/index.ts'
import { workerFile } from '#engine/foundation/bundles.ts'
import { createWorkers, type Workers } from '#engine/foundation/workers.ts'
import { AppError } from '#shared/errors.ts'
import { inChunks } from '#test/support/chunks.ts'
import { ASCII_PASSWORD, encFixtures } from '#test/support/enc-fixtures.ts'
import { strictlyDecrypted } from '#test/support/strict-enc-reader.ts'
import { decryptCfb8 } from '../../../../../../src/main/engine/features/encryption/cfb8.ts'

let workers: Workers
beforeAll(() => {
  workers = createWorkers({ file: workerFile(), size: 2 })
})
afterAll(() => workers.close())

const chunkSizes = fc.array(fc.integer({ min: 300, max: 200_000 }), { minLength: 1, maxLength: 5 })

// each run derives three keys: a busy machine takes seconds for it
describe('what is encrypted', { timeout: 180_000 }, () => {
  test('opens for a reader that is written from the layout alone, as files of a server do', async () => {
    const fixture = encFixtures().find(({ name }) => name === 'p100000-utf8.bin.enc')!
    expect(strictlyDecrypted(readFileSync(fixture.path), fixture.password)).toHaveLength(fixture.plainSize)
    const word = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 })
    const content = fc.integer({ min: 0, max: 300_000 })
    await fc.assert(
      fc.asyncProperty(word, content, chunkSizes, fc.boolean(), async (password, size, sizes, inWorkers) => {
        const plain = randomBytes(size)
        const options = inWorkers ? { workers } : {}
        const file = await buffer(inChunks(plain, sizes).pipe(createEncryptStream(password, options)))
        expect(file.length).toBe(54 + size)
        expect(strictlyDecrypted(file, password).equals(plain)).toBe(true)
        expect(() => strictlyDecrypted(file, `${password}.`)).toThrow('wrong password')
      }),
      { numRuns: 3, endOnFailure: true },
    )
  })

  describe('comes back', () => {
    const plain = randomBytes(600_011)
    let file: Buffer
    let header: EncHeader
    let key: EncKey
    beforeAll(async () => {
      file = await buffer(inChunks(plain, [70_000]).pipe(createEncryptStream('pw', { workers })))
      header = readEncHeader(file.subarray(0, ENC_HEADER_BYTES))
      key = (await unlockEnc(header, ['pw']))!.key
    })

    test('in chunks of any sizes, cut anywhere', async () => {
      await fc.assert(
        fc.asyncProperty(chunkSizes, fc.integer({ min: 0, max: plain.length }), async (sizes, end) => {
          const source = inChunks(file.subarray(ENC_HEADER_BYTES, ENC_HEADER_BYTES + end), sizes)
          const back = await buffer(decryptContentStream(source, header, key, { workers }))
          expect(back.equals(plain.subarray(0, end))).toBe(true)
        }),
        { numRuns: 30 },
      )
    })

    test('in ranges of any split, each on its own', () => {
      const cut = fc.integer({ min: 0, max: plain.length })
      fc.assert(
        fc.property(fc.array(cut, { maxLength: 8 }), (cuts) => {
          const edges = [0, ...cuts.toSorted((a, b) => a - b), plain.length]
          const ranges = edges.slice(1).map((end, index) => {
            const start = ENC_HEADER_BYTES + edges[index]!
            return decryptCfb8(key.key, file.subarray(start - 16, start), file.subarray(start, ENC_HEADER_BYTES + end))
          })
          expect(Buffer.concat(ranges).equals(plain)).toBe(true)
        }),
        { numRuns: 40 },
      )
    })
  })
})

describe('headers', () => {
  const header = fc.record({
    iterations: fc.integer({ min: 1, max: 19_999_999 }),
    salt: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    check: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  })
  const printed = (iterations: number, salt: Uint8Array, check: Uint8Array): Buffer => {
    const rounds = Buffer.alloc(4)
    rounds.writeUInt32LE(iterations)
    return Buffer.concat([Buffer.from('Z1'), rounds, salt, check])
  }
  const codeOf = (bytes: Buffer): string => {
    try {
      readEncHeader(bytes)
      return 'accepted'
    } catch (error) {
      return error instanceof AppError ? error.code : `no AppError: ${String(error)}`
    }
  }

  test('are read as they were written', () => {
    fc.assert(
      fc.property(header, fc.uint8Array({ maxLength: 40 }), ({ iterations, salt, check }, content) => {
        const read = readEncHeader(Buffer.concat([printed(iterations, salt, check), content]))
        expect(printed(read.iterations, read.salt, read.check)).toEqual(printed(iterations, salt, check))
      }),
    )
  })

  test('cut anywhere are refused, for the reason', () => {
    fc.assert(
      fc.property(header, fc.integer({ min: 0, max: 53 }), ({ iterations, salt, check }, end) => {
        const code = codeOf(printed(iterations, salt, check).subarray(0, end))
        expect(code).toBe(end < 22 ? 'not-a-backup' : 'ends-too-early')
      }),
    )
  })

  test('with another prefix, or a number of rounds that no server takes, are refused', () => {
    const prefix = fc.uint8Array({ minLength: 2, maxLength: 2 }).filter(([a, b]) => a !== 0x5a || b !== 0x31)
    fc.assert(
      fc.property(header, prefix, ({ iterations, salt, check }, start) => {
        expect(codeOf(Buffer.concat([start, printed(iterations, salt, check).subarray(2)]))).toBe('not-a-backup')
      }),
    )
    const rounds = fc.oneof(fc.constant(0), fc.integer({ min: 20_000_000, max: 0xffff_ffff }))
    fc.assert(
      fc.property(header, rounds, ({ salt, check }, iterations) => {
        expect(codeOf(printed(iterations, salt, check))).toBe('not-a-backup')
      }),
    )
  })

  test('with any flipped bit do not open', async () => {
    const file = readFileSync(encFixtures().find(({ name }) => name === 'p0-ascii.bin.enc')!.path)
    expect(await unlockEnc(readEncHeader(file), [ASCII_PASSWORD])).not.toBeNull()
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 54 * 8 - 1 }), async (bit) => {
        const spoiled = Buffer.from(file)
        spoiled[bit >> 3]! ^= 1 << (bit & 7)
        // more rounds than these would be waited for too long
        fc.pre(spoiled.readUInt32LE(2) < 2_000_000 || spoiled.readUInt32LE(2) >= 20_000_000)
        const code = codeOf(spoiled)
        if (code === 'accepted') expect(await unlockEnc(readEncHeader(spoiled), [ASCII_PASSWORD])).toBeNull()
        else expect(code).toBe('not-a-backup')
      }),
      { numRuns: 12 },
    )
  })
})
