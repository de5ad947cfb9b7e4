import { createHash, type Hash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { orAborted } from '../../or-aborted.ts'

export interface Part {
  /** From 1 on. */
  number: number
  bytes: Buffer
  md5: Buffer
  buffer: Buffer
}

/** Cuts a stream into parts that can be sent more than once. Their memory is used again when they are given back. */
export class PartCutter {
  readonly #body: Readable
  readonly #chunks: AsyncIterator<Uint8Array | string>
  readonly #free: Buffer[] = []
  #left: Uint8Array = new Uint8Array(0)
  #number: number
  #isAtEnd = false
  #again: Part | null = null
  readonly #sha256: Hash | null

  /**
   * @param options.isHashed whether the SHA-256 of all bytes is wanted
   * @param options.after how many parts come before the body's first one
   */
  constructor(body: Readable, options: { isHashed?: boolean; after?: number } = {}) {
    this.#body = body
    this.#number = options.after ?? 0
    this.#chunks = body[Symbol.asyncIterator]()
    this.#sha256 = options.isHashed ? createHash('sha256') : null
  }

  /** The next part of `size` bytes, the last one shorter; null at the end. */
  async next(size: number, signal?: AbortSignal): Promise<Part | null> {
    const again = this.#again
    this.#again = null
    if (again) return again
    const buffer = this.#free.pop() ?? Buffer.allocUnsafeSlow(size)
    const md5 = createHash('md5')
    let length = 0
    while (length < size) {
      if (this.#left.length === 0 && !(await this.#read(signal))) break
      const taken = this.#left.subarray(0, size - length)
      buffer.set(taken, length)
      md5.update(taken)
      this.#sha256?.update(taken)
      length += taken.length
      this.#left = this.#left.subarray(taken.length)
    }
    if (length === 0) return null
    this.#number += 1
    return { number: this.#number, bytes: buffer.subarray(0, length), md5: md5.digest(), buffer }
  }

  /** Whether everything was read and cut. */
  async isAtEnd(signal?: AbortSignal): Promise<boolean> {
    return this.#left.length === 0 && !(await this.#read(signal))
  }

  /** The part comes as the next one once more. */
  putBack(part: Part): void {
    this.#again = part
  }

  giveBack({ buffer }: Part): void {
    this.#free.push(buffer)
  }

  /** Lower-case hex SHA-256 of all that was cut. */
  sha256(): string | null {
    return this.#sha256?.digest('hex') ?? null
  }

  destroy(): void {
    this.#body.destroy()
  }

  async #read(signal: AbortSignal | undefined): Promise<boolean> {
    while (!this.#isAtEnd) {
      const next = await orAborted(this.#chunks.next(), signal)
      if (next.done) this.#isAtEnd = true
      else this.#left = typeof next.value === 'string' ? Buffer.from(next.value) : next.value
      if (this.#left.length > 0) return true
    }
    return false
  }
}
