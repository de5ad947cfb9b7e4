import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { decryptStream } from '#engine/features/encryption/index.ts'
import { contentProblem, readToEnd } from '#engine/foundation/content/read-to-end.ts'
import type { Workers } from '#engine/foundation/workers.ts'
import { AppError, isCancelled, toAppError } from '#shared/errors.ts'
import type { PartKind } from '#shared/model/backup.ts'
import { HashMeter, type StoredPart } from './part-writer.ts'

const CHUNK = 128 * 1024

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
  const meter = new HashMeter(options.onProgress)
  const read = pipeline(createReadStream(path, { highWaterMark: CHUNK }), meter, { signal })
  // it fails together with the reading of what comes out of it, which is what is waited for
  read.catch(() => {})
  try {
    const packed = password === null ? meter : (await decryptStream(meter, [password], { workers, signal })).plain
    await readToEnd(packed as AsyncIterable<Buffer>, part, signal)
    await read
    if (meter.size !== stored.size || meter.digest() !== stored.hash) throw new Error('it is not what was written')
  } catch (error) {
    if (signal.aborted || isCancelled(error)) throw toAppError(signal.reason ?? error)
    throw new AppError(
      'part-unreadable',
      `The ${part} part of the backup could not be read back from the disk: ${contentProblem(error) ?? (error as Error).message}. It was not put in place; the backups there are unchanged.`,
      { hint: 'Check the disk, then run the backup again.', details: { part }, cause: error },
    )
  }
}
