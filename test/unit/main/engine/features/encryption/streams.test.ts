import { createCipheriv, randomBytes } from 'node:crypto'
import { createReadStream, readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  createEncryptStream,
  decryptContentStream,
  decryptStream,
  ENC_HEADER_BYTES,
  readEncHeader,
  unlockEnc,
} from '#engine/features/encryption/index.ts'
import { workerFile } from '#engine/foundation/bundles.ts'
import { createWorkers, type Workers } from '#engine/foundation/workers.ts'
import { inChunks } from '#test/support/chunks.ts'
import { ASCII_PASSWORD, cryptoFixture, digest, encFixtures, sha256, UTF8_PASSWORD } from '#test/support/enc-fixtures.ts'
import { encryptCfb8InPlace } from '../../../../../../src/main/engine/features/encryption/cfb8-encryptor.ts'
import { createEncHeader } from '../../../../../../src/main/engine/features/encryption/header.ts'

let workers: Workers
beforeAll(() => {
  workers = createWorkers({ file: workerFile(), size: 2 })
})
afterAll(() => workers.close())

describe('decrypting every file that a server made', () => {
  test.each(encFixtures())('$name, in workers and without', async ({ path, password, plainSize, plainSha256 }) => {
    const header = readEncHeader(readFileSync(path).subarray(0, ENC_HEADER_BYTES))
    const unlocked = await unlockEnc(header, [password])
    for (const pool of [workers, undefined]) {
      const source = createReadStream(path, { start: ENC_HEADER_BYTES })
      const plain = decryptContentStream(source, header, unlocked!.key, { workers: pool })
      expect(await digest(plain)).toEqual({ size: plainSize, sha256: plainSha256 })
    }
  })

  test('the second of two passwords', async () => {
    const source = createReadStream(cryptoFixture('p1-utf8.bin.enc'))
    const { plain, passwordIndex } = await decryptStream(source, [ASCII_PASSWORD, UTF8_PASSWORD], { workers })
    expect(passwordIndex).toBe(1)
    expect((await buffer(plain)).length).toBe(1)
  })
})

describe('refusing', () => {
  test.each([
    ['bad-prefix.enc', 'not-a-backup'],
    ['bad-truncated-header.enc', 'not-a-backup'],
    ['bad-header-only.enc', 'ends-too-early'],
  ])('%s: %s, and the source is closed', async (name, code) => {
    const source = createReadStream(cryptoFixture(name))
    await expect(decryptStream(source, [ASCII_PASSWORD])).rejects.toMatchObject({ code })
    expect(source.destroyed).toBe(true)
  })

  test('a wrong password and none at all', async () => {
    const source = () => createReadStream(cryptoFixture('p31-ascii.bin.enc'))
    await expect(decryptStream(source(), ['a', 'b'])).rejects.toMatchObject({ code: 'wrong-password', details: { tried: 2 } })
    await expect(decryptStream(source(), [])).rejects.toMatchObject({ code: 'no-password' })
  })

  test('an error of the source arrives as it is, before and after the header', async () => {
    const missing = createReadStream(cryptoFixture('no-such-file.enc'))
    await expect(decryptStream(missing, ['x'])).rejects.toMatchObject({ code: 'ENOENT' })
    const whole = readFileSync(cryptoFixture('p100001-ascii.bin.enc'))
    const broken = Readable.from(
      (async function* () {
        yield whole.subarray(0, 5000)
        throw new Error('the line went dead')
      })(),
    )
    const { plain } = await decryptStream(broken, [ASCII_PASSWORD], { workers })
    await expect(buffer(plain)).rejects.toThrow('the line went dead')
  })
})

describe('chunks of any size', () => {
  test.each([1, 15, 17, 54, 65_537])('a source in chunks of %i bytes', async (size) => {
    const file = readFileSync(cryptoFixture('p100001-ascii.bin.enc'))
    const { plain } = await decryptStream(inChunks(file, [size]), [ASCII_PASSWORD], { workers })
    expect((await digest(plain)).sha256).toBe('bbf7d0859230022b3fa6856d6196bfa6108b5bf21f00e08aa84f2182f89cc5b8')
  })

  test('whatever the sizes', async () => {
    const { header: bytes, key } = await createEncHeader('pw')
    const header = readEncHeader(bytes)
    const content = randomBytes(700_001)
    const stored = createCipheriv('aes-256-cfb8', key.key, header.check.subarray(16)).update(content)
    const sizes = fc.array(fc.integer({ min: 1, max: 300_000 }), { minLength: 1, maxLength: 5 })
    const length = fc.integer({ min: 0, max: stored.length })
    await fc.assert(
      fc.asyncProperty(sizes, length, fc.boolean(), async (cuts, end, inWorkers) => {
        fc.pre(Math.max(...cuts) > 50)
        const plain = decryptContentStream(inChunks(stored.subarray(0, end), cuts), header, key, inWorkers ? { workers } : {})
        expect((await buffer(plain)).equals(content.subarray(0, end))).toBe(true)
      }),
      { numRuns: 40 },
    )
  })
})

