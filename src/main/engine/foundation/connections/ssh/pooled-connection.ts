import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClientChannel } from 'ssh2'
import { AppError, cancelledError, throwIfCancelled } from '#shared/errors.ts'
import { orAborted } from '../../or-aborted.ts'
import { duplexOf } from './channels.ts'
import { runCommand, startCommand } from './commands.ts'
import { forwardRefused, hostUnreachable } from './errors.ts'
import type { Link } from './link.ts'
import { openChannel } from './open-channel.ts'
import { remoteFiles } from './remote-files.ts'
import { openSftpSession, type SftpSession } from './sftp-session.ts'
import type { ConnectStep, RemoteFiles, SshConnection } from './types.ts'

/** Pauses before the tries to get a lost connection back. */
const BACK_OFF_MS = [0, 1000, 2000, 4000]
/** Of a server that was reached before: without a network, its name is not known either. */
const PASSING = new Set(['host-unreachable', 'host-unknown', 'connection-lost'])
/** A server that can't reach a host would try for minutes. */
const FORWARD_MS = 15_000

export interface PooledConnection extends SshConnection {
  /** Connects when there is no living link. Callers at the same time share one attempt. */
  ensure(options?: { signal?: AbortSignal; onStep?: (step: ConnectStep) => void }): Promise<void>
  close(): void
}

/**
 * @param open makes a link
 * @param idleMs an unused link is closed after this time
 */
export function pooledConnection(
  place: string,
  open: (signal: AbortSignal, onStep: (step: ConnectStep) => void) => Promise<Link>,
  idleMs: number,
): PooledConnection {
  let link: Link | null = null
  let attempt: Attempt | null = null
  /** Several carry more over a long way than one. */
  let sftp: { link: Link; sessions: Promise<SftpSession>[] } | null = null
  let hasWorked = false
  let isClosed = false
  let uses = 0
  let idle: NodeJS.Timeout | undefined

  interface Attempt {
    readonly made: Promise<Link>
    readonly steps: Set<(step: ConnectStep) => void>
    readonly controller: AbortController
    waiting: number
  }

  function startAttempt(): Attempt {
    const controller = new AbortController()
    const steps = new Set<(step: ConnectStep) => void>()
    const tell = (step: ConnectStep) => {
      for (const onStep of steps) onStep(step)
    }
    const made = (async () => {
      const pauses = hasWorked ? BACK_OFF_MS : BACK_OFF_MS.slice(0, 1)
      for (const [index, pause] of pauses.entries()) {
        await sleep(pause, undefined, { signal: controller.signal }).catch(() => {
          throw cancelledError()
        })
        try {
          const opened = await open(controller.signal, tell)
          if (isClosed || controller.signal.aborted) {
            opened.close()
            throw cancelledError()
          }
          hasWorked = true
          link = opened
          opened.onLost(() => {
            if (link === opened) link = null
          })
          return opened
        } catch (error) {
          const isWorthRetrying = error instanceof AppError && PASSING.has(error.code)
          if (!isWorthRetrying || index === pauses.length - 1) throw error
        }
      }
      throw hostUnreachable(place, 'no answer came in time')
    })()
    const started = { made, steps, controller, waiting: 0 }
    made
      .catch(() => {})
      .finally(() => {
        if (attempt === started) attempt = null
      })
    return started
  }

  async function living(signal?: AbortSignal, onStep?: (step: ConnectStep) => void): Promise<Link> {
    throwIfCancelled(signal)
    if (isClosed) throw cancelledError()
    if (link && !link.lost) return link
    attempt ??= startAttempt()
    const joined = attempt
    joined.waiting++
    if (onStep) joined.steps.add(onStep)
    let abort = () => {}
    try {
      return await new Promise<Link>((resolve, reject) => {
        abort = () => reject(cancelledError())
        signal?.addEventListener('abort', abort, { once: true })
        joined.made.then(resolve, reject)
      })
    } finally {
      signal?.removeEventListener('abort', abort)
      if (onStep) joined.steps.delete(onStep)
      joined.waiting--
      // nobody wants it any more; who comes now begins another one
      if (joined.waiting === 0 && attempt === joined) {
        attempt = null
        joined.controller.abort()
      }
    }
  }

  function use(): () => void {
    uses++
    clearTimeout(idle)
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      uses--
      if (uses > 0) return
      clearTimeout(idle)
      idle = setTimeout(() => link?.close(), idleMs)
      idle.unref()
    }
  }

  async function using<T>(action: (living: Link) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const over = use()
    try {
      return await action(await living(signal))
    } finally {
      over()
    }
  }

  async function sessionOf(lane: number): Promise<SftpSession> {
    const now = await living()
    if (sftp?.link !== now) sftp = { link: now, sessions: [] }
    const { sessions } = sftp
    const known = sessions[lane]
    if (known) {
      const session = await known
      if (!session.isGone) return session
      // of those who see that it is gone, the first one opens another
      if (sessions[lane] !== known) return sessionOf(lane)
    }
    const opened = openSftpSession(now, place)
    sessions[lane] = opened
    opened.catch(() => {
      if (sessions[lane] === opened) delete sessions[lane]
    })
    return opened
  }

  return {
    place,
    run: (command, options) => using((now) => runCommand(now, place, command, options), options?.signal),
    async start(command, signal) {
      const over = use()
      try {
        const process = await startCommand(await living(signal), place, command, signal)
        process.ended.then(over, over)
        return process
      } catch (error) {
        over()
        throw error
      }
    },
    files: countedFiles(remoteFiles(sessionOf), use, () => using(async () => {})),
    async forward(to, signal) {
      const over = use()
      try {
        const stream = await openForward(await living(signal), place, to, signal)
        stream.once('close', over)
        const abort = () => stream.destroy(cancelledError())
        signal?.addEventListener('abort', abort, { once: true })
        stream.once('close', () => signal?.removeEventListener('abort', abort))
        if (signal?.aborted) abort()
        return stream
      } catch (error) {
        over()
        throw error
      }
    },
    async ensure({ signal, onStep } = {}) {
      const over = use()
      try {
        await living(signal, onStep)
      } finally {
        over()
      }
    },
    close() {
      isClosed = true
      clearTimeout(idle)
      attempt?.controller.abort()
      link?.close()
    },
  }
}

