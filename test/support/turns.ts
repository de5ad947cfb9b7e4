export interface Turns {
  /** The most that was computed between two turns, in ms. */
  longest: number
  /** How far memory grew, in bytes. */
  grown: number
}

/**
 * Watches how long one thing keeps all others waiting: what is computed between two turns of a timer. Wall time would blame busy
 * neighbours.
 * @param options.usage default: of this thread
 * @param options.isUserAlone what the system does for it does not count
 */
export function watchTurns({
  everyMs = 5,
  usage = process.threadCpuUsage,
  isUserAlone = false,
}: {
  everyMs?: number
  usage?: (since?: NodeJS.CpuUsage) => NodeJS.CpuUsage
  isUserAlone?: boolean
} = {}): { stop(): Turns } {
  const before = process.memoryUsage.rss()
  let highest = before
  let longest = 0
  let last = usage()
  const sampler = setInterval(() => {
    const { user, system } = usage(last)
    last = usage()
    longest = Math.max(longest, (user + (isUserAlone ? 0 : system)) / 1000)
    highest = Math.max(highest, process.memoryUsage.rss())
  }, everyMs)
  return {
    stop() {
      clearInterval(sampler)
      return { longest, grown: highest - before }
    },
  }
}
