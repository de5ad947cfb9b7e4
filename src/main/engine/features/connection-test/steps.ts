import type { ConnectionCheck } from '#shared/contract/sites.ts'
import { isCancelled, toAppError } from '#shared/errors.ts'

/** What a step found, or a problem with what to do about it. */
export interface Finding {
  outcome: 'passed' | 'warning' | 'failed'
  finding: string
  advice?: string
}

export const passed = (finding: string): Finding => ({ outcome: 'passed', finding })
export const warning = (finding: string, advice: string): Finding => ({ outcome: 'warning', finding, advice })
export const failed = (finding: string, advice: string): Finding => ({ outcome: 'failed', finding, advice })

/** The steps of trying one connection, in order, with the time that each took. */
export class Steps {
  readonly checks: ConnectionCheck[] = []
  readonly #connection: ConnectionCheck['connection']

  constructor(connection: ConnectionCheck['connection']) {
    this.#connection = connection
  }

  /**
   * Does a step; what it throws is its failure.
   * @returns whether it did not fail
   */
  async try(name: string, action: () => Promise<Finding>): Promise<boolean> {
    const started = performance.now()
    const found = await action().catch((error: unknown): Finding => {
      if (isCancelled(error)) throw error
      const { message, hint } = toAppError(error)
      return failed(message, hint)
    })
    this.add(name, found, performance.now() - started)
    return found.outcome !== 'failed'
  }

  add(name: string, { outcome, finding, advice = '' }: Finding, milliseconds: number): void {
    this.checks.push({ connection: this.#connection, name, outcome, finding, advice, milliseconds: Math.round(milliseconds) })
  }

  /** Steps that were not tried, since one before them failed. */
  skip(names: readonly string[], why: string): void {
    for (const name of names) {
      this.checks.push({
        connection: this.#connection,
        name,
        outcome: 'skipped',
        finding: `Not tried, because ${why}.`,
        advice: '',
        milliseconds: 0,
      })
    }
  }
}

/** What a clock differs from this computer's, in seconds: positive when it is ahead. */
export function clockFinding(difference: number): Finding {
  const seconds = Math.abs(difference)
  const apart = `${seconds.toFixed(1)} s ${difference >= 0 ? 'ahead of' : 'behind'} this computer`
  const text = seconds < 0.05 ? 'The same as this computer’s' : apart
  if (seconds < 60) return passed(text)
  return warning(text, 'Set both clocks by a time server: the names of backups go by the date.')
}
