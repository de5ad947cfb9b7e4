import { createDecipheriv, createHmac, pbkdf2Sync } from 'node:crypto'

/**
 * Reads an `.enc` file as a server does, by the layout alone (docs/formats.md, "Encrypted files") and the cipher that Node
 * has: shares no code with the product. Throws at anything that a server would not write.
 */
export function strictlyDecrypted(file: Buffer, password: string): Buffer {
  if (file.toString('latin1', 0, 2) !== 'Z1') throw new Error('wrong prefix')
  const iterations = file.readUInt32LE(2)
  if (iterations < 600_001 || iterations > 665_535) throw new Error(`${iterations} iterations`)
  if (file.length < 54) throw new Error('too short')
  const salt = file.subarray(6, 22)
  const bits = pbkdf2Sync(Buffer.from(password, 'utf8'), salt, iterations, 48, 'sha256')
  const decipher = createDecipheriv('aes-256-cfb8', bits.subarray(16), bits.subarray(0, 16))
  const plain = Buffer.concat([decipher.update(file.subarray(22)), decipher.final()])
  const check = createHmac('sha256', password)
    .update(Buffer.concat([salt, Buffer.from(password, 'utf8')]))
    .digest()
  if (!plain.subarray(0, 32).equals(check)) throw new Error('wrong password')
  return plain.subarray(32)
}
