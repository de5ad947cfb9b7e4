import { createGunzip } from 'node:zlib'
import { type ContentCheck, ContentProblem } from './content-problem.ts'

const CHUNK_BYTES = 128 * 1024

const REASONS: Record<string, string> = {
  'unexpected end of file': 'the file is cut: its compressed data has no end',
  'incorrect data check': 'its content differs from its CRC',
  'incorrect length check': 'its content differs from its recorded length',
  'incorrect header check': 'it is no gzip data, or something follows its end',
}

/**
 * Unpacks gzip data of one or many members to its end, CRCs and lengths included, and hands the content to a check.
 * Bytes after the end, which gunzip passes over in silence when they are zeros, are a problem too.
 * After the first problem it takes further bytes without looking at them, so that the caller can go on hashing.
 */
export class GunzipReader {
  readonly #check: ContentCheck
  readonly #gunzip = createGunzip({ chunkSize: CHUNK_BYTES })
  #fed = 0
  #problem: Error | null = null
  #isOver = false
  #wake: () => void = () => {}

  constructor(check: ContentCheck) {
    this.#check = check
    this.#gunzip.on('data', (content: Buffer) => {
      try {
        if (!this.#problem) check.write(content)
      } catch (error) {
        this.#fail(error)
      }
    })
    this.#gunzip.on('error', (error) =>
      this.#fail(new ContentProblem(REASONS[error.message] ?? `it can’t be unpacked (${error.message})`)),
    )
    this.#gunzip.on('end', () => {
      this.#isOver = true
      this.#wake()
    })
  }

  /** Resolves when the chunk was worked through: no more than one is under way. */
  async write(chunk: Buffer): Promise<void> {
    this.#fed += chunk.length
    if (this.#problem || this.#isOver || chunk.length === 0) return
    await new Promise<void>((resolve) => {
      // gunzip that has seen its end never calls back
      this.#wake = resolve
      this.#gunzip.write(chunk, () => resolve())
    })
  }

  /** What the check found. @throws ContentProblem */
  async end(): Promise<string> {
    if (!this.#problem && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
        this.#gunzip.end()
      })
    }
    const consumed = this.#gunzip.bytesWritten
    this.#gunzip.destroy()
    if (this.#problem) throw this.#problem
    if (this.#fed === 0) throw new ContentProblem('it has no content')
    if (consumed !== this.#fed) throw new ContentProblem(`${this.#fed - consumed} bytes follow the end of its compressed data`)
    return this.#check.end()
  }

  destroy(): void {
    this.#problem ??= new ContentProblem('it was not read to its end')
    this.#gunzip.destroy()
    this.#wake()
  }

  #fail(error: unknown): void {
    this.#problem ??= error instanceof Error ? error : new Error(String(error))
    this.#gunzip.destroy()
    this.#wake()
  }
}
