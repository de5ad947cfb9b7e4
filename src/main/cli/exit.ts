import { AppError, isCancelled } from '#shared/errors.ts'

/** Exit codes, documented and stable (docs/zbd.md). */
export const EXIT = { done: 0, failed: 1, wrongUse: 2, problem: 3, cancelled: 130 } as const

/** What a command found: its result for `--json`, its text for people, and how it ends. */
export interface Outcome {
  result: unknown
  text: string
  /** True: it ran, and found something that is not verified or not safe (exit 3). */
  problem?: boolean
}

export function wrongUse(message: string, hint = 'See zbd --help.'): AppError {
  return new AppError('wrong-use', message, { hint })
}

export function exitCodeOf(error: AppError): number {
  if (isCancelled(error)) return EXIT.cancelled
  if (error.code === 'wrong-use') return EXIT.wrongUse
  if (error.code === 'not-safe') return EXIT.problem
  return EXIT.failed
}
