import { createGunzip } from 'node:zlib'

/** Reads a gzip file to its end beside other work, to tell whether its content is sound: structure, length and CRC. */
export class GzipCheck {
  readonly #gunzip = createGunzip({ chunkSize: 64 * 1024 })
  #problem: string | null = null
  #bytes = 0

  constructor() {
    this.#gunzip.on('error', (error) => {
      this.#problem = error.message
    })
    // only the verdict counts
    this.#gunzip.resume()
  }

  /** Resolves when the chunk was read; with what is wrong as soon as that is known, else null. */
  async write(chunk: Buffer): Promise<string | null> {
    this.#bytes += chunk.length
    if (!this.#problem) await new Promise<void>((resolve) => this.#gunzip.write(chunk, () => resolve()))
    return this.#problem
  }

  /** What is wrong with the whole, or null. */
  async end(): Promise<string | null> {
    if (this.#bytes === 0) return 'it is empty'
    if (!this.#problem) {
      await new Promise<void>((resolve) => {
        this.#gunzip.once('end', resolve)
        this.#gunzip.once('error', () => resolve())
        this.#gunzip.end()
      })
    }
    return this.#problem
  }

  destroy(): void {
    this.#gunzip.destroy()
  }
}