/**
 * The files, each call counted as a use, so that the connection is not closed meanwhile; a stream counts until it is closed. An abort
 * is heard at any time, also while the server does not answer or the connection is made anew, which goes on for the next one who asks.
 */
function countedFiles(files: RemoteFiles, use: () => () => void, reach: () => Promise<void>): RemoteFiles {
  const counted =
    <A extends unknown[], T>(action: (...args: A) => Promise<T>) =>
    async (...args: A): Promise<T> => {
      const over = use()
      try {
        return await action(...args)
      } finally {
        over()
      }
    }
  return {
    facts: counted(files.facts),
    list: counted(files.list),
    write: counted(async (path, body, options) => {
      const { signal } = options ?? {}
      try {
        await orAborted(reach(), signal)
        return await orAborted(files.write(path, body, options), signal)
      } catch (error) {
        body.destroy()
        throw signal?.aborted ? cancelledError() : error
      }
    }),
    rename: counted(files.rename),
    link: counted(files.link),
    remove: counted(files.remove),
    makeFolder: counted(files.makeFolder),
    removeFolder: counted(files.removeFolder),
    setFacts: counted(files.setFacts),
    async read(path, options) {
      const { signal } = options ?? {}
      const over = use()
      try {
        await orAborted(reach(), signal)
        const opening = files.read(path, options)
        const stream = await orAborted(opening, signal).catch((error: unknown) => {
          opening.then(
            (late) => late.on('error', () => {}).destroy(),
            () => {},
          )
          throw error
        })
        // who reads it is told; that it is given up before anybody reads it is no failure
        stream.on('error', () => {}).once('close', over)
        return stream
      } catch (error) {
        over()
        throw signal?.aborted ? cancelledError() : error
      }
    },
  }
}

async function openForward(
  link: Link,
  place: string,
  to: { host: string; port: number } | { socketPath: string },
  signal: AbortSignal | undefined,
): Promise<Duplex> {
  const name = 'socketPath' in to ? to.socketPath : `${to.host}:${to.port}`
  const channel = await openChannel<ClientChannel>(link, place, {
    ask(done) {
      if ('socketPath' in to) link.client.openssh_forwardOutStreamLocal(to.socketPath, done)
      else link.client.forwardOut('127.0.0.1', 0, to.host, to.port, done)
    },
    refused: (error) => forwardRefused(place, name, error),
    discard: (late) => late.close(),
    signal,
    limit: { milliseconds: FORWARD_MS, error: () => forwardRefused(place, name, new Error('no answer came in time')) },
  })
  return duplexOf(channel, link)
}
