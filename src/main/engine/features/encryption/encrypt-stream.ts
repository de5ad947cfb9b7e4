import { Transform } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Workers } from '#engine/foundation/workers.ts'
import { BLOCK } from './cfb8.ts'
import { createEncHeader, type EncKey } from './header.ts'
import { type EncryptPiece, encryptPiece } from './tasks.ts'

/** Bytes encrypted in one go on the calling thread, in some 7 ms. */
const PIECE = 64 * 1024

/** Bytes that a worker is given: the stream waits for each piece, and the way there and back costs milliseconds. */
const WORKER_PIECE = 512 * 1024

export interface EncryptOptions {
  /** Without workers the work is done on the calling thread, in slices of 64 KiB; a worker is given 512 KiB at once. */
  workers?: Workers
  signal?: AbortSignal
}

/**
 * Turns a plain stream into the bytes of an `.enc` file: header first, then the content. The key is derived
 * while the first bytes come in. An abort destroys the stream.
 */
export function createEncryptStream(password: string, options: EncryptOptions = {}): Transform {
  return new EncryptStream(password, options)
}

class EncryptStream extends Transform {
  readonly #password: string
  readonly #options: EncryptOptions
  readonly #pieceSize: number
  #key: EncKey | null = null
  /** The 16 ciphertext bytes before the next piece. */
  #previous: Uint8Array = new Uint8Array(BLOCK)
  #gathered: Buffer[] = []
  #gatheredBytes = 0

  constructor(password: string, options: EncryptOptions) {
    const pieceSize = options.workers ? WORKER_PIECE : PIECE
    super({ highWaterMark: pieceSize, ...(options.signal ? { signal: options.signal } : {}) })
    this.#pieceSize = pieceSize
    this.#password = password
    this.#options = options
  }

  override _construct(done: (error?: Error | null) => void): void {
    createEncHeader(this.#password)
      .then(({ header, key }) => {
        this.#key = key
        this.#previous = header.subarray(header.length - BLOCK)
        this.push(header)
        done()
      })
      .catch(done)
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#gathered.push(chunk)
    this.#gatheredBytes += chunk.length
    if (this.#gatheredBytes < this.#pieceSize) done()
    else this.#encryptGathered().then(() => done(), done)
  }

  override _flush(done: (error?: Error | null) => void): void {
    this.#encryptGathered().then(() => done(), done)
  }

  async #encryptGathered(): Promise<void> {
    const plain = this.#gathered.length === 1 && this.#gathered[0] ? this.#gathered[0] : Buffer.concat(this.#gathered)
    this.#gathered = []
    this.#gatheredBytes = 0
    for (let at = 0; at < plain.length; at += this.#pieceSize) {
      if (this.destroyed) return
      const encrypted = await this.#encrypt(plain.subarray(at, at + this.#pieceSize))
      this.#previous = Buffer.concat([this.#previous, encrypted.subarray(-BLOCK)]).subarray(-BLOCK)
      this.push(encrypted)
    }
  }

  async #encrypt(piece: Uint8Array): Promise<Buffer> {
    if (!this.#key) throw new Error('Encrypting before the key is there')
    const { workers, signal } = this.#options
    // copied: the piece is encrypted in place, and views take the whole buffer behind them along to the worker
    const work: EncryptPiece = { key: this.#key.key, previous: new Uint8Array(this.#previous), piece: new Uint8Array(piece) }
    if (workers) {
      const encrypted = await workers.run<Uint8Array>('encryption.encrypt', work, { transfer: [work.piece.buffer], signal })
      return Buffer.from(encrypted.buffer, encrypted.byteOffset, encrypted.byteLength)
    }
    await nextTurn()
    return Buffer.from(encryptPiece(work).buffer)
  }
}
