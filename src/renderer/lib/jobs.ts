import { z } from 'zod'
import { formatAmount, formatDuration, formatPlural, formatRate } from '#shared/format.ts'
import { type DrillCheck, type DrillReport, drillReportSchema } from '#shared/model/drill.ts'
import { isJobActive, type Job, type JobKind, type JobPhase, type JobState } from '#shared/model/job.ts'
import { transferResultSchema } from '#shared/model/transfer.ts'
import { failedChecks } from './copies.ts'
import { transferSpeed, transferSummary } from './transfers.ts'

export const KIND_WORD: Record<JobKind, string> = {
  backup: 'Backup',
  verify: 'Verify',
  'restore-plan': 'Restore plan',
  restore: 'Restore',
  'way-back-plan': 'Way back plan',
  undo: 'Undo',
  drop: 'Drop',
  drill: 'Drill',
  pin: 'Pin',
  'remove-backup': 'Delete backup',
  'transfer-plan': 'Transfer plan',
  transfer: 'Transfer',
  'server-backup': 'Backup on the server',
  'server-command': 'Server command',
  discover: 'Look at a server',
  decrypt: 'Decrypt',
  'demo-start': 'Demo site',
  'demo-stop': 'Demo site',
  'demo-reset': 'Demo site',
  'demo-remove': 'Demo site',
}

export const STATE_WORD: Record<JobState, string> = {
  queued: 'Queued',
  running: 'Running',
  waiting: 'Waiting',
  done: 'Done',
  failed: 'Failed',
  cancelled: 'Cancelled',
  interrupted: 'Interrupted',
}

/** `Reading files · 842 MB of 1.35 GB · 61.0 MB/s`. */
export function phaseText(phase: JobPhase): string {
  const parts = [phase.name]
  if (phase.total !== null || phase.done > 0) parts.push(formatAmount(phase.done, phase.total, phase.unit))
  if (phase.rate !== null && phase.rate > 0 && phase.unit !== 'steps') parts.push(formatRate(phase.rate, phase.unit))
  return parts.filter((part) => part !== '').join(' · ')
}

export function timeLeftText(phase: JobPhase): string {
  return phase.secondsLeft === null ? '' : `${formatDuration(phase.secondsLeft)} left`
}

/** 0 to 1, or null when the length is not known. */
export function fraction(done: number, total: number | null): number | null {
  if (total === null || total <= 0) return null
  return Math.min(1, Math.max(0, done / total))
}

/** How long a job took or has been running, in seconds; null before it starts. */
export function tookSeconds(job: Job, now: Date): number | null {
  if (job.startedAt === null) return null
  const end = job.endedAt ?? (isJobActive(job) ? now.toISOString() : null)
  return end === null ? null : Math.max(0, (new Date(end).getTime() - new Date(job.startedAt).getTime()) / 1000)
}

/** What the job bar is about: a running job, else one that waits, else a failure that nobody looked at. */
export function jobBarSubject(jobs: readonly Job[]): { job: Job; queued: number } | null {
  const active = jobs.filter(isJobActive).sort((a, b) => a.createdAt.localeCompare(b.createdAt))
  const subject =
    active.find((job) => job.state === 'running') ??
    active[0] ??
    jobs.find((job) => !job.seen && (job.state === 'failed' || job.state === 'interrupted'))
  if (!subject) return null
  return { job: subject, queued: active.filter((job) => job !== subject).length }
}

export function newestFirst(jobs: Iterable<Job>): Job[] {
  return [...jobs].sort((a, b) => b.createdAt.localeCompare(a.createdAt))
}

/** What a verification or a drill found wrong: the job did what it should, the backup is not well. Null: nothing. */
export function foundProblem(job: Pick<Job, 'kind' | 'state' | 'items' | 'result'>): string | null {
  if (job.state !== 'done') return null
  if (job.kind === 'drill') {
    const report = drillReportOf(job)
    return report?.outcome === 'failed' ? `The drill failed. ${failedChecks(report)}` : null
  }
  const bad = job.kind === 'verify' ? job.items.filter((item) => item.state === 'failed').map((item) => item.name) : []
  return bad.length > 0 ? `Found a problem in ${bad.join(', ')}` : null
}

/** The report of a drill that came to its end. */
export function drillReportOf(job: Pick<Job, 'kind' | 'result'>): DrillReport | null {
  if (job.kind !== 'drill') return null
  const result = z.object({ report: drillReportSchema }).safeParse(job.result)
  return result.success ? result.data.report : null
}

/** "Restored in 12 s, every check passed". */
export function drillOutcome({ outcome, recoverySeconds, checks }: DrillReport): string {
  const restored = recoverySeconds === null ? 'Not restored' : `Restored in ${formatDuration(recoverySeconds)}`
  const count = (wanted: DrillCheck['outcome']) => checks.filter((check) => check.outcome === wanted).length
  if (outcome === 'unknown') return 'Cannot be drilled on this computer; nothing is said against the backup'
  if (outcome === 'failed') return `${restored}; ${formatPlural(count('failed'), 'check')} failed`
  const rest = [
    ...(count('warning') > 0 ? [`${formatPlural(count('warning'), 'check')} to read`] : []),
    ...(count('unknown') > 0 ? [`${formatPlural(count('unknown'), 'check')} not known`] : []),
  ]
  return `${restored}, ${rest.length === 0 ? 'every check passed' : rest.join(', ')}`
}

/** A single-line account of how a job ended. */
export function outcomeText(job: Job): string {
  if (job.state === 'interrupted') return 'The program ended while this ran. Nothing half-made was left in place.'
  if (job.error) return job.error.message
  if (job.state === 'waiting') return job.question ?? 'Waits for an answer'
  if (job.phase && isJobActive(job)) return phaseText(job.phase)
  const problem = foundProblem(job)
  if (problem !== null) return problem
  const report = drillReportOf(job)
  if (report) return drillOutcome(report)
  const transferred = job.kind === 'transfer' ? transferResultSchema.safeParse(job.result) : null
  if (transferred?.success) return `${transferSummary(transferred.data)} ${transferSpeed(transferred.data)}`
  const took = tookSeconds(job, new Date())
  return job.state === 'done' && took !== null ? `Done in ${formatDuration(took)}` : STATE_WORD[job.state]
}
