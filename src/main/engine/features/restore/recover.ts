import type { EngineContext } from '#engine/foundation/context.ts'
import { localServer, type Site } from '#shared/model/site.ts'
import { wasCommitted } from './commit-outcome.ts'
import { undoFiles } from './files/undo-files.ts'
import {
  hasUndo,
  isCommitted,
  listUndoJobs,
  markCommitted,
  readCommitting,
  readUndoStart,
  removeUndo,
  type UndoStart,
} from './files/undo-journal.ts'
import { readDropping, unmarkDropping } from './way-back/dropping.ts'
import { finishTakingBack } from './way-back/take-back-files.ts'

type Recovery = Pick<EngineContext, 'sites' | 'log'>

/**
 * Ends what restores, undos and deletions of a site left half-done when their program was killed: files are put back unless
 * the database was swapped; kept files go when their schema did. What concerns the database alone leaves nothing: its
 * transaction ended with the program.
 * To be called while the site is locked, so that nothing of it is running.
 * @throws AppError when the database can't be asked but must be: then everything stays, for the next start
 */
export async function recoverInterruptedRestores(context: Recovery, site: Site): Promise<void> {
  const folders = localServer(site)
  if (!folders) return
  const { filesDir } = folders
  for (const job of await listUndoJobs(filesDir)) {
    const start = await readUndoStart(filesDir, job)
    // a files folder may be shared by sites
    if (start && start.site !== site.name) continue
    if (isCommitted(filesDir, job)) {
      if (await finishDropping(context, site, filesDir, job)) continue
      if (start && start.undoes !== null && hasUndo(filesDir, start.undoes)) await finishTakingBack(folders, job)
    } else if (start && (await isInPlace(context, site, filesDir, job, start))) {
      await markCommitted(filesDir, job)
      if (start.undoes !== null) await finishTakingBack(folders, job)
      context.log.info('an interrupted restore was complete', { job, site: site.name })
    } else {
      const undone = await undoFiles(folders, job)
      context.log.warn('files of an interrupted restore were put back', { job, site: site.name, ...undone })
    }
  }
}

async function isInPlace(
  { sites }: Recovery,
  site: Site,
  filesDir: string,
  job: string,
  { schema }: UndoStart,
): Promise<boolean> {
  const committing = await readCommitting(filesDir, job)
  if (!committing) return false
  const { backend, liveOid } = committing
  return wasCommitted(await sites.connection(site), schema ?? site.database.schema, liveOid, backend)
}

/** @returns true: the kept files of the job are gone */
async function finishDropping({ sites, log }: Recovery, site: Site, filesDir: string, job: string): Promise<boolean> {
  const dropping = await readDropping(filesDir, job)
  if (dropping === undefined) return false
  const isGone =
    dropping === null || (await wasCommitted(await sites.connection(site), dropping.schema, dropping.oid, dropping.backend))
  if (isGone) await removeUndo(filesDir, job)
  else await unmarkDropping(filesDir, job)
  log.info(isGone ? 'an interrupted deletion was finished' : 'an interrupted deletion did not take place', {
    job,
    site: site.name,
  })
  return isGone
}
