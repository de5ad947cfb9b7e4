import { createHash } from 'node:crypto'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { Home } from '#engine/foundation/home.ts'
import { AppError } from '#shared/errors.ts'
import type { RepositoryName } from '#shared/model/backup.ts'
import type { RestorePlan } from '#shared/model/plan.ts'
import type { PartFile } from '../open-part.ts'

/** How long a plan can be run. */
export const PLAN_LIFE_MS = 10 * 60_000

/** A part as the plan read it, to its end. */
export interface PlannedPart extends PartFile {
  /** SHA-256 of the stored file. */
  storedHash: string
  /** Bytes of the stored file. */
  storedBytes: number
}

/** A plan and what must still be so when it is run. Kept in memory only: it holds passwords. */
export interface StoredPlan {
  plan: RestorePlan
  from: RepositoryName
  /** SHA-256 of the site's settings. */
  settings: string
  database: PlannedPart | null
  media: PlannedPart | null
  liveOid: number | null
  passwords: readonly string[]
  isUsed: boolean
}

/** By home folder: what one engine has, others of the same process have not. */
const plans = new WeakMap<Home, Map<string, StoredPlan>>()

function plansOf({ home }: Pick<EngineContext, 'home'>): Map<string, StoredPlan> {
  const known = plans.get(home) ?? new Map<string, StoredPlan>()
  plans.set(home, known)
  // one that has just expired is kept for a while, so that it can be said of it
  for (const [id, { plan }] of known) if (Date.parse(plan.expiresAt) < Date.now() - PLAN_LIFE_MS) known.delete(id)
  return known
}

export function keepPlan(context: EngineContext, stored: StoredPlan): void {
  plansOf(context).set(stored.plan.id, stored)
}

/** @throws AppError `plan-unknown` */
export function planOf(context: EngineContext, id: string): StoredPlan {
  const found = plansOf(context).get(id)
  if (found) return found
  throw new AppError('plan-unknown', 'This plan is not known any more. Nothing was changed.', { hint: 'Make the plan again.' })
}

/** A plan that can be run now. @throws AppError `plan-unknown`, `plan-used`, `plan-expired`, `plan-not-runnable` */
export function runnablePlan(context: EngineContext, id: string): StoredPlan {
  const stored = planOf(context, id)
  if (stored.isUsed) throw unusable('plan-used', 'This plan was run already; a plan is valid once')
  if (Date.parse(stored.plan.expiresAt) <= Date.now()) throw unusable('plan-expired', 'This plan is older than 10 minutes')
  if (!stored.plan.runnable) {
    const failed = stored.plan.checks
      .filter(({ outcome }) => outcome === 'failed')
      .map(({ name, finding }) => `${name}: ${finding}`)
    throw unusable('plan-not-runnable', `A check of this plan failed. ${failed.join('; ')}`)
  }
  return stored
}

function unusable(code: string, what: string): AppError {
  return new AppError(code, `${what.replace(/\.$/, '')}. Nothing was changed.`, { hint: 'Make the plan again.' })
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
