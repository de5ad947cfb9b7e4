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
 * What proving takes, going by what it took earlier: for a server or filestore that is mostly the way of the bytes to here,
 * by the same place; a drill reads what is here by then.
 */
export function estimatesBy(
  site: Pick<Site, 'server'>,
  proofs: readonly ProofRecord[],
  drills: readonly DrillRecord[],
): (place: RepositoryName, bytes: number) => Pick<Candidate, 'verifySeconds' | 'drillSeconds'> {
  const isHere = ({ repository }: { repository: RepositoryName }) => !isRemote(site, repository)
  const drilled: Took[] = drills.map(({ bytes, report }) => ({ bytes, seconds: report.seconds }))
  return (repository, bytes) => {
    const drillSeconds = estimateSeconds(bytes, drilled, unmeasuredDrill)
    if (isHere({ repository })) {
      const verifySeconds = estimateSeconds(bytes, proofs.filter(isHere).flatMap(tookOf), unmeasuredVerify)
      return { verifySeconds, drillSeconds }
    }
    const isThere = (record: { repository: RepositoryName }) => record.repository === repository
    const earlier = proofs.filter(isThere).flatMap(tookOf)
    const verifySeconds = estimateSeconds(bytes, earlier, (all) => unmeasuredVerify(all) + unmeasuredFetch(all))
    return { verifySeconds, drillSeconds }
  }
}

function tookOf({ seconds, files }: ProofRecord): Took[] {
  return seconds === null ? [] : [{ seconds, bytes: files.reduce((sum, { size }) => sum + size, 0) }]
}
