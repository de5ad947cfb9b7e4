import { sshServer } from '#engine/foundation/connections/ssh/site-server.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { JobContext } from '#engine/foundation/jobs/types.ts'
import type { Site } from '#shared/model/site.ts'
import { wasCommitted } from './commit-outcome.ts'
import { undoFiles } from './files/undo-files.ts'
import {
  diskOf,
  hasUndo,
  isCommitted,
  listUndoJobs,
  markCommitted,
  readCommitting,
  readUndoStart,
  removeUndo,
  type SiteFolders,
  type UndoRoot,
  type UndoStart,
  undoPlaces,
} from './files/undo-journal.ts'
import { forgetUnfinished, listUnfinished } from './remote-files/unfinished.ts'
import { siteFolders } from './site-folders.ts'
import { readDropping, unmarkDropping } from './way-back/dropping.ts'
import { finishTakingBack } from './way-back/take-back-files.ts'

type Recovery = Pick<EngineContext, 'sites' | 'ssh' | 'home' | 'log'>

/** How long a server may take to be reached, and to have its files put back. */
const SERVER_MS = 10 * 60_000

/**
 * Ends what restores, undos and deletions of a site left half-done when their program was killed: files are put back unless
 * the database was swapped; kept files go when their schema did. What concerns the database alone leaves nothing: its
 * transaction ended with the program.
 * To be called while the site is locked, so that nothing of it is running. Of a server that is reached by SSH only jobs of this home
 * folder are looked after, and it is asked only when there are some.
 * @throws AppError when the database or the server can't be asked but must be: then everything stays, for the next start
 */
export async function recoverInterruptedRestores(context: Recovery, site: Site): Promise<void> {
  const isRemote = sshServer(site) !== null
  const unfinished = isRemote ? await listUnfinished(context, site) : null
  if (unfinished?.length === 0) return
  const folders = await siteFolders(context, site, isRemote ? AbortSignal.timeout(SERVER_MS) : undefined)
  if (!folders) return
  for (const job of unfinished ?? (await listUndoJobs(folders))) {
    await recoverJob(context, site, folders, job)
    if (isRemote) await forgetUnfinished(context, site, job)
  }
}

/** Whether a server must be asked before its site is whole again. */
export async function hasUnfinishedRestores(context: Pick<EngineContext, 'home'>, site: Site): Promise<boolean> {
  return sshServer(site) !== null && (await listUnfinished(context, site)).length > 0
}

/** What a plan's job holds: nothing, unless it has to end what an earlier job left half-done on the site's server. */
export async function holdsForPlan(context: Pick<EngineContext, 'home'>, site: Site): Promise<string[]> {
  return (await hasUnfinishedRestores(context, site)) ? [`site:${site.name}`] : []
}

/** Before a plan looks at the site: ends what an earlier job left half-done on its server. @throws AppError as {@link recoverInterruptedRestores} */
export async function recoverBeforePlan(context: Recovery, job: JobContext, site: Site): Promise<void> {
  if (!(await hasUnfinishedRestores(context, site))) return
  job.phase('Putting back what an interrupted restore left on the server')
  await recoverInterruptedRestores(context, site)
}

async function recoverJob(context: Recovery, site: Site, folders: SiteFolders, job: string): Promise<void> {
  const start = await readUndoStart(folders, job)
  // a files folder may be shared by sites
  if (start && start.site !== site.name) return
  await diskOf(folders).removeTree(undoPlaces(folders, job).dump)
  if (await isCommitted(folders, job)) {
    if (await finishDropping(context, site, folders, job)) return
    if (start && start.undoes !== null && (await hasUndo(folders, start.undoes))) await finishTakingBack(folders, job)
  } else if (start && (await isInPlace(context, site, folders, job, start))) {
    await markCommitted(folders, job)
    if (start.undoes !== null) await finishTakingBack(folders, job)
    context.log.info('an interrupted restore was complete', { job, site: site.name })
  } else {
    const undone = await undoFiles(folders, job)
    context.log.warn('files of an interrupted restore were put back', { job, site: site.name, ...undone })
  }
}

async function isInPlace({ sites }: Recovery, site: Site, root: UndoRoot, job: string, { schema }: UndoStart): Promise<boolean> {
  const committing = await readCommitting(root, job)
  if (!committing) return false
  const { backend, liveOid } = committing
  return wasCommitted(await sites.connection(site), schema ?? site.database.schema, liveOid, backend)
}

/** @returns true: the kept files of the job are gone */
async function finishDropping({ sites, log }: Recovery, site: Site, root: UndoRoot, job: string): Promise<boolean> {
  const dropping = await readDropping(root, job)
  if (dropping === undefined) return false
  const isGone =
    dropping === null || (await wasCommitted(await sites.connection(site), dropping.schema, dropping.oid, dropping.backend))
  if (isGone) await removeUndo(root, job)
  else await unmarkDropping(root, job)
  log.info(isGone ? 'an interrupted deletion was finished' : 'an interrupted deletion did not take place', {
    job,
    site: site.name,
  })
  return isGone
}
