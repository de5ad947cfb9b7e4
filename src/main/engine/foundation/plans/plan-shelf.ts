import { createHash } from 'node:crypto'
import { AppError } from '#shared/errors.ts'
import type { Confirmation, PlanCheck } from '#shared/model/plan.ts'
import type { EngineContext } from '../context.ts'
import type { Home } from '../home.ts'

/** How long a plan can be run. */
export const PLAN_LIFE_MS = 10 * 60_000

/** A plan that can be run once, when it is confirmed. */
interface Shelved {
  plan: { id: string; expiresAt: string; runnable: boolean; checks: PlanCheck[] }
  isUsed: boolean
}

/** Plans of one kind, in memory only: what belongs to them may be secret. */
export class PlanShelf<S extends Shelved> {
  /** By home folder: what one engine has, others of the same process have not. */
  readonly #plans = new WeakMap<Home, Map<string, S>>()

  keep(context: Pick<EngineContext, 'home'>, stored: S): void {
    this.#plansOf(context).set(stored.plan.id, stored)
  }

  /** @throws AppError `plan-unknown` */
  get(context: Pick<EngineContext, 'home'>, id: string): S {
    const found = this.#plansOf(context).get(id)
    if (found) return found
    throw new AppError('plan-unknown', 'This plan is not known any more. Nothing was changed.', { hint: 'Make the plan again.' })
  }

  /**
   * Has a plan confirmed at the shell. One that was not confirmed can be confirmed later.
   * @param confirmationOf null: it needs none
   * @returns null: not confirmed
   * @throws AppError `plan-unknown`, `plan-used`, `plan-expired`, `plan-not-runnable`
   */
  async confirmed(
    context: Pick<EngineContext, 'home' | 'confirm'>,
    id: string,
    confirmationOf: (plan: S['plan']) => Confirmation | null,
  ): Promise<S | null> {
    const stored = this.#runnable(context, id)
    stored.isUsed = true
    let isConfirmed = false
    try {
      const confirmation = confirmationOf(stored.plan)
      isConfirmed = confirmation === null || (await context.confirm(confirmation))
      // the window may have stood open for hours
      if (isConfirmed && isExpired(stored)) {
        isConfirmed = false
        throw tooOld()
      }
    } finally {
      stored.isUsed = isConfirmed
    }
    return isConfirmed ? stored : null
  }

  #runnable(context: Pick<EngineContext, 'home'>, id: string): S {
    const stored = this.get(context, id)
    if (stored.isUsed) throw unusable('plan-used', 'This plan was run already; a plan is valid once')
    if (isExpired(stored)) throw tooOld()
    if (!stored.plan.runnable) {
      const failed = stored.plan.checks
        .filter(({ outcome }) => outcome === 'failed')
        .map(({ name, finding }) => `${name}: ${finding}`)
      const why = failed.length > 0 ? `A check of this plan failed. ${failed.join('; ')}` : 'This plan has nothing to do'
      throw unusable('plan-not-runnable', why)
    }
    return stored
  }

  #plansOf({ home }: Pick<EngineContext, 'home'>): Map<string, S> {
    const known = this.#plans.get(home) ?? new Map<string, S>()
    this.#plans.set(home, known)
    // one that has just expired is kept for a while, so that it can be said of it
    for (const [id, { plan }] of known) if (Date.parse(plan.expiresAt) < Date.now() - PLAN_LIFE_MS) known.delete(id)
    return known
  }
}

function isExpired({ plan }: Shelved): boolean {
  return Date.parse(plan.expiresAt) <= Date.now()
}

function tooOld(): AppError {
  return unusable('plan-expired', 'This plan is older than 10 minutes')
}

function unusable(code: string, what: string): AppError {
  return new AppError(code, `${what.replace(/\.$/, '')}. Nothing was changed.`, { hint: 'Make the plan again.' })
}

/** What a plan stands on is not so any more. */
export function outdated(what: string): AppError {
  return new AppError('plan-outdated', `Since the plan was made, ${what}.`, { hint: 'Make the plan again.' })
}

/** SHA-256 of facts, whatever the order of their keys. */
export function hashOf(facts: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(facts)))
    .digest('hex')
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, entry]) => [key, sorted(entry)]),
  )
}
