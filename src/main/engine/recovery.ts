import { reapEmbedded } from './features/demo/index.ts'
import { removePartsOfInterruptedJob } from './features/encryption/index.ts'
import { recoverInterruptedRestores } from './features/restore/index.ts'
import type { EngineContext } from './foundation/context.ts'
import type { JobQueue } from './foundation/jobs/jobs.ts'
import { localServerFolder, ourJobs } from './foundation/repository/open.ts'
import { recoverSlots } from './foundation/repository/slot-writer.ts'

/**
 * Clears up what a crash or kill -9 left behind: jobs of dead programs become "interrupted", half-written
 * slots are rolled forward or removed, half-done restores are undone, orphaned database clusters reaped.
 * A site that another program works on right now is left to that program.
 */
export async function recoverInterruptedWork(context: EngineContext, jobs: JobQueue): Promise<void> {
  const { log, sites, locks } = context
  const isOurJob = ourJobs(context.home)
  const interrupted = await jobs.sweep()
  for (const job of interrupted) {
    log.warn('job was interrupted', { job: job.id, kind: job.kind, site: job.site })
    await attempt(context, `part files of job ${job.id}`, () => removePartsOfInterruptedJob(job))
  }
  await attempt(context, 'clusters of dead programs', () => reapEmbedded(context))
  for (const { site } of (await sites.list()).sites) {
    const lock = await locks.tryAcquire(`site:${site.name}`)
    if (!lock) continue
    try {
      await attempt(context, `restores of ${site.name}`, () => recoverInterruptedRestores(context, site))
      const folders = [sites.vaultPath(site), localServerFolder(site)].filter((folder) => folder !== null)
      for (const folder of folders) await attempt(context, `slots in ${folder}`, () => recoverSlots(folder, { isOurJob }))
    } finally {
      await lock.release()
    }
  }
}

/** One site's trouble must not keep the others from being repaired. */
async function attempt(context: EngineContext, what: string, action: () => Promise<unknown>): Promise<void> {
  try {
    await action()
  } catch (error) {
    context.log.error(`repair failed: ${what}`, { error })
  }
}
