import { setTimeout as sleep } from 'node:timers/promises'
import type { SFTPWrapper } from 'ssh2'
import { AppError } from '#shared/errors.ts'
import { connectionLost } from './errors.ts'
import type { Link } from './link.ts'
import { openChannel } from './open-channel.ts'

/** SFTP status codes. Source: draft-ietf-secsh-filexfer-02, section 7. */
const STATUS = { eof: 1, noSuchFile: 2, permissionDenied: 3, failure: 4, connectionLost: 7, unsupported: 8 }

/** Each request costs as much again as its bytes: few large ones are twice as fast as many small ones. */
const LARGEST_PIECE = 240 * 1024
/** What every server must take. Source: draft-ietf-secsh-filexfer-02, section 3. */
const SAFE_PIECE = 32 * 1024
/** A server that fails so often fails for another reason than a file that comes and goes. */
const MAKE_TRIES = 10

/** One SFTP channel of a connection, its calls as promises. */
export interface SftpSession {
  readonly sftp: SFTPWrapper
  /** The largest read or write that the server takes in one request. */
  readonly pieceBytes: number
  /** Set once nothing can be asked any more. */
  readonly isGone: boolean
  /** One request. @param path for the error */
  ask<T>(path: string, request: (done: (error?: Error | null, result?: T) => void) => void): Promise<T>
  /** What an error of a request means. */
  explain(error: unknown, path: string): AppError
}

export function openSftpSession(link: Link, place: string): Promise<SftpSession> {
  return openChannel<SftpSession>(link, place, {
    // at once: what the channel says meanwhile must not be missed
    ask: (done) => void link.client.sftp((error, sftp) => done(error, error ? (null as never) : sessionOf(sftp, link, place))),
    refused: (error) => noSftp(place, error),
    discard: ({ sftp }) => sftp.end(),
  })
}

function sessionOf(sftp: SFTPWrapper, link: Link, place: string): SftpSession {
  let isGone = false
  const gone = () => {
    isGone = true
  }
  sftp.once('close', gone)
  sftp.once('end', gone)
  // malformed answers: the channel is of no use then
  sftp.on('error', gone)

  function explain(error: unknown, path: string): AppError {
    if (error instanceof AppError) return error
    if (link.lost) return link.lost
    // ssh2 answers so what a channel left unanswered that ended, before it says that it did
    if (isGone || (error instanceof Error && error.message === 'No response from server')) return connectionLost(place, error)
    return statusError(error, path)
  }

  return {
    sftp,
    pieceBytes: pieceBytesOf(sftp),
    get isGone() {
      return isGone || link.lost !== null
    },
    explain,
    ask(path, request) {
      return new Promise((resolve, reject) => {
        // ssh2 never answers what is asked of a channel that is gone
        if (isGone || link.lost) return reject(link.lost ?? connectionLost(place))
        const stop = link.onLost(reject)
        try {
          request((error, result) => {
            stop()
            if (error) reject(explain(error, path))
            else resolve(result as never)
          })
        } catch (error) {
          stop()
          reject(explain(error, path))
        }
      })
    },
  }
}

/** ssh2 knows what the server takes, by its name or its limits, and splits larger pieces, one after the other. */
function pieceBytesOf(sftp: object): number {
  const { _maxReadLen: read, _maxWriteLen: write } = sftp as { _maxReadLen?: unknown; _maxWriteLen?: unknown }
  return typeof read === 'number' && typeof write === 'number' ? Math.min(read, write, LARGEST_PIECE) : SAFE_PIECE
}

/** `details.status` has the server's code: OpenSSH says 4 ("Failure") for most things, also for a full disk. */
function statusError(error: unknown, path: string): AppError {
  const { code, message } = error as { code?: unknown; message: string }
  const options = { details: { path, status: typeof code === 'number' ? code : null }, cause: error }
  if (code === STATUS.noSuchFile) return new AppError('not-found', `The server has no file or folder ${path}.`, options)
  if (code === STATUS.permissionDenied) {
    return new AppError('permission-denied', `The server does not allow this with ${path}.`, {
      ...options,
      hint: 'Check owner and mode of the file or folder on the server, and which user logs in.',
    })
  }
  if (code === STATUS.connectionLost) return new AppError('connection-lost', `The connection was lost at ${path}.`, options)
  if (code === STATUS.unsupported || /does not support this extended request/.test(message)) {
    return new AppError('unsupported', `The server can’t do this with ${path}.`, options)
  }
  if (/no space|quota|disk full/i.test(message)) return diskFull(path, error)
  return new AppError('remote-file-error', `The server could not do this with ${path}: ${message}.`, options)
}

/** Whether the server said no more than "Failure". */
export function isVague(error: unknown): boolean {
  return error instanceof AppError && error.code === 'remote-file-error' && error.details.status === STATUS.failure
}

/**
 * Makes a file, folder or link that must not be there yet. OpenSSH says no more than "Failure" when something is there
 * already, and by the time one looks it may be gone again: then it is made anew.
 * @throws AppError `exists`, and what `make` throws
 */
export async function makeNew<T>({ ask, sftp }: SftpSession, path: string, make: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await make()
    } catch (error) {
      if (!isVague(error)) throw error
      const isThere = await ask(path, (done) => sftp.lstat(path, done)).then(
        () => true,
        () => false,
      )
      if (isThere) throw existsAlready(path, error)
      if (tried === MAKE_TRIES) throw error
      // two that go at the same pace would keep meeting like this
      await sleep(Math.random() * tried * 5)
    }
  }
}

export function diskFull(path: string, cause: unknown): AppError {
  return new AppError('disk-full', `The disk of the server is full: ${path} could not be written.`, {
    hint: 'Free some space there, then run it again. What was complete before is unchanged.',
    details: { path },
    cause,
  })
}

function existsAlready(path: string, cause: unknown): AppError {
  return new AppError('exists', `The server has ${path} already. It was left as it is.`, { details: { path }, cause })
}

function noSftp(place: string, error: Error): AppError {
  return new AppError('sftp-refused', `${place} did not open SFTP: ${error.message}.`, {
    hint: 'The server must have the SFTP subsystem switched on for this user.',
    details: { place },
    cause: error,
  })
}
