import { AppError } from '#shared/errors.ts'

/** What a stream of bytes waits for at the moment; `nothing`: for us. */
export type Waiting = 'source' | 'target' | 'end' | 'nothing'

const LOOKS_PER_STALL = 10

/** Notices when bytes stop flowing. */
export interface StallWatch {
  /** Something moved; from now on this is waited for. */
  now(waiting: Waiting): void
  stop(): void
}

/**
 * @param limitsMs how long each may take without a sign of life
 * @param onStall called once for each time that nothing moves
 */
export function watchStalls(
  limitsMs: Record<Exclude<Waiting, 'nothing'>, number>,
  onStall: (error: AppError, waiting: Waiting) => void,
): StallWatch {
  let waiting: Waiting = 'source'
  let since = performance.now()
  const timer = setInterval(
    () => {
      const stalled = waiting
      if (stalled === 'nothing' || performance.now() - since < limitsMs[stalled]) return
      waiting = 'nothing'
      const who = stalled === 'source' ? 'The source sent' : 'The target took'
      onStall(
        new AppError('stalled', `${who} nothing for ${Math.round((performance.now() - since) / 1000)} s.`, {
          hint: 'Is the connection still there? What was stored is kept, and the next try goes on from there.',
          details: { waiting: stalled },
        }),
        stalled,
      )
    },
    Math.max(10, Math.min(...Object.values(limitsMs)) / LOOKS_PER_STALL),
  )
  return {
    now(next) {
      waiting = next
      since = performance.now()
    },
    stop: () => clearInterval(timer),
  }
}
