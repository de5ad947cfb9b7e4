import { Readable } from 'node:stream'
import { cancelledError, throwIfCancelled } from '#shared/errors.ts'
import type { SftpSession } from './sftp-session.ts'

const REQUEST_BYTES = 32 * 1024
/** In flight at most; ssh2's own stream has one, and waits for each answer. */
const REQUESTS = 64

/**
 * A file as a stream: many requests in flight, handed on in order, no more of them than the reader takes.
 * @param range.length bytes at most; null: to its end
 */
export async function readRemoteFile(
  session: SftpSession,
  path: string,
  range: { offset: number; length: number | null },
  signal?: AbortSignal,
): Promise<Readable> {
  throwIfCancelled(signal)
  const { sftp } = session
  const handle = await session.ask<Buffer>(path, (done) => sftp.open(path, 'r', done))
  const end = range.length === null ? Number.POSITIVE_INFINITY : range.offset + range.length
  let next = range.offset
  let hasEnded = false
  const waiting: Promise<Buffer>[] = []

  function request(): void {
    const at = next
    const length = Math.min(REQUEST_BYTES, end - at)
    next += length
    const piece = readPiece(session, path, handle, at, length)
    // it is told in its turn
    piece.catch(() => {})
    waiting.push(piece)
  }

  let isPulling = false
  async function pull(): Promise<void> {
    if (isPulling) return
    isPulling = true
    try {
      for (;;) {
        while (!hasEnded && waiting.length < REQUESTS && next < end) request()
        const piece = await waiting.shift()
        if (piece !== undefined && piece.length > 0) {
          // a short piece is the file's last one
          if (piece.length < REQUEST_BYTES) hasEnded = true
          if (!readable.push(piece)) return
        } else {
          readable.push(null)
          return
        }
      }
    } catch (error) {
      readable.destroy(error as Error)
    } finally {
      isPulling = false
    }
  }

  const abort = () => readable.destroy(cancelledError())
  const readable = new Readable({
    highWaterMark: REQUEST_BYTES * 8,
    read: () => void pull(),
    destroy(error, done) {
      signal?.removeEventListener('abort', abort)
      hasEnded = true
      // answered after the requests before it; a connection that is lost has closed it
      session.ask(path, (closed) => sftp.close(handle, closed)).catch(() => {})
      done(error)
    },
  })
  signal?.addEventListener('abort', abort, { once: true })
  if (signal?.aborted) abort()
  return readable
}

/** Shorter than asked for only at the end of the file. */
async function readPiece(session: SftpSession, path: string, handle: Buffer, at: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length)
  let filled = 0
  while (filled < length) {
    const count = await session.ask<number>(path, (done) =>
      session.sftp.read(handle, buffer, filled, length - filled, at + filled, (error, bytes) => done(error, bytes)),
    )
    if (count === 0) break
    filled += count
  }
  return buffer.subarray(0, filled)
}
