import type { DrillRecord, ProofRecord } from '#engine/features/listing/index.ts'
import type { RepositoryName } from '#shared/model/backup.ts'
import { isRemote, type Site } from '#shared/model/site.ts'
import { type Candidate, estimateSeconds, type Took } from './choose-next.ts'

/** Measured on two slow cores; only until this computer has figures of its own. */
const unmeasuredVerify = (bytes: number) => 2 + bytes / 30e6
const unmeasuredDrill = (bytes: number) => 10 + bytes / 4e6
/** Over a line of 16 Mbit/s, until it was measured by a first proof. */
const unmeasuredFetch = (bytes: number) => 5 + bytes / 2e6

/**
 * What proving takes, going by what it took earlier in the same place: for a server or filestore that is mostly the way
 * of the bytes to here, and a drill reads them once more.
 */
export function estimatesBy(
  site: Pick<Site, 'server'>,
  proofs: readonly ProofRecord[],
  drills: readonly DrillRecord[],
): (place: RepositoryName, bytes: number) => Pick<Candidate, 'verifySeconds' | 'drillSeconds'> {
  const isHere = ({ repository }: { repository: RepositoryName }) => !isRemote(site, repository)
  const drilled = (those: readonly DrillRecord[]): Took[] =>
    those.map(({ bytes, report }) => ({ bytes, seconds: report.seconds }))
  const drillHere = (bytes: number) => estimateSeconds(bytes, drilled(drills.filter(isHere)), unmeasuredDrill)
  return (repository, bytes) => {
    if (isHere({ repository })) {
      const verifySeconds = estimateSeconds(bytes, proofs.filter(isHere).flatMap(tookOf), unmeasuredVerify)
      return { verifySeconds, drillSeconds: drillHere(bytes) }
    }
    const isThere = (record: { repository: RepositoryName }) => record.repository === repository
    const earlier = proofs.filter(isThere).flatMap(tookOf)
    const verifySeconds = estimateSeconds(bytes, earlier, (all) => unmeasuredVerify(all) + unmeasuredFetch(all))
    const drillSeconds = estimateSeconds(bytes, drilled(drills.filter(isThere)), (all) => drillHere(all) + verifySeconds)
    return { verifySeconds, drillSeconds }
  }
}

function tookOf({ seconds, files }: ProofRecord): Took[] {
  return seconds === null ? [] : [{ seconds, bytes: files.reduce((sum, { size }) => sum + size, 0) }]
}
