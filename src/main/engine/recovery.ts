import type { Site } from '#shared/model/site.ts'
import { removeStagingOf } from './features/backup/index.ts'
import { reapEmbedded } from './features/demo/index.ts'
import { removePartsOfInterruptedJob } from './features/encryption/index.ts'
import { removeFetchedOf } from './features/proof/index.ts'
import { hasUnfinishedRestores, recoverInterruptedRestores } from './features/restore/index.ts'
import type { EngineContext } from './foundation/context.ts'
import type { JobQueue } from './foundation/jobs/jobs.ts'
import { localServerFolder, openVault, serverFolder } from './foundation/repository/open.ts'

/**
 * Clears up what a crash or kill -9 left behind: jobs of dead programs become "interrupted", half-written
 * slots are rolled forward or removed, half-done restores are undone, orphaned database clusters reaped.
 * A site that another program works on right now is left to that program.
 */
export async function recoverInterruptedWork(context: EngineContext, jobs: JobQueue): Promise<void> {
  const { log, sites, locks } = context
  const interrupted = await jobs.sweep()
  for (const job of interrupted) {
    log.warn('job was interrupted', { job: job.id, kind: job.kind, site: job.site })
    await attempt(context, `part files of job ${job.id}`, () => removePartsOfInterruptedJob(job))
    await attempt(context, `folder for the making of job ${job.id}`, () => removeStagingOf(context, job))
    await attempt(context, `what job ${job.id} had fetched`, () => removeFetchedOf(context, job))
  }
  await attempt(context, 'clusters of dead programs', () => reapEmbedded(context))
  for (const { site } of (await sites.list()).sites) {
    const lock = await locks.tryAcquire(`site:${site.name}`)
    if (!lock) continue
    try {
      if (await hasUnfinishedRestores(context, site)) void recoverOnServer(context, site)
      else await attempt(context, `restores of ${site.name}`, () => recoverInterruptedRestores(context, site))
      const server = localServerFolder(site)
      for (const repository of [openVault(context, site), ...(server === null ? [] : [serverFolder(context, server)])])
        await attempt(context, `slots in ${repository.place}`, () => repository.recover())
    } finally {
      await lock.release()
    }
  }
}

/** A server that is far away, or gone, keeps nobody from working: what waits for it is tried beside that, and again at the next start. */
async function recoverOnServer(context: EngineContext, { name }: Site): Promise<void> {
  await attempt(context, `restores of ${name} on its server`, async () => {
    const lock = await context.locks.acquire(`site:${name}`)
    try {
      await recoverInterruptedRestores(context, await context.sites.get(name))
    } finally {
      await lock.release()
    }
  })
}

/** One site's trouble must not keep the others from being repaired. */
async function attempt(context: EngineContext, what: string, action: () => Promise<unknown>): Promise<void> {
  try {
    await action()
  } catch (error) {
    context.log.error(`repair failed: ${what}`, { error })
  }
}
