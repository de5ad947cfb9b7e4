import { formatBytes, formatDuration, formatPlural, formatRate } from '#shared/format.ts'
import type { RepositoryName } from '#shared/model/backup.ts'
import { isJobActive, type Job } from '#shared/model/job.ts'
import type { TransferPlan, TransferResult } from '#shared/model/transfer.ts'
import { REPOSITORIES } from './copies.ts'
import type { BackupRow } from './join-backups.ts'

/** A copy that is on its way to a repository. */
export interface CopyUnderWay {
  to: RepositoryName
  /** `62 %`, `queued`. */
  text: string
}

/** Where a copy is read from that is whole as far as is known: the vault, else the server, else the filestore. */
function wholeCopies(row: Pick<BackupRow, 'copies'>): RepositoryName[] {
  return REPOSITORIES.filter((repository) => row.copies[repository]?.state === 'present')
}

/** Only the rotation is copied, and never over another backup of that moment or a later one. */
function canTake(row: Pick<BackupRow, 'copies' | 'absent' | 'slot'>, repository: RepositoryName): boolean {
  return row.slot !== null && !row.copies[repository] && row.absent[repository]?.state !== 'later'
}

/** From where the vault can get what it lacks; null: there is nothing to fetch. */
export function fetchSource(row: Pick<BackupRow, 'copies' | 'absent' | 'slot'>): RepositoryName | null {
  return canTake(row, 'vault') ? (wholeCopies(row)[0] ?? null) : null
}

/** The repositories beside the vault that a whole copy could go to, and where it would come from. */
export function copyTargets(
  row: Pick<BackupRow, 'copies' | 'absent' | 'slot'>,
  repositories: readonly RepositoryName[],
): { from: RepositoryName; to: RepositoryName }[] {
  const from = wholeCopies(row)[0]
  if (from === undefined) return []
  return repositories.filter((to) => to !== 'vault' && canTake(row, to)).map((to) => ({ from, to }))
}

/** Whether a plan needs nobody to look at it: it replaces and deletes nothing on a server, and every check passed. */
export function runsByItself(plan: Pick<TransferPlan, 'needsConfirmation' | 'runnable' | 'checks'>): boolean {
  return plan.runnable && !plan.needsConfirmation && plan.checks.every((check) => check.outcome === 'passed')
}

/** The transfer that brings this backup somewhere just now. */
export function transferInto(row: Pick<BackupRow, 'name' | 'timestamp'>, jobs: readonly Job[]): CopyUnderWay | null {
  for (const job of jobs) {
    if (job.kind !== 'transfer' || !isJobActive(job)) continue
    const item = job.items.find(({ name, facts }) => name === row.name && facts.timestamp === row.timestamp)
    const to = REPOSITORIES.find((repository) => repository === item?.facts.to)
    if (!item || to === undefined || (item.state !== 'running' && item.state !== 'waiting')) continue
    const text =
      item.state === 'waiting'
        ? 'queued'
        : item.total === null || item.total <= 0
          ? ''
          : `${Math.floor((item.done / item.total) * 100)} %`
    return { to, text }
  }
  return null
}

/** "3 backups copied to the vault, 1 deleted." */
export function transferSummary({ backups, to }: TransferResult): string {
  const count = (outcome: TransferResult['backups'][number]['outcome']) =>
    backups.filter((backup) => backup.outcome === outcome).length
  const parts = [
    `${formatPlural(count('copied'), 'backup')} copied to the ${to}`,
    ...(count('same') > 0 ? [`${count('same')} there already`] : []),
    ...(count('deleted') > 0 ? [`${count('deleted')} deleted`] : []),
    ...(count('failed') > 0 ? [`${count('failed')} failed`] : []),
  ]
  return `${parts.join(', ')}.`
}

/** "1.35 GB in 22 s, 61.0 MB/s." */
export function transferSpeed({ bytes, seconds }: TransferResult): string {
  const rate = seconds > 0 && bytes > 0 ? `, ${formatRate(bytes / seconds, 'bytes')}` : ''
  return `${formatBytes(bytes)} in ${formatDuration(seconds)}${rate}.`
}
