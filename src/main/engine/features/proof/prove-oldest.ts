import { storedPasswords } from '#engine/features/encryption/index.ts'
import { listBackups, readProofs, whatFailed } from '#engine/features/listing/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { JobContext } from '#engine/foundation/jobs/types.ts'
import { openToRead } from '#engine/foundation/repository/open.ts'
import { sharedLimit } from '#engine/foundation/shared-limit.ts'
import { isCancelled, toAppError } from '#shared/errors.ts'
import { formatDuration, formatPlural } from '#shared/format.ts'
import { type BackupEntry, type Proof, type RepositoryName, storedBytes } from '#shared/model/backup.ts'
import type { Site } from '#shared/model/site.ts'
import { type Candidate, chooseNext } from './choose-next.ts'
import { estimatesBy } from './estimates.ts'
import { lockedReason, proveBackup } from './prove.ts'

/** A proof that takes so many times what it should, or what is given to all of them, has run astray. */
const PATIENCE = 4

export interface NightlyProofOptions {
  /** Of the budget; 0: nothing is proven. */
  minutes: number
  /** The job that it is part of: its signal, its phases, its log. */
  job: JobContext
  /** The clock that the budget goes by; default: the computer's. */
  now?: () => Date
}

/** One backup that was looked at. */
export interface NightlyProof {
  repository: RepositoryName
  name: string
  timestamp: string
  /** What it was proven to: 2 or 3 when it is well. */
  level: number
  verdict: Proof['verdict']
  seconds: number
  /** What is wrong, in one sentence; empty: nothing. */
  reason: string
}

export interface NightlyProofs {
  /** In the order in which they were looked at. */
  proven: NightlyProof[]
  /** Those of them that are bad: whoever looks after the site must hear of them. */
  failed: NightlyProof[]
  /** Those that could not be looked at, with the reason: no password, a disk that is full. */
  skipped: { repository: RepositoryName; name: string; reason: string }[]
  /** How many did not fit into the budget. */
  left: number
  seconds: number
}

type Waiting = Candidate & { entry: BackupEntry; repository: RepositoryName }

/**
 * Proves a site's backups within a time budget: the least known ones first, each to its end and by a drill, or without
 * the drill when there is no time for one. Keeps what was found, as a verification by hand does.
 * @throws AppError `cancelled`
 */
export async function proveOldest(context: EngineContext, site: Site, options: NightlyProofOptions): Promise<NightlyProofs> {
  const { minutes, job, now = () => new Date() } = options
  const started = now().getTime()
  const result: NightlyProofs = { proven: [], failed: [], skipped: [], left: 0, seconds: 0 }
  const elapsed = () => (now().getTime() - started) / 1000
  if (minutes <= 0) return result
  const passwords = await storedPasswords(context, site.name).catch(() => [])
  let waiting = await candidatesOf(context, site, job)
  for (;;) {
    const left = minutes * 60 - elapsed()
    const next = chooseNext(waiting, left, result.proven.length > 0)
    if (!next) break
    waiting = waiting.filter((candidate) => candidate !== next.candidate)
    const { entry, repository: place } = next.candidate
    if (entry.is_encrypted && passwords.length === 0) {
      result.skipped.push({ repository: place, name: entry.name, reason: 'it is encrypted and no password can be had' })
      continue
    }
    const begun = elapsed()
    const { verifySeconds, drillSeconds } = next.candidate
    const patience = PATIENCE * Math.max(minutes * 60, verifySeconds + drillSeconds)
    const givenUp = AbortSignal.timeout(patience * 1000)
    try {
      // what never ends must not keep the next night from its backup
      const bounded = { ...job, signal: AbortSignal.any([job.signal, givenUp]) }
      const repository = await openToRead(context, site, place, bounded, { limit: sharedLimit(context) })
      const proof = await proveBackup(context, bounded, {
        site: { name: site.name, schema: site.database.schema },
        entry,
        repository,
        level: next.level,
        passwords,
      })
      const { name, timestamp } = entry
      const { level, verdict } = proof
      const reason = verdict === 'failed' ? whatFailed(proof) : (lockedReason(proof) ?? '')
      result.proven.push({ repository: place, name, timestamp, level, verdict, seconds: elapsed() - begun, reason })
    } catch (error) {
      if (job.signal.aborted || (isCancelled(error) && !givenUp.aborted)) throw error
      const reason = givenUp.aborted ? `it was given up after ${formatDuration(patience)}` : toAppError(error).message
      job.log(`${entry.name} could not be proven: ${reason}`)
      result.skipped.push({ repository: place, name: entry.name, reason })
    }
  }
  result.failed = result.proven.filter(({ verdict }) => verdict === 'failed')
  result.left = waiting.length
  result.seconds = elapsed()
  job.log(
    `${formatPlural(result.proven.length, 'backup')} proven in ${formatDuration(result.seconds)}, ${result.failed.length} of them bad; ${result.left} left for another night.`,
  )
  return result
}

async function candidatesOf(context: EngineContext, site: Site, job: JobContext): Promise<Waiting[]> {
  const list = await listBackups(context, site)
  for (const { repository, message } of list.problems) job.log(`${repository}: ${message}`)
  const { proofs, drills } = await readProofs(context, site.name)
  const estimate = estimatesBy(site, proofs, drills)
  return list.backups.flatMap((entry): Waiting[] => {
    const { repository, timestamp, proof } = entry
    if (repository === 'folder') return []
    const bytes = storedBytes(entry)
    return [
      {
        entry,
        repository,
        timestamp,
        verifiedAt: proof?.verifiedAt ?? null,
        canDrill: entry.is_database_present,
        ...estimate(repository, bytes),
      },
    ]
  })
}
