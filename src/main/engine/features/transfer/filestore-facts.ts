import type { EngineContext } from '#engine/foundation/context.ts'
import { openRepository } from '#engine/foundation/repository/open.ts'
import type { BackupIndex, IndexEntry, Repository } from '#engine/foundation/repository/types.ts'
import { toAppError } from '#shared/errors.ts'
import type { RepositoryName } from '#shared/model/backup.ts'
import type { Site } from '#shared/model/site.ts'

/** What a target's entry shall say of the filestore: what is so, as far as it can be seen. */
export type IsInFilestore = (name: string, entry: IndexEntry) => boolean

/**
 * Looks into the filestore, unless it is a side of the transfer. What can't be seen is taken from the source's entry.
 * @param onNote why it can't be seen
 */
export async function readIsInFilestore(
  context: EngineContext,
  site: Site,
  { from, to }: { from: RepositoryName; to: RepositoryName },
  onNote: (text: string) => void,
): Promise<IsInFilestore> {
  if (from === 'filestore' || to === 'filestore') return () => true
  if (!site.filestore) return (_, entry) => entry.is_filestore_uploaded === true
  let index: BackupIndex
  try {
    index = await (await openRepository(context, site, 'filestore')).readIndex()
  } catch (error) {
    onNote(`Whether the filestore has these backups is taken from the source: ${toAppError(error).message}`)
    return (_, entry) => entry.is_filestore_uploaded === true
  }
  return (name, entry) => index.get(name)?.timestamp === entry.timestamp
}

/** Says in the source's index that the filestore has a backup now, so that a server does not upload it once more. */
export async function markUploaded(
  from: Repository,
  name: string,
  { timestamp }: IndexEntry,
  signal: AbortSignal,
): Promise<void> {
  const lease = await from.lease(signal)
  try {
    await from.updateIndex((index) => {
      const entry = index.get(name)
      if (entry?.timestamp === timestamp) index.set(name, { ...entry, is_filestore_uploaded: true })
    })
  } finally {
    await lease.release()
  }
}
