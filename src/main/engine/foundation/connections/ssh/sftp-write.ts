import type { Readable } from 'node:stream'
import { AppError, cancelledError } from '#shared/errors.ts'
import { collectPassed } from '../../collect-passed.ts'
import { orAborted } from '../../or-aborted.ts'
import { ALONE_BYTES, IN_FLIGHT_BYTES, type Lane, type Lanes, openLanes, type SessionOf } from './sftp-lanes.ts'
import { diskFull, isVague, makeNew, type SftpSession } from './sftp-session.ts'
import type { RemoteWriteOptions } from './types.ts'

/**
 * How much of a file's beginning is sure after a write that was cut off: several channels do not write in order, so that
 * there may be holes in what was under way.
 */
export function sureBytes(size: number): number {
  return size <= ALONE_BYTES ? size : Math.max(ALONE_BYTES, size - IN_FLIGHT_BYTES)
}

/** Writes a stream into a file; many requests in flight. Resolves with the file's size, after it was synced. */
export async function writeRemoteFile(
  sessionOf: SessionOf,
  path: string,
  body: Readable,
  options: RemoteWriteOptions,
): Promise<number> {
  const { offset = 0, signal, onTaken } = options
  let lanes: Lanes | null = null
  try {
    if (signal?.aborted) throw cancelledError()
    const opened = await openLanes(sessionOf, path, (session, isFirst) =>
      isFirst ? openForWriting(session, path, options) : session.ask<Buffer>(path, (done) => session.sftp.open(path, 'r+', done)),
    )
    lanes = opened
    const { session, handle } = opened.first
    if (offset > 0) await requireSize(session, path, handle, offset)
    const end = await writeBody(opened, path, body, offset, signal)
    onTaken?.(end)
    await sync(session, path, handle)
    const { size } = await session.ask<{ size: number }>(path, (done) => session.sftp.fstat(handle, done))
    return size
  } catch (error) {
    throw signal?.aborted ? cancelledError() : error
  } finally {
    body.destroy()
    const closed = lanes?.close()
    // a server that does not answer is not waited for
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
  const open = () => session.ask<Buffer>(path, (done) => sftp.open(path, flags, attributes, done))
  return exclusive ? makeNew(session, path, open) : open()
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

/** Resolves with the end of what was written. */
async function writeBody(
  lanes: Lanes,
  path: string,
  body: Readable,
  offset: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  const inFlight = new Set<Promise<void>>()
  /** Where the first piece that failed begins: what is before was written. */
  let failure: { at: number; error: unknown } | null = null
  let at = offset

  function send(lane: Lane, piece: Buffer): void {
    const { session, handle } = lane
    const position = at
    at += piece.length
    collectPassed(piece.length)
    lane.inFlight += piece.length
    const sent = session
      .ask<void>(path, (done) => session.sftp.write(handle, piece, 0, piece.length, position, (error) => done(error)))
      .catch((error) => {
        if (failure === null || position < failure.at) failure = { at: position, error }
      })
      .finally(() => {
        lane.inFlight -= piece.length
        inFlight.delete(sent)
      })
    inFlight.add(sent)
  }

  /** Neither a source nor a server that stalled is waited for after an abort. */
  const settled = () => orAborted(Promise.all(inFlight), signal)
  try {
    for await (const piece of piecesOf(body, lanes.first.session.pieceBytes, signal)) {
      let lane = lanes.roomiest()
      while (!lane) {
        await orAborted(Promise.race(inFlight), signal)
        lane = lanes.roomiest()
      }
      if (failure) break
      send(lane, piece)
      if (at - offset > ALONE_BYTES / 2) lanes.widen()
    }
  } catch (error) {
    await settled()
    throw error
  }
  await settled()
  const failed = failure as { at: number; error: unknown } | null
  if (!failed) return at
  const { session, handle } = lanes.first
  // what came behind a piece that failed counts for nothing
  await session.ask(path, (done) => session.sftp.fsetstat(handle, { size: failed.at } as never, done)).catch(() => {})
  throw await clearer(session, path, handle, failed.error)
}

/** The bytes of a stream in pieces as large as a request may be; the last one is the rest, also of a source that broke off. */
async function* piecesOf(body: Readable, size: number, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
  const chunks: AsyncIterator<Buffer | string> = body[Symbol.asyncIterator]()
  let gathered: Buffer[] = []
  let length = 0
  let failure: unknown = null
  for (;;) {
    const next = await orAborted(chunks.next(), signal).catch((error: unknown) => {
      signal?.throwIfAborted()
      failure = error
      return null
    })
    if (next === null || next.done) break
    const bytes = typeof next.value === 'string' ? Buffer.from(next.value) : next.value
    gathered.push(bytes)
    length += bytes.length
    if (length < size) continue
    const all = gathered.length === 1 ? bytes : Buffer.concat(gathered)
    let from = 0
    for (; all.length - from >= size; from += size) yield all.subarray(from, from + size)
    gathered = from < all.length ? [all.subarray(from)] : []
    length -= from
  }
  if (length > 0) yield Buffer.concat(gathered)
  if (failure) throw failure
}

/** OpenSSH does not say that a disk is full: it is asked how much room there is. */
async function clearer(session: SftpSession, path: string, handle: Buffer, error: unknown): Promise<unknown> {
  if (!isVague(error)) return error
  const room = await session.ask<Room>(path, (done) => session.sftp.ext_openssh_fstatvfs(handle, done)).catch(() => null)
  return room && room.f_bavail * room.f_frsize < IN_FLIGHT_BYTES ? diskFull(path, error) : error
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
