import { createGunzip } from 'node:zlib'

/** Reads a gzip file to its end beside other work, to tell whether its content is sound: structure, length and CRC. */
export class GzipCheck {
  readonly #gunzip = createGunzip({ chunkSize: 64 * 1024 })
  #problem: string | null = null
  #bytes = 0
  #isOver = false
  /** Ends the wait that is under way: after an error or the end of the data zlib calls nobody back. */
  #release: () => void = () => {}

  constructor() {
    this.#gunzip.on('error', (error) => {
      this.#problem = error.message
      this.#release()
    })
    this.#gunzip.on('end', () => {
      this.#isOver = true
      this.#release()
    })
    // only the verdict counts
    this.#gunzip.resume()
  }

  /** Resolves when the chunk was read; with what is wrong as soon as that is known, else null. */
  async write(chunk: Buffer): Promise<string | null> {
    this.#bytes += chunk.length
    return this.#wait((done) => this.#gunzip.write(chunk, () => done()))
  }

  /** What is wrong with the whole, or null. */
  async end(): Promise<string | null> {
    if (this.#bytes === 0) return 'it is empty'
    await this.#wait(() => this.#gunzip.end())
    // zero bytes behind the last member are passed over by gunzip in silence
    if (this.#problem === null && this.#gunzip.bytesWritten !== this.#bytes) this.#problem = 'something follows its end'
    return this.#problem
  }

  destroy(): void {
    this.#gunzip.destroy()
  }

  async #wait(start: (done: () => void) => void): Promise<string | null> {
    if (this.#problem === null && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#release = resolve
        start(resolve)
      })
    }
    return this.#problem
  }
}
