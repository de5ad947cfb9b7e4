import type { Readable } from 'node:stream'
import { AppError, cancelledError } from '#shared/errors.ts'
import { orAborted } from '../../or-aborted.ts'
import { diskFull, existsAlready, isVague, type SftpSession } from './sftp-session.ts'

const REQUEST_BYTES = 32 * 1024
/** In flight at most. */
const REQUESTS = 64

/** Writes a stream into a file; many requests in flight. Resolves with the file's size, after it was synced. */
export async function writeRemoteFile(
  session: SftpSession,
  path: string,
  body: Readable,
  options: { offset?: number; exclusive?: boolean; mode?: number; signal?: AbortSignal },
): Promise<number> {
  const { sftp } = session
  const { offset = 0, signal } = options
  if (signal?.aborted) {
    body.destroy()
    throw cancelledError()
  }
  const abort = () => body.destroy(cancelledError())
  signal?.addEventListener('abort', abort, { once: true })
  let handle: Buffer | null = null
  try {
    handle = await openForWriting(session, path, options)
    const opened = handle
    if (offset > 0) await requireSize(session, path, opened, offset)
    await writeBody(session, path, opened, body, offset, signal)
    await sync(session, path, opened)
    const { size } = await session.ask<{ size: number }>(path, (done) => sftp.fstat(opened, done))
    handle = null
    await session.ask(path, (done) => sftp.close(opened, done))
    return size
  } catch (error) {
    throw signal?.aborted ? cancelledError() : error
  } finally {
    signal?.removeEventListener('abort', abort)
    body.destroy()
    const open = handle
    // what went wrong before is what counts
    const closed = open ? session.ask(path, (done) => sftp.close(open, done)).catch(() => {}) : null
    if (!signal?.aborted) await closed
  }
}

async function openForWriting(
  session: SftpSession,
  path: string,
  { offset = 0, exclusive, mode }: { offset?: number; exclusive?: boolean; mode?: number },
): Promise<Buffer> {
  const { sftp } = session
  const flags = offset > 0 ? 'r+' : exclusive ? 'wx' : 'w'
  const attributes = mode === undefined ? {} : { mode }
  try {
    return await session.ask<Buffer>(path, (done) => sftp.open(path, flags, attributes, done))
  } catch (error) {
    if (exclusive && isVague(error)) {
      const there = await session.ask(path, (done) => sftp.lstat(path, done)).catch(() => null)
      if (there) throw existsAlready(path, error)
    }
    throw error
  }
}

/** A file that is shorter than where it is to go on would get a hole. */
async function requireSize(session: SftpSession, path: string, handle: Buffer, offset: number): Promise<void> {
  const { size } = await session.ask<{ size: number }>(path, (done) => session.sftp.fstat(handle, done))
  if (size >= offset) return
  throw new AppError('remote-file-error', `${path} has ${size} bytes on the server, so it can’t be continued at ${offset}.`, {
    hint: 'Begin it anew.',
    details: { path, size, offset },
  })
}

async function writeBody(
  session: SftpSession,
  path: string,
  handle: Buffer,
  body: Readable,
  offset: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const inFlight = new Set<Promise<void>>()
  let failure: unknown = null
  let at = offset
  const chunks: AsyncIterator<Buffer | string> = body[Symbol.asyncIterator]()
  try {
    while (!failure) {
      // neither a source nor a server that stalled is waited for after an abort
      const next = await orAborted(chunks.next(), signal)
      if (next.done) break
      const bytes = typeof next.value === 'string' ? Buffer.from(next.value) : next.value
      for (let from = 0; from < bytes.length && !failure; from += REQUEST_BYTES) {
        const length = Math.min(REQUEST_BYTES, bytes.length - from)
        const position = at
        at += length
        const sent = session
          .ask<void>(path, (done) => session.sftp.write(handle, bytes, from, length, position, (error) => done(error)))
          .catch((error) => {
            failure ??= error
          })
          .finally(() => inFlight.delete(sent))
        inFlight.add(sent)
        if (inFlight.size >= REQUESTS) await orAborted(Promise.race(inFlight), signal)
      }
    }
    await orAborted(Promise.all(inFlight), signal)
  } finally {
    if (!signal?.aborted) await Promise.all(inFlight)
  }
  if (failure) throw await clearer(session, path, handle, failure)
}

/** OpenSSH does not say that a disk is full: it is asked how much room there is. */
async function clearer(session: SftpSession, path: string, handle: Buffer, error: unknown): Promise<unknown> {
  if (!isVague(error)) return error
  const room = await session.ask<Room>(path, (done) => session.sftp.ext_openssh_fstatvfs(handle, done)).catch(() => null)
  return room && room.f_bavail * room.f_frsize < REQUEST_BYTES * REQUESTS ? diskFull(path, error) : error
}

/** Blocks that users other than root may take, and their size. */
interface Room {
  f_bavail: number
  f_frsize: number
}

async function sync(session: SftpSession, path: string, handle: Buffer): Promise<void> {
  try {
    await session.ask(path, (done) => session.sftp.ext_openssh_fsync(handle, done))
  } catch (error) {
    // a server that can't is trusted to write what it took
    if (!(error instanceof AppError && error.code === 'unsupported')) throw error
  }
}
