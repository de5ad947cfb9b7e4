import { createReadStream } from 'node:fs'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { decryptStream } from '#engine/features/encryption/index.ts'
import type { Workers } from '#engine/foundation/workers.ts'
import { AppError, isCancelled, toAppError } from '#shared/errors.ts'
import type { PartKind } from '#shared/model/backup.ts'
import { HashMeter, type StoredPart } from './part-writer.ts'
import { checksum, TAR_BLOCK, tarPadding, tarSize } from './tar-format.ts'

const CHUNK = 128 * 1024
const COMPLETION_LINE = '-- PostgreSQL database dump complete'
/** The completion line stands within the last bytes of a dump; newer pg_dump puts an `\unrestrict` line after it. */
const TAIL_BYTES = 1024

export interface CheckOptions {
  password: string | null
  workers: Workers
  signal: AbortSignal
  /** Bytes read of the stored file. */
  onProgress?: (bytes: number) => void
}

/**
 * Reads a stored part back to its end, as it lies on the disk: size and SHA-256 are those written, it decrypts,
 * unpacks with its CRC, and a dump has its completion line, an archive its end.
 * @throws AppError `part-unreadable`, `cancelled`
 */
export async function checkPart(path: string, part: PartKind, stored: StoredPart, options: CheckOptions): Promise<void> {
  const { password, signal, workers } = options
  const ending = part === 'database' ? new DumpEnding() : new TarEnding()
  const meter = new HashMeter(options.onProgress)
  const file = createReadStream(path, { highWaterMark: CHUNK })
  const gunzip = createGunzip({ chunkSize: CHUNK })
  try {
    if (password === null) await pipeline(file, meter, gunzip, ending, { signal })
    else await decryptAndCheck()
    if (meter.size !== stored.size || meter.digest() !== stored.hash) throw new Error('it is not what was written')
    ending.assertComplete()
  } catch (error) {
    if (signal.aborted || isCancelled(error)) throw toAppError(signal.reason ?? error)
    throw new AppError(
      'part-unreadable',
      `The ${part} part of the backup could not be read back from the disk: ${(error as Error).message}. It was not put in place; the backups there are unchanged.`,
      { hint: 'Check the disk, then run the backup again.', details: { part }, cause: error },
    )
  }

  async function decryptAndCheck(): Promise<void> {
    const read = pipeline(file, meter, { signal })
    // it fails together with the reading of the plain bytes, which is what is waited for
    read.catch(() => {})
    const { plain } = await decryptStream(meter, password === null ? [] : [password], { workers, signal })
    await pipeline(plain, gunzip, ending, { signal })
    await read
  }
}

/** Keeps the end of a dump. */
class DumpEnding extends Writable {
  #tail = Buffer.alloc(0)

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#tail = Buffer.concat([this.#tail, chunk.subarray(-TAIL_BYTES)]).subarray(-TAIL_BYTES)
    done()
  }

  assertComplete(): void {
    if (!`\n${this.#tail.toString('latin1')}`.includes(`\n${COMPLETION_LINE}`)) throw new Error('its last line is missing')
  }
}

/** Walks the headers of an archive up to its two zero blocks. */
class TarEnding extends Writable {
  #header = Buffer.alloc(0)
  /** Bytes of content and padding still to pass. */
  #skip = 0
  #zeroBlocks = 0

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    try {
      this.#walk(chunk)
      done()
    } catch (error) {
      done(error as Error)
    }
  }

  #walk(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, chunk.length - at)
        this.#skip -= skipped
        at += skipped
        continue
      }
      const piece = chunk.subarray(at, at + TAR_BLOCK - this.#header.length)
      this.#header = Buffer.concat([this.#header, piece])
      at += piece.length
      if (this.#header.length === TAR_BLOCK) this.#enter()
    }
  }

  #enter(): void {
    const header = this.#header
    this.#header = Buffer.alloc(0)
    if (header.every((byte) => byte === 0)) {
      this.#zeroBlocks += 1
      return
    }
    const size = tarSize(header)
    const sum = Number.parseInt(header.toString('latin1', 148, 156), 8)
    if (this.#zeroBlocks > 0 || size === null || sum !== checksum(header)) throw new Error('its archive is damaged')
    this.#skip = size + tarPadding(size)
  }

  assertComplete(): void {
    if (this.#zeroBlocks < 2 || this.#skip > 0 || this.#header.length > 0) throw new Error('its archive has no end')
  }
}
