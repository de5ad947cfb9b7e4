import { setTimeout as sleep } from 'node:timers/promises'

/** How often a changed limit is looked for, in milliseconds. */
const LOOK_MS = 1000
/** Nobody sleeps longer than this without looking at the limit again. */
const LONGEST_SLEEP_MS = 250
/** What may go at once after a pause, in seconds' worth of bytes. */
const BURST_SECONDS = 0.25
/** Larger pieces would come in jerks; in seconds' worth of bytes. */
const PIECE_SECONDS = 0.1
const SMALLEST_PIECE = 2048

/** A bucket of bytes that all of an engine that sends or reads much draws from. */
export interface RateLimit {
  /** Waits until so many bytes may go; undefined: at once. */
  take(bytes: number, signal: AbortSignal): Promise<void> | undefined
  /** The most that should be taken at once, so that bytes flow evenly. */
  pieceBytes(): number
}

/** Everything goes at once. */
export const noRateLimit: RateLimit = { take: () => undefined, pieceBytes: () => Number.POSITIVE_INFINITY }

/**
 * A limit that is followed while bytes flow: a change counts within a second.
 * @param read the limit now, in bytes a second; null: none
 */
export function createRateLimit(read: () => Promise<number | null>): RateLimit {
  let limit: number | null = null
  let lookedAt = Number.NEGATIVE_INFINITY
  let looking: Promise<void> | null = null
  let credit = 0
  let filledAt = performance.now()

  function look(): Promise<void> {
    looking ??= read()
      .then(
        (found) => {
          if (found !== limit) credit = 0
          limit = found
        },
        // settings that can't be read now leave the limit as it was
        () => {},
      )
      .finally(() => {
        lookedAt = performance.now()
        looking = null
      })
    return looking
  }

  function fill(rate: number): void {
    const now = performance.now()
    credit = Math.min(rate * BURST_SECONDS, credit + ((now - filledAt) / 1000) * rate)
    filledAt = now
  }

  async function takeTurn(bytes: number, signal: AbortSignal): Promise<void> {
    if (lookedAt < 0) await look()
    for (;;) {
      signal.throwIfAborted()
      if (performance.now() - lookedAt > LOOK_MS) void look()
      if (limit === null) return
      fill(limit)
      if (credit > 0) {
        // may become a debt, which the next ones wait for
        credit -= bytes
        return
      }
      await sleep(Math.min(LONGEST_SLEEP_MS, Math.max(1, (-credit / limit) * 1000)), undefined, { signal })
    }
  }

  return {
    take(bytes, signal) {
      if (limit === null && lookedAt >= 0) {
        if (performance.now() - lookedAt > LOOK_MS) void look()
        return undefined
      }
      return takeTurn(bytes, signal)
    },
    pieceBytes: () => (limit === null ? Number.POSITIVE_INFINITY : Math.max(SMALLEST_PIECE, Math.floor(limit * PIECE_SECONDS))),
  }
}

/** The same bytes, no faster than the limit lets them. @throws what the signal was aborted with */
export async function* limited(chunks: AsyncIterable<Buffer>, limit: RateLimit, signal: AbortSignal): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    for (const piece of piecesOf(chunk, limit)) {
      await limit.take(piece.length, signal)
      yield piece
    }
  }
}

/** A chunk in pieces that may be taken at once, by the limit as it is when each is asked for. */
export function* piecesOf(chunk: Buffer, limit: RateLimit): Generator<Buffer> {
  for (let at = 0; at < chunk.length; ) {
    const piece = chunk.subarray(at, at + limit.pieceBytes())
    yield piece
    at += piece.length
  }
}
