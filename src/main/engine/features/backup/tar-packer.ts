import { TAR_RECORD } from './tar-format.ts'

/** Bytes of one piece of the stream; small files share one. */
const PIECE_BYTES = 128 * 1024

/**
 * Collects headers and contents in pieces of 128 KiB, so that an archive of many small files does not become a
 * stream of many small pieces. Each method that is a generator yields the pieces that became full.
 */
export class TarPacker {
  #piece = Buffer.allocUnsafeSlow(PIECE_BYTES)
  #used = 0
  #total = 0

  /** Free space of the current piece, at most `limit` bytes: read into it, then say {@link filled}. */
  space(limit: number): Buffer {
    return this.#piece.subarray(this.#used, Math.min(PIECE_BYTES, this.#used + limit))
  }

  *filled(count: number): Generator<Buffer> {
    this.#used += count
    this.#total += count
    if (this.#used === PIECE_BYTES) yield this.#take()
  }

  *bytes(data: Buffer): Generator<Buffer> {
    let from = 0
    while (from < data.length) {
      const count = data.copy(this.space(data.length - from), 0, from)
      from += count
      yield* this.filled(count)
    }
  }

  *zeros(count: number): Generator<Buffer> {
    let left = count
    while (left > 0) {
      const space = this.space(left)
      space.fill(0)
      left -= space.length
      yield* this.filled(space.length)
    }
  }

  /** Two zero blocks, then zeros up to a full record of GNU tar, or of another size. */
  *end(record = TAR_RECORD): Generator<Buffer> {
    yield* this.zeros(1024)
    yield* this.zeros((record - (this.#total % record)) % record)
    if (this.#used > 0) yield this.#take()
  }

  #take(): Buffer {
    const full = this.#piece.subarray(0, this.#used)
    this.#piece = Buffer.allocUnsafeSlow(PIECE_BYTES)
    this.#used = 0
    return full
  }
}
