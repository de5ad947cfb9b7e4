import { type RepositoryName, repositoryNameSchema } from '#shared/model/backup.ts'

/** A backup that could be proven tonight. */
export interface Candidate {
  repository: RepositoryName
  /** Of the backup, ISO UTC. */
  timestamp: string
  /** When it was verified last, ISO UTC; null: never. */
  verifiedAt: string | null
  /** Whether it has a database, without which there is nothing to drill. */
  canDrill: boolean
  /** What verifying and drilling it will probably take. */
  verifySeconds: number
  drillSeconds: number
}

/**
 * Those whose state is the least known first: never verified ones, the newest of them first, then by the time of their
 * last verification. At the same moment the vault, which is this computer's own, comes before the server and the filestore.
 * A remote one waits for no local one: what it takes, download included, is in its seconds.
 */
export function leastKnownFirst(a: Candidate, b: Candidate): number {
  if (a.verifiedAt !== b.verifiedAt) {
    if (a.verifiedAt === null) return -1
    if (b.verifiedAt === null) return 1
    return a.verifiedAt < b.verifiedAt ? -1 : 1
  }
  if (a.timestamp !== b.timestamp) return a.timestamp > b.timestamp ? -1 : 1
  return repositoryNameSchema.options.indexOf(a.repository) - repositoryNameSchema.options.indexOf(b.repository)
}

/**
 * What to prove next in the time that is left, and to which level; null: nothing that fits. As long as nothing ran yet,
 * the first one runs to the full, however long it takes: else a large site would never be drilled.
 */
export function chooseNext<C extends Candidate>(
  waiting: readonly C[],
  secondsLeft: number,
  hasRunOne: boolean,
): { candidate: C; level: 2 | 3 } | null {
  const ordered = [...waiting].sort(leastKnownFirst)
  const [first] = ordered
  if (!first || secondsLeft <= 0) return null
  if (!hasRunOne) return { candidate: first, level: first.canDrill ? 3 : 2 }
  for (const candidate of ordered) {
    const { verifySeconds, drillSeconds, canDrill } = candidate
    if (canDrill && verifySeconds + drillSeconds <= secondsLeft) return { candidate, level: 3 }
    if (verifySeconds <= secondsLeft) return { candidate, level: 2 }
  }
  return null
}

/** What something took earlier. */
export interface Took {
  bytes: number
  seconds: number
}

/**
 * What it will probably take, going by the earlier one that is nearest in size: more bytes take longer, fewer bytes
 * hardly less.
 * @param unmeasured when there is none
 */
export function estimateSeconds(bytes: number, earlier: readonly Took[], unmeasured: (bytes: number) => number): number {
  const distance = (took: Took) => Math.abs(Math.log((took.bytes + 1) / (bytes + 1)))
  const [nearest] = [...earlier].sort((a, b) => distance(a) - distance(b))
  return nearest ? nearest.seconds * Math.max(1, bytes / Math.max(1, nearest.bytes)) : unmeasured(bytes)
}
