import type { Command } from 'commander'
import type { Outcome } from './exit.ts'
import type { Session } from './session.ts'

/**
 * Runs a command in a session of its own and prints its outcome.
 * @param confirmedName what `--confirm` named, if anything; null lets pass what the command itself names
 */
export type Run = (
  program: Command,
  confirmedName: string | null,
  command: (session: Session) => Promise<Outcome>,
) => Promise<void>
