import { Readable } from 'node:stream'
import type { Attributes } from 'ssh2'
import { cancelledError, throwIfCancelled } from '#shared/errors.ts'
import { collectPassed } from '../../collect-passed.ts'
import { ALONE_BYTES, type Lane, openLanes, type SessionOf } from './sftp-lanes.ts'
import type { SftpSession } from './sftp-session.ts'

const HIGH_WATER_BYTES = 256 * 1024

/**
 * A file as a stream: many requests in flight, handed on in order, no more of them than the reader takes.
 * @param range.length bytes at most; null: to its end
 */
export async function readRemoteFile(
  sessionOf: SessionOf,
  path: string,
  range: { offset: number; length: number | null },
  signal?: AbortSignal,
): Promise<Readable> {
  throwIfCancelled(signal)
  let opened: string | null = null
  const lanes = await openLanes(sessionOf, path, async (session, isFirst) => {
    const { sftp } = session
    const handle = await session.ask<Buffer>(path, (done) => sftp.open(path, 'r', done))
    if (isFirst) return handle
    // meanwhile there may be another file of that name
    opened ??= await identityOf(lanes.first.session, path, lanes.first.handle)
    if ((await identityOf(session, path, handle)) === opened) return handle
    throw new Error('another file')
  })
  const end = range.length === null ? Number.POSITIVE_INFINITY : range.offset + range.length
  let next = range.offset
  let hasEnded = false
  /** Asked for and not handed on yet. */
  let ahead = 0
  const waiting: { asked: number; bytes: Promise<Buffer> }[] = []

  /** False: enough is under way. */
  function request(): boolean {
    const lane = hasEnded || next >= end || ahead >= lanes.capacity ? null : lanes.roomiest()
    if (!lane) return false
    const at = next
    const asked = Math.min(lane.session.pieceBytes, end - at)
    next += asked
    ahead += asked
    lane.inFlight += asked
    const bytes = readPiece(lane, path, at, asked).finally(() => {
      lane.inFlight -= asked
    })
    // it is told in its turn
    bytes.catch(() => {})
    waiting.push({ asked, bytes })
    return true
  }

  let isPulling = false
  async function pull(): Promise<void> {
    if (isPulling) return
    isPulling = true
    try {
      for (;;) {
        while (request());
        if (next - range.offset > ALONE_BYTES / 2) lanes.widen()
        const piece = waiting.shift()
        const bytes = await piece?.bytes
        if (!piece || !bytes || bytes.length === 0) {
          readable.push(null)
          return
        }
        ahead -= piece.asked
        collectPassed(bytes.length)
        // a short piece is the file's last one: what a growing file had behind it by then must not close up to it
        if (bytes.length < piece.asked) {
          hasEnded = true
          waiting.length = 0
        }
        if (!readable.push(bytes)) return
      }
    } catch (error) {
      readable.destroy(error as Error)
    } finally {
      isPulling = false
    }
  }

  const abort = () => readable.destroy(cancelledError())
  const readable = new Readable({
    highWaterMark: HIGH_WATER_BYTES,
    read: () => void pull(),
    destroy(error, done) {
      signal?.removeEventListener('abort', abort)
      hasEnded = true
      void lanes.close()
      done(error)
    },
  })
  signal?.addEventListener('abort', abort, { once: true })
  if (signal?.aborted) abort()
  return readable
}

async function identityOf(session: SftpSession, path: string, handle: Buffer): Promise<string> {
  const { size, mtime } = await session.ask<Attributes>(path, (done) => session.sftp.fstat(handle, done))
  return `${size}:${mtime}`
}

/** Shorter than asked for only at the end of the file. */
async function readPiece({ session, handle }: Lane, path: string, at: number, length: number): Promise<Buffer> {
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
