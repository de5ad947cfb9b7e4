import { type TaskTable, transferring } from '#engine/foundation/worker-tasks.ts'
import { BLOCK, decryptCfb8InPlace } from './cfb8.ts'
import { encryptCfb8InPlace } from './cfb8-encryptor.ts'

/** The 16 ciphertext bytes before a piece, then the piece of `length` bytes, in a buffer of `bufferForPiece`. */
export interface DecryptPiece {
  key: Uint8Array
  buffer: ArrayBuffer
  length: number
}

export interface EncryptPiece {
  key: Uint8Array
  /** The 16 ciphertext bytes before the piece. */
  previous: Uint8Array
  piece: Uint8Array<ArrayBuffer>
}

/** Decrypts a piece in place; the plain bytes are at offset 16 of the returned buffer. */
export function decryptPiece({ key, buffer, length }: DecryptPiece): Uint8Array<ArrayBuffer> {
  decryptCfb8InPlace(key, buffer, length)
  return new Uint8Array(buffer, BLOCK, length)
}

/** Encrypts a piece in place. */
export function encryptPiece({ key, previous, piece }: EncryptPiece): Uint8Array<ArrayBuffer> {
  encryptCfb8InPlace(key, previous, piece)
  return piece
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