describe('stopping', () => {
  test('an abort in the middle ends the stream and closes the source', async () => {
    const abort = new AbortController()
    const source = createReadStream(cryptoFixture('p5242880-ascii.bin.enc'))
    const { plain } = await decryptStream(source, [ASCII_PASSWORD], { workers, signal: abort.signal })
    let size = 0
    const reading = (async () => {
      for await (const chunk of plain as AsyncIterable<Buffer>) {
        size += chunk.length
        if (size > 1_000_000) abort.abort()
      }
    })()
    await expect(reading).rejects.toMatchObject({ code: 'cancelled' })
    expect(size).toBeLessThan(5_242_880)
    expect(source.destroyed).toBe(true)
  })

  test('an abort ends a source that never answers, while the header and while the content is awaited', async () => {
    for (const given of [10, 5000]) {
      const abort = new AbortController()
      const whole = readFileSync(cryptoFixture('p100001-ascii.bin.enc'))
      const stalled = new Readable({ read() {} })
      stalled.push(whole.subarray(0, given))
      const reading = decryptStream(stalled, [ASCII_PASSWORD], { workers, signal: abort.signal }).then(({ plain }) =>
        buffer(plain),
      )
      setTimeout(() => abort.abort(), 800)
      await expect(reading).rejects.toMatchObject({ code: 'cancelled' })
      expect(stalled.destroyed).toBe(true)
    }
  })

  test('a reader that goes away closes the source', async () => {
    const source = createReadStream(cryptoFixture('p5242880-ascii.bin.enc'))
    const { plain } = await decryptStream(source, [ASCII_PASSWORD], { workers })
    for await (const _chunk of plain) break
    await sleep(20)
    expect(plain.destroyed && source.destroyed).toBe(true)
  })

  test('a reader that rests makes the source rest: few pieces are taken ahead', async () => {
    const { header: bytes, key } = await createEncHeader('pw')
    let given = 0
    const endless = new Readable({
      read() {
        given += 65_536
        this.push(Buffer.alloc(65_536))
      },
    })
    const plain = decryptContentStream(endless, readEncHeader(bytes), key, { workers })
    for await (const _chunk of plain as AsyncIterable<Buffer>) {
      await sleep(500)
      break
    }
    expect(given).toBeLessThan(8 * 256 * 1024)
  })
})

describe('encrypting', () => {
  test.each([0, 17, 400_003])('%i bytes come back, encrypted in workers and on the spot', async (size) => {
    const plain = randomBytes(size)
    for (const options of [{ workers }, {}]) {
      const stored = await buffer(inChunks(plain, [100_000, 7]).pipe(createEncryptStream(UTF8_PASSWORD, options)))
      expect(stored.length).toBe(54 + size)
      const back = await decryptStream(Readable.from([stored]), [UTF8_PASSWORD], { workers })
      expect(sha256(await buffer(back.plain))).toBe(sha256(plain))
    }
  })

  test('the same key and salt give the bytes that the server made', async () => {
    const stored = readFileSync(cryptoFixture('p100000-utf8.bin.enc'))
    const header = readEncHeader(stored.subarray(0, 54))
    const unlocked = await unlockEnc(header, [UTF8_PASSWORD])
    const plain = await buffer((await decryptStream(Readable.from([stored]), [UTF8_PASSWORD])).plain)
    encryptCfb8InPlace(unlocked!.key.key, header.check.subarray(16), plain)
    expect(plain.equals(stored.subarray(54))).toBe(true)
  })

  test('two files of the same content and password have nothing in common', async () => {
    const encrypt = () => buffer(Readable.from([Buffer.alloc(64)]).pipe(createEncryptStream('pw')))
    const [one, other] = await Promise.all([encrypt(), encrypt()])
    expect(one.subarray(6, 22)).not.toEqual(other.subarray(6, 22))
    expect(one.subarray(54)).not.toEqual(other.subarray(54))
  })

  test('an abort ends it', async () => {
    const abort = new AbortController()
    const endless = new Readable({
      read() {
        this.push(Buffer.alloc(65_536))
      },
    })
    const stream = createEncryptStream('pw', { workers, signal: abort.signal })
    const reading = buffer(endless.pipe(stream))
    setTimeout(() => abort.abort(), 600)
    await expect(reading).rejects.toMatchObject({ name: 'AbortError' })
    endless.destroy()
  })
})
