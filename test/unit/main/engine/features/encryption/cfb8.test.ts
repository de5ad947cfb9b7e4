import { createCipheriv, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decryptCfb8 } from '../../../../../../src/main/engine/features/encryption/cfb8.ts'
import { encryptCfb8InPlace } from '../../../../../../src/main/engine/features/encryption/cfb8-encryptor.ts'

/** NIST SP 800-38A, F.3.17 and F.3.18: CFB8-AES256. */
const nist = {
  key: Buffer.from('603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4', 'hex'),
  iv: Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex'),
  plain: Buffer.from('6bc1bee22e409f96e93d7e117393172aae2d', 'hex'),
  cipher: Buffer.from('dc1f1a8520a64db55fcc8ac554844e889700', 'hex'),
}

const key = fc.uint8Array({ minLength: 32, maxLength: 32 })
const block = fc.uint8Array({ minLength: 16, maxLength: 16 })

/** By the runtime's own cipher, which only Node has. */
function natively(secret: Uint8Array, iv: Uint8Array, plain: Uint8Array): Buffer {
  return createCipheriv('aes-256-cfb8', secret, iv).update(plain)
}

function encrypted(secret: Uint8Array, iv: Uint8Array, plain: Uint8Array): Buffer {
  const bytes = Buffer.from(plain)
  encryptCfb8InPlace(secret, iv, bytes)
  return bytes
}

describe('encrypting', () => {
  test('gives the vector of NIST SP 800-38A, F.3.17', () => {
    expect(encrypted(nist.key, nist.iv, nist.plain)).toEqual(nist.cipher)
  })

  test('gives the first byte of the vector of FIPS 197, C.3', () => {
    const secret = Buffer.from('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f', 'hex')
    const block = Buffer.from('00112233445566778899aabbccddeeff', 'hex')
    expect(encrypted(secret, block, Buffer.alloc(1)).toString('hex')).toBe('8e')
  })

  test('goes on where a piece ended', () => {
    const [secret, iv, plain] = [randomBytes(32), randomBytes(16), randomBytes(1000)]
    const first = encrypted(secret, iv, plain.subarray(0, 333))
    const second = encrypted(secret, first.subarray(-16), plain.subarray(333))
    expect(Buffer.concat([first, second])).toEqual(encrypted(secret, iv, plain))
  })

  test('agrees with the runtime’s own cipher on anything', () => {
    fc.assert(
      fc.property(key, block, fc.uint8Array({ maxLength: 200 }), (secret, iv, plain) => {
        expect(encrypted(secret, iv, plain).equals(natively(secret, iv, plain))).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  test.each([65_519, 65_520, 65_521, 65_536, 131_040, 131_056, 200_001])('%i bytes, over the edges of its slices', (size) => {
    const [secret, iv, plain] = [randomBytes(32), randomBytes(16), randomBytes(size)]
    expect(encrypted(secret, iv, plain).equals(natively(secret, iv, plain))).toBe(true)
  })

  test('takes keys of 32 bytes only', () => {
    expect(() => encrypted(randomBytes(16), randomBytes(16), Buffer.alloc(1))).toThrow(RangeError)
  })
})

test('the vector of NIST SP 800-38A, F.3.18 decrypts', () => {
  expect(decryptCfb8(nist.key, nist.iv, nist.cipher)).toEqual(nist.plain)
})

test('decrypting undoes encrypting, for any length', () => {
  fc.assert(
    fc.property(key, block, fc.uint8Array({ maxLength: 200 }), (secret, iv, plain) => {
      const cipher = createCipheriv('aes-256-cfb8', secret, iv).update(plain)
      expect(Buffer.compare(decryptCfb8(secret, iv, cipher), plain)).toBe(0)
    }),
  )
})

test.each([65_535, 65_536, 65_537, 65_552, 131_072, 200_001])('decrypts %i bytes, over the edges of its slices', (size) => {
  const [secret, iv, plain] = [randomBytes(32), randomBytes(16), randomBytes(size)]
  const cipher = createCipheriv('aes-256-cfb8', secret, iv).update(plain)
  expect(decryptCfb8(secret, iv, cipher).equals(plain)).toBe(true)
})

test('decrypting can start anywhere, with the 16 bytes before', () => {
  const [secret, iv, plain] = [randomBytes(32), randomBytes(16), randomBytes(5000)]
  const cipher = createCipheriv('aes-256-cfb8', secret, iv).update(plain)
  expect(decryptCfb8(secret, cipher.subarray(1001 - 16, 1001), cipher.subarray(1001))).toEqual(plain.subarray(1001))
})
