import type { SiteStatus } from '#shared/contract/backups.ts'
import { formatBytes, formatDuration, formatMoment, formatPlural } from '#shared/format.ts'
import { type BackupEntry, type BackupList, inPlace, inPlaces, type RepositoryName, storedBytes } from '#shared/model/backup.ts'
import type { Job } from '#shared/model/job.ts'
import { whatFailed } from './merge-proofs.ts'

/** A night and two hours for a slow one. */
const FRESH_HOURS = 26
/** Two nights missed. */
const LOST_HOURS = 50

export interface Facts {
  /** Backups with all that belongs to them, newest first, those that a check found bad too. */
  whole: BackupEntry[]
  /** Backups that could bring the site back, newest first. */
  good: BackupEntry[]
  problems: BackupList['problems']
  /** The site's backup jobs, newest first. */
  jobs: Job[]
  /** The repositories that the site's settings name. */
  repositories: RepositoryName[]
  /** Remote ones of them that were not looked at yet. */
  unseen: RepositoryName[]
  now: Date
}

/**
 * Protected: the newest good backup is under 26 h old, was verified to L1 or more, and there are fresh copies in two
 * repositories of which one is off the server. Unprotected: it is over 50 h old, there is none, or a check found the newest
 * backup bad. Between: ageing.
 * The reason is in full sentences and always there.
 */
export function judge(facts: Facts): Pick<SiteStatus, 'protection' | 'reason'> {
  const { good, problems, now } = facts
  const newest = good[0]
  const trouble = [...unlistedReasons(problems), ...failureReason(facts)]
  if (!newest) {
    const isSomeUnlisted = facts.repositories.some((name) => isUnlisted(name, problems))
    if (isSomeUnlisted || facts.unseen.length > 0) {
      return { protection: 'unknown', reason: [...trouble, ...unseenReason(facts)].join(' ') }
    }
    return {
      protection: 'unprotected',
      reason: ['There is no good backup yet.', ...badReasons(facts).reasons, ...trouble].join(' '),
    }
  }
  const age = ageHours(newest, now)
  const old = `The newest good backup is ${formatDuration(age * 3600)} old (${newest.name}, ${formatMoment(newest.timestamp)}).`
  const bad = badReasons(facts)
  if (bad.isNewest) return { protection: 'unprotected', reason: [...bad.reasons, old, ...trouble].join(' ') }
  if (age > LOST_HOURS) return { protection: 'unprotected', reason: [old, ...trouble].join(' ') }
  const reasons = [
    ...(age >= FRESH_HOURS ? [old] : []),
    ...bad.reasons,
    ...proofReason(facts),
    ...(facts.unseen.length > 0 ? unseenReason(facts) : copiesReason(facts)),
    ...trouble,
  ]
  if (reasons.length > 0) return { protection: 'ageing', reason: reasons.join(' ') }
  const size = formatBytes(storedBytes(newest))
  return {
    protection: 'protected',
    reason: `The newest backup is ${formatDuration(age * 3600)} old (${size}), verified, and there are copies ${inPlaces(currentPlaces(facts))}.`,
  }
}

function ageHours(backup: BackupEntry, now: Date): number {
  return (now.getTime() - new Date(backup.timestamp).getTime()) / 3_600_000
}

/** Whether a copy is of the last night; when the newest of all is older than that, of the same night as that one. */
export function isCurrent(backup: BackupEntry, newest: BackupEntry | undefined, now: Date): boolean {
  const newestAge = newest ? ageHours(newest, now) : 0
  return ageHours(backup, now) - (newestAge < FRESH_HOURS ? 0 : newestAge) < FRESH_HOURS
}

/** Whether a repository could not be listed at all. Trouble with single entries of its index does not count. */
export function isUnlisted(name: RepositoryName, problems: BackupList['problems']): boolean {
  return problems.some(({ repository, code }) => repository === name && !code.startsWith('index-entry-'))
}

function unlistedReasons(problems: BackupList['problems']): string[] {
  return problems.filter(({ code }) => !code.startsWith('index-entry-')).map(({ message }) => message)
}

/** The newest job says it: a failure that a later backup made good is over. */
function failureReason({ jobs }: Facts): string[] {
  const last = jobs.find(({ state }) => state === 'done' || state === 'failed' || state === 'interrupted')
  if (!last || last.state === 'done') return []
  return [
    `The last backup run ${last.state === 'failed' ? 'failed' : 'was interrupted'}: ${last.error?.message ?? 'the reason is not known.'}`,
  ]
}

function proofReason({ good, now }: Facts): string[] {
  const fresh = good.filter((backup) => ageHours(backup, now) < FRESH_HOURS)
  const candidates = fresh.length > 0 ? fresh : good.slice(0, 1)
  if (candidates.some(({ proof }) => proof !== null && proof.verdict === 'verified' && proof.level >= 1)) return []
  const tried = candidates.some(({ proof }) => proof !== null)
  return [
    tried
      ? 'The newest backup was not fully verified: some part could not be checked.'
      : 'The newest backup was not verified yet.',
  ]
}

function currentPlaces({ good, repositories, now }: Facts): RepositoryName[] {
  return repositories.filter((name) => good.some((backup) => backup.repository === name && isCurrent(backup, good[0], now)))
}

function unseenReason({ unseen }: Facts): string[] {
  if (unseen.length === 0) return []
  return [`What is ${inPlaces(unseen)} is not known yet: it is being looked at.`]
}

/** What is only on the server is lost with it; what can't be listed is told by itself. */
function copiesReason(facts: Facts): string[] {
  const { problems, repositories } = facts
  const current = currentPlaces(facts)
  if (current.length > 1) return []
  const others = repositories.filter((name) => !current.includes(name))
  if (others.some((name) => isUnlisted(name, problems))) return []
  if (others.length === 0) return [`There is a copy ${inPlaces(current)} only: the site has neither server nor filestore.`]
  return [`There is a copy ${inPlaces(current)} only: nothing as recent is ${inPlaces(others, 'or')}.`]
}

const BAD_SHOWN = 2

/** What checks found bad. `isNewest`: it is the newest backup, and no other copy of it is known to be well. */
function badReasons({ whole }: Facts): { isNewest: boolean; reasons: string[] } {
  const bad = whole.filter(({ proof }) => proof?.verdict === 'failed')
  const newest = bad.find(({ timestamp }) => timestamp === whole[0]?.timestamp)
  const isSaved = whole.some(
    ({ name, timestamp, proof }) => name === newest?.name && timestamp === newest.timestamp && proof?.verdict === 'verified',
  )
  const reasons = bad.slice(0, BAD_SHOWN).map(badReason)
  const rest = bad.length - reasons.length
  if (rest > 0) reasons.push(`${formatPlural(rest, 'other backup')} failed too.`)
  return { isNewest: newest !== undefined && !isSaved, reasons }
}

function badReason({ name, repository, timestamp, proof }: BackupEntry): string {
  const place = inPlace(repository)
  const isDrill = proof?.drill?.outcome === 'failed'
  const what = proof && whatFailed(proof)
  return `The ${isDrill ? 'drill' : 'verification'} of ${name} of ${formatMoment(timestamp)} ${place} failed${what ? `: ${what}` : ''}.`
}
