import { constants } from 'node:fs'
import { type FileHandle, lstat, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { addAbortSignal, Readable } from 'node:stream'
import { changedWhileReading, notAFile } from './repository-files.ts'
import type { FileStat, ReadOptions } from './types.ts'

/** As much as one SFTP request carries, so that nothing is put together anew on its way to a server. */
const CHUNK_BYTES = 240 * 1024

/** What a plain file looks like now; null: there is none, or it is a folder, a link or a device. */
export async function statPlainFile(path: string, name: string): Promise<FileStat | null> {
  const facts = await lstat(path, { bigint: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null
    throw error
  })
  if (!facts?.isFile()) return null
  return {
    name,
    size: Number(facts.size),
    version: `${facts.size}:${facts.mtimeNs}:${facts.ino}`,
    modified: new Date(Number(facts.mtimeMs)),
  }
}

/** Opens a plain file for reading; never follows a link, never waits on a pipe. @throws AppError `not-found` */
export async function openPlainFile(path: string): Promise<FileHandle> {
  const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)
  const handle = await open(path, flags).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ELOOP' || error.code === 'EMLINK' || error.code === 'ENXIO') return null
    throw error
  })
  if (handle && (await handle.stat()).isFile()) return handle
  await handle?.close()
  throw notAFile(path)
}

/** Reads a plain file as a stream. With `ifVersion` a file that changes under way ends in `changed-while-reading`. */
export async function readPlainFile(path: string, name: string, options: ReadOptions): Promise<Readable> {
  options.signal?.throwIfAborted()
  const handle = await openPlainFile(path)
  let position = options.offset ?? 0
  let left = options.length ?? Number.POSITIVE_INFINITY

  async function assertVersion(): Promise<void> {
    if (options.ifVersion === undefined) return
    const now = await statPlainFile(path, name)
    if (now?.version === options.ifVersion) return
    throw changedWhileReading(name, dirname(path))
  }

  /** null at the end. */
  async function next(): Promise<Buffer | null> {
    const wanted = Math.min(CHUNK_BYTES, left)
    if (wanted > 0) {
      const buffer = Buffer.allocUnsafeSlow(wanted)
      const { bytesRead } = await handle.read(buffer, 0, wanted, position)
      position += bytesRead
      left -= bytesRead
      if (bytesRead > 0) return buffer.subarray(0, bytesRead)
    }
    await assertVersion()
    return null
  }

  try {
    await assertVersion()
  } catch (error) {
    await handle.close()
    throw error
  }
  let reading: Promise<unknown> = Promise.resolve()
  const stream = new Readable({
    highWaterMark: CHUNK_BYTES,
    read() {
      reading = next().then(
        (chunk) => this.push(chunk),
        (error: Error) => this.destroy(error),
      )
    },
    destroy(error, callback) {
      // a read that is under way must end before the handle is closed
      reading
        .then(() => handle.close())
        .then(
          () => callback(error),
          (closing: Error) => callback(error ?? closing),
        )
    },
  })
  return options.signal ? addAbortSignal(options.signal, stream) : stream
}
