import { createCipheriv, getCiphers } from 'node:crypto'
import { Aes256 } from './aes.ts'

/**
 * AES-256-CFB8. Byte i of the keystream is the first byte of the block cipher over the 16 ciphertext bytes
 * before i. Source: docs/formats.md, "Encrypted files".
 */

export const BLOCK = 16

/** 64 KiB: small enough for the cipher's output to come from the heap's free lists, which is the faster half. */
const SLICE = 64 * 1024
const scratch = new Uint8Array(SLICE)

/**
 * Decrypts in place, with the block cipher alone: a pass of ECB over the ciphertext at each of its 16 byte
 * shifts gives the whole keystream. About 100 MB/s a thread, where the cipher `aes-256-cfb8` (which Electron does
 * not have) reaches 30.
 * @param bytes the 16 ciphertext bytes before the piece, then the piece; afterwards the piece is plain
 * @param length bytes of the piece
 */
export function decryptCfb8InPlace(key: Uint8Array, bytes: Uint8Array, length: number): void {
  const cipher = createCipheriv('aes-256-ecb', key, null)
  // from back to front: the ciphertext that a slice needs from its predecessor is still there
  for (let start = Math.floor((length - 1) / SLICE) * SLICE; start >= 0; start -= SLICE) {
    const size = Math.min(SLICE, length - start)
    for (let shift = 0; shift < Math.min(BLOCK, size); shift += 1) {
      const first = start + shift
      const blocks = Math.ceil((size - shift) / BLOCK)
      const stream = cipher.update(bytes.subarray(first, first + blocks * BLOCK))
      for (let at = shift, from = 0; at < size; at += BLOCK, from += BLOCK) {
        scratch[at] = (bytes[start + at + BLOCK] as number) ^ (stream[from] as number)
      }
      release(stream)
    }
    bytes.set(scratch.subarray(0, size), start + BLOCK)
  }
}

/**
 * Gives the memory of a used buffer back at once, where the runtime can (since V8 11.4). Sixteen bytes of keystream are
 * made for each byte: left to the collector they add some 80 MB a thread, and a third of the speed is lost.
 */
function release({ buffer, byteLength }: Uint8Array): void {
  const own: ArrayBufferLike & { transfer?: (length: number) => unknown } = buffer
  // never a buffer that others have views of
  if (own.byteLength === byteLength) own.transfer?.(0)
}

/**
 * Decrypts a piece of any length into a new buffer.
 * @param previous the 16 ciphertext bytes before it; the IV at the start
 */
export function decryptCfb8(key: Uint8Array, previous: Uint8Array, piece: Uint8Array): Buffer {
  const bytes = Buffer.concat([previous, piece])
  decryptCfb8InPlace(key, bytes, piece.length)
  return bytes.subarray(BLOCK)
}

const hasNativeCfb8 = getCiphers().includes('aes-256-cfb8')

/**
 * Encrypts a piece. Serial by nature: each byte needs the one before. 30 MB/s where the runtime has the cipher,
 * else some 4 MB/s by {@link Aes256}.
 * @param previous the 16 ciphertext bytes before it; the IV at the start
 * @param native false: never the runtime's cipher
 */
export function encryptCfb8(key: Uint8Array, previous: Uint8Array, piece: Uint8Array, native = hasNativeCfb8): Buffer {
  if (native) return createCipheriv('aes-256-cfb8', key, previous).update(piece)
  return Buffer.from(new Aes256(key).encryptCfb8(previous, piece))
}
