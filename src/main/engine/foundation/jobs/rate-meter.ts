/** Measures a rate over the last seconds, so that a slow start or a stall shows within moments. */
export interface RateMeter {
  add(amount: number): void
  /** Units a second; null until there is half a second to judge by. */
  rate(): number | null
}

const WINDOW_MS = 5000
const BUCKET_MS = 250

export function createRateMeter(clock: () => number = Date.now): RateMeter {
  const begun = clock()
  const buckets: { at: number; amount: number }[] = []
  return {
    add(amount) {
      const at = Math.floor(clock() / BUCKET_MS) * BUCKET_MS
      const last = buckets.at(-1)
      if (last?.at === at) last.amount += amount
      else buckets.push({ at, amount })
    },
    rate() {
      const now = clock()
      while (buckets[0] && buckets[0].at < now - WINDOW_MS) buckets.shift()
      const span = Math.min(WINDOW_MS, now - begun)
      if (span < 500) return null
      return buckets.reduce((sum, bucket) => sum + bucket.amount, 0) / (span / 1000)
    },
  }
}
