import { createCipheriv } from 'node:crypto'

/**
 * AES-256-CFB8, decryption. Byte i of the keystream is the first byte of the block cipher over the 16 ciphertext
 * bytes before i. Source: docs/formats.md, "Encrypted files".
 */

export const BLOCK = 16

/** 64 KiB measured best: smaller ones cost calls, larger ones fresh memory. */
const SLICE = 64 * 1024
const scratch = new Uint32Array(SLICE / 4)

/** A buffer that {@link decryptCfb8InPlace} can work on: the block before the piece, then the piece in whole blocks. */
export function bufferForPiece(length: number): ArrayBuffer {
  return new ArrayBuffer(BLOCK + Math.ceil(length / BLOCK) * BLOCK)
}

/**
 * Decrypts in place, with the block cipher alone: a pass of ECB over the ciphertext at each of its 16 byte
 * shifts gives the whole keystream. About 200 MB/s a thread, where the cipher `aes-256-cfb8` (which Electron does
 * not have) reaches 30.
 * @param buffer of {@link bufferForPiece}: the 16 ciphertext bytes before the piece, then the piece; afterwards
 * the piece is plain
 * @param length bytes of the piece
 */
export function decryptCfb8InPlace(key: Uint8Array, buffer: ArrayBuffer, length: number): void {
  const cipher = createCipheriv('aes-256-ecb', key, null)
  const words = new Uint32Array(buffer)
  // from back to front: the ciphertext that a slice needs from its predecessor is still there
  for (let start = Math.floor((length - 1) / SLICE) * SLICE; start >= 0; start -= SLICE) {
    const size = Math.ceil(Math.min(SLICE, length - start) / BLOCK) * BLOCK
    const keystream = (shift: number) => cipher.update(new Uint8Array(buffer, start + shift, size))
    // four passes make a byte each of every fourth word: words are read and written in a quarter of the steps
    for (let shift = 0; shift < BLOCK; shift += 4) {
      const [a, b, c, d] = [keystream(shift), keystream(shift + 1), keystream(shift + 2), keystream(shift + 3)]
      const first = (start + BLOCK) / 4
      for (let at = shift / 4, from = 0; from < size; at += BLOCK / 4, from += BLOCK) {
        scratch[at] =
          (words[first + at] as number) ^
          ((a[from] as number) | ((b[from] as number) << 8) | ((c[from] as number) << 16) | ((d[from] as number) << 24))
      }
      for (const used of [a, b, c, d]) release(used)
    }
    words.set(scratch.subarray(0, size / 4), (start + BLOCK) / 4)
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
  const buffer = bufferForPiece(piece.length)
  const bytes = Buffer.from(buffer)
  bytes.set(previous)
  bytes.set(piece, BLOCK)
  decryptCfb8InPlace(key, buffer, piece.length)
  return bytes.subarray(BLOCK, BLOCK + piece.length)
}
