import { setTimeout as sleep } from 'node:timers/promises'
import { AppError, cancelledError, isCancelled, toAppError } from '#shared/errors.ts'
import { NETWORK_CODES } from '../connections/network-codes.ts'

/** How trouble of the network is waited out; for tests to make short. */
export interface Patience {
  /** Nothing moves for so long: the try is given up and repeated. */
  stallMs: number
  /** The pauses before the tries that follow a failed one. */
  pausesMs: readonly number[]
}

export const PATIENCE: Patience = { stallMs: 20_000, pausesMs: [1000, 2000, 4000, 8000, 16_000] }

/** Of connections and servers that may be back soon. */
const REPEATABLE = new Set([
  'connection-lost',
  'connection-refused',
  'connection-reset',
  'host-unreachable',
  // of one that was reached before: without a network, no name is known
  'host-unknown',
  'unknown-host',
  'timeout',
  'stalled',
  'ended-early',
  'filestore-unreachable',
  'filestore-busy',
  'index-busy',
  'slot-index-pending',
])
const REPEATABLE_SYSTEM = new Set<string>([...NETWORK_CODES, 'ENOTCONN'])
const TOO_MANY_REQUESTS = 429
const SERVER_ERROR = 500
const NOT_BUILT = 501

/** Whether the same may well go through a moment later: not what was refused, is full, is gone or has changed. */
export function isRepeatable(error: unknown): boolean {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth += 1) {
    if (cause instanceof AppError) {
      if (REPEATABLE.has(cause.code)) return true
      // one that says more than its cause is the verdict
      if (cause.code !== 'internal') return false
      continue
    }
    const { code, $metadata } = cause as { code?: unknown; $metadata?: { httpStatusCode?: number } }
    if (typeof code === 'string' && REPEATABLE_SYSTEM.has(code)) return true
    const status = $metadata?.httpStatusCode ?? 0
    if (status === TOO_MANY_REQUESTS || (status >= SERVER_ERROR && status !== NOT_BUILT)) return true
    if (cause.name === 'TimeoutError') return true
  }
  return false
}

export interface Repeating {
  signal: AbortSignal
  patience: Patience
  /** One sentence: what went wrong, and when it is tried again. */
  onNote: (text: string) => void
}

/** Counts tries that brought nothing, and waits before the next one. */
export class Tries {
  readonly #options: Repeating
  #failed = 0

  constructor(options: Repeating) {
    this.#options = options
  }

  /** Something arrived: the count begins anew. */
  succeeded(): void {
    this.#failed = 0
  }

  /**
   * Waits before the next try.
   * @param what was tried, for people: "Copying testsite-1.sql.gz"
   * @throws what went wrong, when it can't be repeated or was repeated often enough
   */
  async failed(what: string, error: unknown): Promise<void> {
    const { signal, patience, onNote } = this.#options
    if (signal.aborted) throw cancelledError()
    const pause = patience.pausesMs[this.#failed]
    if (!isRepeatable(error)) throw error
    const failure = toAppError(error)
    if (pause === undefined) {
      throw new AppError(failure.code, `${failure.message} ${what} was tried ${this.#failed + 1} times in vain.`, {
        hint: failure.hint,
        details: failure.details,
        cause: error,
      })
    }
    this.#failed += 1
    onNote(`${what}: ${failure.message} Trying again in ${pause / 1000} s.`)
    await sleep(pause, undefined, { signal }).catch((cause: Error) => {
      throw isCancelled(cause) ? cancelledError() : cause
    })
  }
}

/** Does it until it succeeds, fails for good, or failed too often. */
export async function repeatedly<T>(what: string, options: Repeating, action: () => Promise<T>): Promise<T> {
  const tries = new Tries(options)
  for (;;) {
    options.signal.throwIfAborted()
    try {
      return await action()
    } catch (error) {
      await tries.failed(what, error)
    }
  }
}
