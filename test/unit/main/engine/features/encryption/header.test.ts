import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { ENC_HEADER_BYTES, readEncHeader, unlockEnc } from '#engine/features/encryption/index.ts'
import { AppError } from '#shared/errors.ts'
import { ASCII_PASSWORD, cryptoFixture, UTF8_PASSWORD } from '#test/support/enc-fixtures.ts'
import { allowed } from '#test/support/patience.ts'
import { createEncHeader } from '../../../../../../src/main/engine/features/encryption/header.ts'

function headerOf(name: string): Buffer {
  return readFileSync(cryptoFixture(name)).subarray(0, ENC_HEADER_BYTES)
}

function errorOf(bytes: Buffer): AppError {
  try {
    readEncHeader(bytes)
  } catch (error) {
    if (error instanceof AppError) return error
  }
  throw new Error('It was accepted')
}

/** A header that asks for so many rounds. */
function withRounds(rounds: number): Buffer {
  const bytes = Buffer.alloc(ENC_HEADER_BYTES)
  bytes.write('Z1')
  bytes.writeUInt32LE(rounds, 2)
  return bytes
}

describe('reading a header', () => {
  test('reads what a server wrote', () => {
    const header = readEncHeader(headerOf('p31-ascii.bin.enc'))
    expect(header.iterations).toBe(661_223)
    expect(header.salt.toString('hex')).toBe('90ea171e8c31d5c641ddf22890b27a48')
    expect(header.check).toHaveLength(32)
  })

  test.each([
    ['bad-prefix.enc', 'not-a-backup'],
    ['bad-truncated-header.enc', 'not-a-backup'],
    ['bad-header-only.enc', 'ends-too-early'],
  ])('%s is refused: %s', (name, code) => {
    expect(errorOf(headerOf(name)).code).toBe(code)
  })

  test('says what the file starts with', () => {
    expect(errorOf(Buffer.from('PK\x03\x04 and more')).message).toBe(
      'Not a Zotonic backup: it starts with 50 4B, not with Z1. Left alone.',
    )
    expect(errorOf(Buffer.alloc(0)).message).toBe('Not a Zotonic backup: it is empty. Left alone.')
    expect(errorOf(Buffer.from('Z')).code).toBe('not-a-backup')
  })

  test('a header cut anywhere is refused', () => {
    const whole = headerOf('p0-ascii.bin.enc')
    for (let size = 0; size < ENC_HEADER_BYTES; size += 1) {
      expect(errorOf(whole.subarray(0, size)).code).toBe(size < 22 ? 'not-a-backup' : 'ends-too-early')
    }
    expect(readEncHeader(whole).iterations).toBe(664_531)
  })

  test('twenty million rounds are refused, one less is not', () => {
    expect(errorOf(withRounds(20_000_000)).code).toBe('not-a-backup')
    expect(errorOf(withRounds(0xffff_ffff)).message).toContain('4,294,967,295 rounds')
    expect(errorOf(withRounds(0)).code).toBe('not-a-backup')
    expect(readEncHeader(withRounds(19_999_999)).iterations).toBe(19_999_999)
    expect(readEncHeader(withRounds(1)).iterations).toBe(1)
  })
})

describe('unlocking', () => {
  test('finds the password that fits', async () => {
    const header = readEncHeader(headerOf('p31-ascii.bin.enc'))
    const unlocked = await unlockEnc(header, [UTF8_PASSWORD, ASCII_PASSWORD])
    expect(unlocked?.index).toBe(1)
    expect(unlocked?.key.key).toHaveLength(32)
  })

  test('null when none fits, and a wrong one is known within a second after the key is derived', async () => {
    const header = readEncHeader(headerOf('p32-utf8.bin.enc'))
    expect(await unlockEnc(header, ['wrong', ASCII_PASSWORD])).toBeNull()
    expect(await unlockEnc(header, [])).toBeNull()
  })

  test('an abort is told at once, in the middle of a derivation of many seconds', async () => {
    const abort = new AbortController()
    const started = performance.now()
    const unlocking = unlockEnc(readEncHeader(withRounds(19_999_999)), ['any'], abort.signal)
    setTimeout(() => abort.abort(), 50)
    await expect(unlocking).rejects.toMatchObject({ code: 'cancelled' })
    expect(performance.now() - started).toBeLessThan(allowed(1000))
  })

  test('a new header opens with its password, and only with that', async () => {
    const { header: bytes, key } = await createEncHeader('pässword')
    const header = readEncHeader(bytes)
    expect(header.iterations).toBeGreaterThan(600_000)
    expect(header.iterations).toBeLessThanOrEqual(665_535)
    expect((await unlockEnc(header, ['password', 'pässword']))?.key.key).toEqual(key.key)
  })
})
