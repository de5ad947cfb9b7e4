import type { EngineContext } from './context.ts'
import type { Home } from './home.ts'
import { createRateLimit, type RateLimit } from './rate-limit.ts'

const KIB = 1024

const limits = new WeakMap<Home, RateLimit>()

/** The one limit that transfers, backups and proofs of an engine share: the preference `transferLimit`, followed while they run. */
export function sharedLimit({ home, preferences }: Pick<EngineContext, 'home' | 'preferences'>): RateLimit {
  const known = limits.get(home)
  if (known) return known
  const limit = createRateLimit(async () => {
    const { transferLimit } = await preferences.get()
    return transferLimit === null ? null : transferLimit * KIB
  })
  limits.set(home, limit)
  return limit
}
