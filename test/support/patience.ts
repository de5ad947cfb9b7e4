import { availableParallelism, loadavg } from 'node:os'

/**
 * A limit for how long something may take, as it is on a machine that does nothing else: where others compute at the same time it is
 * longer by as much, so that a test tells what is slow and not what had to wait.
 */
export function allowed(limit: number): number {
  const [lastMinute = 0] = loadavg()
  return limit * Math.max(2, (2 * lastMinute) / availableParallelism())
}
