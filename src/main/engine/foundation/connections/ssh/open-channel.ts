import { type AppError, cancelledError } from '#shared/errors.ts'
import { connectionLost } from './errors.ts'
import type { Link } from './link.ts'

/** A channel that a server is asked for. */
export interface ChannelRequest<C> {
  ask(done: (error: Error | undefined, channel: C) => void): void
  /** What the server's refusal means. */
  refused(error: Error): AppError
  /** Closes a channel that came when nobody waited for it any more. */
  discard(channel: C): void
  signal?: AbortSignal | undefined
  /** How long it may take, and what it means when it takes longer. */
  limit?: { milliseconds: number; error: () => AppError }
}

/**
 * Asks for a channel, and waits no longer than the link lives, until the abort or the end of the time that it was given.
 * @throws AppError `connection-lost`, `cancelled`, that of a refusal, that of the limit
 */
export function openChannel<C>(link: Link, place: string, request: ChannelRequest<C>): Promise<C> {
  const { signal, limit } = request
  return new Promise((resolve, reject) => {
    if (link.lost) return reject(link.lost)
    if (signal?.aborted) return reject(cancelledError())
    let isSettled = false
    const settle = (act: () => void) => {
      if (isSettled) return
      isSettled = true
      stop()
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      act()
    }
    const fail = (error: AppError) => settle(() => reject(error))
    const abort = () => fail(cancelledError())
    const stop = link.onLost(fail)
    const timer = limit && setTimeout(() => fail(limit.error()), limit.milliseconds)
    signal?.addEventListener('abort', abort, { once: true })
    try {
      request.ask((error, channel) => {
        if (error) fail(link.lost ?? request.refused(error))
        else if (isSettled) request.discard(channel)
        else settle(() => resolve(channel))
      })
    } catch (error) {
      // ssh2 throws while its socket is on its way down
      fail(link.lost ?? connectionLost(place, error))
    }
  })
}
