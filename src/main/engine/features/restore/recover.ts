import type { EngineContext } from '#engine/foundation/context.ts'
import type { Site } from '#shared/model/site.ts'
import { wasCommitted } from './commit-outcome.ts'
import { undoFiles } from './files/undo-files.ts'
import { isCommitted, listUndoJobs, markCommitted, readUndoJournal } from './files/undo-journal.ts'

/**
 * Ends what restores of a site left half-done when their program was killed: media are put back unless the database was
 * swapped. A restore of the database alone leaves nothing: its transaction ended with the program.
 * To be called while the site is locked, so that no restore of it is running.
 * @throws AppError when the database can't be asked but must be: then everything stays, for the next start
 */
export async function recoverInterruptedRestores(context: Pick<EngineContext, 'sites' | 'log'>, site: Site): Promise<void> {
  if (!site.server) return
  const { filesDir } = site.server
  for (const job of await listUndoJobs(filesDir)) {
    if (isCommitted(filesDir, job)) continue
    const { owner, isInPlace } = await lookInto(context, site, filesDir, job)
    // a files folder may be shared by sites
    if (owner !== null && owner !== site.name) continue
    if (isInPlace) {
      await markCommitted(filesDir, job)
      context.log.info('an interrupted restore was complete', { job, site: site.name })
    } else {
      const undone = await undoFiles(site.server, job)
      context.log.warn('files of an interrupted restore were put back', { job, site: site.name, ...undone })
    }
  }
}

async function lookInto(
  { sites }: Pick<EngineContext, 'sites'>,
  site: Site,
  filesDir: string,
  job: string,
): Promise<{ owner: string | null; isInPlace: boolean }> {
  let owner: string | null = null
  for await (const line of readUndoJournal(filesDir, job)) {
    if (line.type === 'start') {
      owner = line.site
      if (owner !== site.name) return { owner, isInPlace: false }
    }
    if (line.type !== 'committing') continue
    const isInPlace = await wasCommitted(await sites.connection(site), site.database.schema, line.liveOid, line.backend)
    return { owner, isInPlace }
  }
  // COMMIT was never sent
  return { owner, isInPlace: false }
}
