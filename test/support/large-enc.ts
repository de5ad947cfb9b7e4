import { createCipheriv, createHmac, pbkdf2Sync, randomBytes, randomFillSync } from 'node:crypto'
import { open } from 'node:fs/promises'

const ITERATIONS = 600_001

/**
 * Writes an `.enc` file of any size as fast as the disk takes it: a true header, and random bytes as the encrypted content,
 * which open to others as random. Shares no code with the product.
 * @returns what a program needs that starts behind the header: the key and the 16 bytes before the content
 */
export async function writeLargeEnc(path: string, password: string, contentBytes: number): Promise<{ key: Buffer; iv: Buffer }> {
  const salt = randomBytes(16)
  const bits = pbkdf2Sync(password, salt, ITERATIONS, 48, 'sha256')
  const key = bits.subarray(16)
  const check = createHmac('sha256', password).update(salt).update(password).digest()
  const encrypted = createCipheriv('aes-256-cfb8', key, bits.subarray(0, 16)).update(check)
  const rounds = Buffer.alloc(4)
  rounds.writeUInt32LE(ITERATIONS)
  const file = await open(path, 'wx')
  try {
    await file.write(Buffer.concat([Buffer.from('Z1'), rounds, salt, encrypted]))
    const block = Buffer.alloc(4_000_000)
    for (let left = contentBytes; left > 0; left -= block.length) {
      await file.write(randomFillSync(block), 0, Math.min(block.length, left))
    }
  } finally {
    await file.close()
  }
  return { key, iv: encrypted.subarray(16) }
}
