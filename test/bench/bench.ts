/** What a bench is given. */
export interface BenchOptions {
  /** True: reduced sizes, for a quick look; the bound is shown but not judged. */
  isQuick: boolean
  /** An empty folder that is removed afterwards. */
  folder: string
  /** For people, on standard error. */
  say(text: string): void
}

/** Two figures of the same run on the same data, taken in turns. */
export interface Measured {
  /** Seconds, or whatever `unit` says. */
  ours: number
  theirs: number
  unit: 's' | 'MB/s'
  /** Sizes, threads, what else a reader needs to judge it. */
  note: string
}

/** A comparison with the named tool. */
export interface Bench {
  name: string
  /** The tool and its arguments, as a reader would type them. */
  against: string
  /** On `ours / theirs`. Times want `atMost`, throughputs `atLeast`. `theirs` 1 makes it a plain limit. */
  bound: { atMost: number } | { atLeast: number }
  run(options: BenchOptions): Promise<Measured>
}

/** The middle one; of an even number the lower of the two. */
export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN
}

/**
 * Runs two ways to do a thing in turn, A B A B, so that a machine whose speed drifts is the same for both.
 * @returns the median seconds of each
 */
export async function inTurns(
  times: number,
  ours: () => Promise<void>,
  theirs: () => Promise<void>,
): Promise<{ ours: number; theirs: number }> {
  const seconds = { ours: [] as number[], theirs: [] as number[] }
  for (let turn = 0; turn < times; turn++) {
    seconds.ours.push(await timed(ours))
    seconds.theirs.push(await timed(theirs))
  }
  return { ours: median(seconds.ours), theirs: median(seconds.theirs) }
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1000
}
