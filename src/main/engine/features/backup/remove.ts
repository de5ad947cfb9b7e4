import type { EngineContext } from '#engine/foundation/context.ts'
import type { JobHandle } from '#engine/foundation/jobs/types.ts'
import { openVault } from '#engine/foundation/repository/open.ts'
import { removeKept } from '#engine/foundation/repository/slot-removal.ts'

export interface RemoveRequest {
  site: string
  name: string
  /** ISO UTC: which backup of that name was meant when it was confirmed. */
  timestamp: string
}

/**
 * Deletes a safety or pinned backup from the vault, as a job. It was confirmed before.
 *
 * The job fails with AppError `not-removable`, `unknown-backup` and those of the repository.
 */
export function startRemove(
  context: EngineContext,
  { site: siteName, name, timestamp }: RemoveRequest,
): JobHandle<{ name: string }> {
  return context.jobs.start({
    kind: 'remove-backup',
    title: `Deleting ${name}`,
    site: siteName,
    holds: [`site:${siteName}`],
    async run(job) {
      const vault = openVault(context, await context.sites.get(siteName))
      const lease = await vault.lease(job.signal)
      try {
        job.phase('Deleting it', null, 'steps')
        await removeKept(vault, { jobId: job.id, site: siteName, name, timestamp: Math.floor(Date.parse(timestamp) / 1000) })
        context.emit({ type: 'backups-changed', site: siteName })
        job.log(`Deleted ${name} from ${vault.place}.`)
        return { name }
      } finally {
        await lease.release()
      }
    },
  })
}
