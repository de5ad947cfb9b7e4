import { Transform, type TransformCallback } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { DumpCheck } from '#engine/foundation/content/dump-check.ts'

const CHUNK_BYTES = 256 * 1024

export interface CheckedGzipOptions {
  /** Of unpacked bytes. */
  onProgress: (bytes: number) => void
  /**
   * Called at the end, with what is wrong with the content; null: nothing.
   * @throws when the stream must fail
   */
  requireEnd(problem: Error | null): Promise<void>
}

/**
 * Passes the gzip of a dump through as it is, and unpacks it beside that: the stream ends only when the gzip ended well and the dump has
 * its completion line. Unpacking holds the writer back when it is the slower one.
 */
export class CheckedGzip extends Transform {
  plainBytes = 0
  readonly #options: CheckedGzipOptions
  readonly #check = new DumpCheck()
  readonly #unpacker = createGunzip({ chunkSize: CHUNK_BYTES })
  readonly #unpacked: Promise<void>
  #problem: Error | null = null

  constructor(options: CheckedGzipOptions) {
    super({ highWaterMark: CHUNK_BYTES })
    this.#options = options
    this.#unpacker.on('data', (content: Buffer) => {
      this.plainBytes += content.length
      this.#check.write(content)
      options.onProgress(content.length)
    })
    this.#unpacked = new Promise((resolve) => {
      this.#unpacker.once('end', resolve)
      this.#unpacker.once('error', (error) => {
        this.#problem ??= error
        resolve()
      })
    })
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (this.#problem || this.#unpacker.destroyed || this.#unpacker.write(chunk)) {
      done(null, chunk)
      return
    }
    const goOn = () => {
      this.#unpacker.off('drain', goOn)
      this.#unpacker.off('close', goOn)
      done(null, chunk)
    }
    this.#unpacker.on('drain', goOn)
    this.#unpacker.on('close', goOn)
  }

  override _flush(done: TransformCallback): void {
    this.#end().then(() => done(), done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#unpacker.destroy()
    done(error)
  }

  async #end(): Promise<void> {
    if (!this.#problem) this.#unpacker.end()
    await this.#unpacked
    try {
      if (!this.#problem) this.#check.end()
    } catch (error) {
      this.#problem = error as Error
    }
    await this.#options.requireEnd(this.#problem)
  }
}
