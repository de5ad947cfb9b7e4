import { type TaskTable, transferring } from '#engine/foundation/worker-tasks.ts'
import { BLOCK, decryptCfb8InPlace, encryptCfb8 } from './cfb8.ts'

/** The 16 ciphertext bytes before a piece, then the piece of `length` bytes; the buffer may be longer. */
export interface DecryptPiece {
  key: Uint8Array
  buffer: ArrayBuffer
  length: number
}

export interface EncryptPiece {
  key: Uint8Array
  /** The 16 ciphertext bytes before the piece. */
  previous: Uint8Array
  piece: Uint8Array
  /** False: never the runtime's own cipher. */
  native?: boolean
}

/** Decrypts a piece in place; the plain bytes are at offset 16 of the returned buffer. */
export function decryptPiece({ key, buffer, length }: DecryptPiece): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(buffer)
  decryptCfb8InPlace(key, bytes, length)
  return bytes.subarray(BLOCK, BLOCK + length)
}

export function encryptPiece({ key, previous, piece, native }: EncryptPiece): Uint8Array<ArrayBuffer> {
  // copied: the runtime may hand out a view of a buffer that it shares
  return new Uint8Array(encryptCfb8(key, previous, piece, native))
}

/** What worker.ts offers of this room. */
export const encryptionTasks: TaskTable = {
  'encryption.decrypt': (payload: DecryptPiece) => {
    const plain = decryptPiece(payload)
    return transferring(plain, [plain.buffer])
  },
  'encryption.encrypt': (payload: EncryptPiece) => {
    const encrypted = encryptPiece(payload)
    return transferring(encrypted, [encrypted.buffer])
  },
}
