import type { RepositoryName } from '#shared/model/backup.ts'
import { call } from '../bridge.ts'
import { callUnlocking } from '../queries.ts'
import { jobEnd } from '../stores/jobs.ts'
import { navigate } from '../stores/ui.ts'
import type { BackupRow } from './join-backups.ts'
import { showError } from './show-error.ts'
import { runsByItself } from './transfers.ts'
import { planIdOf } from './use-planned-run.ts'

/**
 * Brings one backup into the vault: what changes nothing but the vault and has nothing to read runs at once; else its plan
 * is shown.
 * @param onJob told of each job that it starts
 */
export async function fetchBackup(
  site: string,
  { name, timestamp }: Pick<BackupRow, 'name' | 'timestamp'>,
  from: RepositoryName,
  onJob: (jobId: string) => void,
): Promise<void> {
  try {
    const planning = await callUnlocking('transfer.plan', { site, from, to: 'vault', names: [name], timestamp })
    onJob(planning.jobId)
    const job = await jobEnd(planning.jobId)
    if (job.state === 'cancelled') return
    const planId = planIdOf(job)
    if (!runsByItself(await call('transfer.getPlan', { planId })))
      return navigate({ page: 'transfer', site, from, to: 'vault', backup: { name, timestamp } })
    const { jobId } = await callUnlocking('transfer.run', { planId })
    if (jobId !== null) onJob(jobId)
  } catch (error) {
    showError(error)
  }
}
