import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { type Readable, Transform, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createEncryptStream } from '#engine/features/encryption/index.ts'
import { ParallelGzip } from '#engine/foundation/files/parallel-gzip.ts'
import type { Workers } from '#engine/foundation/workers.ts'

const CHUNK = 128 * 1024

export interface PartOptions {
  /** null: not encrypted. With one, plain bytes never touch the disk. */
  password: string | null
  /** zlib's, 1 to 9. */
  compression: number
  workers: Workers
  signal: AbortSignal
  /** The source is gzip already: how many bytes came of it so far, unpacked. */
  plainBytes?: (() => number) | undefined
}

export interface StoredPart {
  /** Bytes of the file as stored. */
  size: number
  /** Lower-case hex SHA-256 of the file as stored. */
  hash: string
  /** Bytes before compression. */
  plainSize: number
}

/** Compresses, encrypts when asked to, hashes and stores one part, synced to the disk. Closes the file in any case. */
export async function writePart(source: Readable, file: FileHandle, options: PartOptions): Promise<StoredPart> {
  const { password, signal, workers } = options
  try {
    const gzip = options.plainBytes ? null : new ParallelGzip(options.compression)
    const encryption = password === null ? null : createEncryptStream(password, { workers, signal })
    const meter = new HashMeter()
    const steps = [gzip, encryption, meter].filter((step) => step !== null)
    await pipeline([source, ...steps, new FileSink(file)], { signal })
    await file.sync()
    const plainSize = gzip?.plainBytes ?? options.plainBytes?.() ?? 0
    return { size: meter.size, hash: meter.digest(), plainSize }
  } finally {
    await file.close()
  }
}

/** Appends to an open file that stays open: it is synced and closed by its owner. */
class FileSink extends Writable {
  readonly #file: FileHandle

  constructor(file: FileHandle) {
    super({ highWaterMark: 4 * CHUNK })
    this.#file = file
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    // unlike write(), it goes on until all is written
    this.#file.appendFile(chunk).then(() => done(), done)
  }
}

/** Passes bytes through, counting and hashing them. */
export class HashMeter extends Transform {
  readonly #hash = createHash('sha256')
  readonly #onBytes: ((count: number) => void) | undefined
  size = 0

  constructor(onBytes?: (count: number) => void) {
    super()
    this.#onBytes = onBytes
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: (error: null, chunk: Buffer) => void): void {
    this.size += chunk.length
    this.#hash.update(chunk)
    this.#onBytes?.(chunk.length)
    done(null, chunk)
  }

  /** Lower-case hex; once, at the end. */
  digest(): string {
    return this.#hash.digest('hex')
  }
}
