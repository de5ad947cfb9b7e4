import { AppError } from '#shared/errors.ts'
import { formatMomentLong } from '#shared/format.ts'
import { keptKindOf, splitBackupName } from '#shared/rotation.ts'
import type { FolderRepository } from './folder.ts'
import { readIndexFile } from './index-file.ts'
import { newWriteId, showName } from './names.ts'
import type { RepositoryFiles } from './repository-files.ts'
import { type OnStep, rollForward, type SlotIntent, writeIntent } from './slot-intent.ts'
import type { IndexEntry } from './types.ts'

/**
 * Removes a safety or pinned backup: first its index entry, then the files that only this entry named. Written down
 * before, so that a crash at any moment is finished by the next start. The caller holds the repository's lease.
 * @param backup.timestamp Unix seconds; another backup of that name is left alone
 * @throws AppError `not-removable`, `unknown-backup`, `index-corrupt`: nothing was changed
 */
export async function removeKept(
  repository: FolderRepository,
  backup: { jobId: string; site: string; name: string; timestamp: number; onStep?: OnStep },
): Promise<void> {
  const { files, owner } = repository
  const { jobId, site, name, timestamp } = backup
  if (owner !== 'home' || keptKindOf(site, name) === null) {
    throw new AppError(
      'not-removable',
      `${showName(name)} is no safety or pinned backup of ${site} in the vault. Nothing was removed.`,
      {
        hint: 'The rotation replaces its own backups; those of a server are the server’s.',
        details: { name },
      },
    )
  }
  await repository.recover(jobId)
  const oldEntry = await entryToRemove(files, { name, timestamp })
  const intent: SlotIntent = { version: 1, id: jobId, owner, name, entry: null, oldEntry, parts: [] }
  await backup.onStep?.('intent')
  await writeIntent(files, intent)
  await rollForward(files, intent, backup.onStep)
}

/**
 * Removes a rotation slot in the same way, see Repository.removeSlot.
 * @param guard called right before the first change; throws when the lease was lost
 * @throws AppError `not-removable`, `unknown-backup`, `index-corrupt`: nothing was changed
 */
export async function removeRotationSlot(
  files: RepositoryFiles,
  slot: { name: string; timestamp: number },
  guard: () => Promise<void>,
): Promise<void> {
  if (splitBackupName(slot.name) === null) {
    throw new AppError('not-removable', `${showName(slot.name)} is no rotation slot. Nothing was removed.`, {
      hint: 'Safety and pinned backups are removed one by one, in the vault.',
      details: { name: slot.name },
    })
  }
  const oldEntry = await entryToRemove(files, slot)
  await guard()
  const id = newWriteId()
  const intent: SlotIntent = { version: 1, id, owner: files.owner, name: slot.name, entry: null, oldEntry, parts: [] }
  await writeIntent(files, intent)
  await rollForward(files, intent)
}

/** @throws AppError `unknown-backup` */
async function entryToRemove(
  files: RepositoryFiles,
  { name, timestamp }: { name: string; timestamp: number },
): Promise<IndexEntry> {
  const entry = (await readIndexFile(files)).document.entries.get(name)
  if (entry?.timestamp === timestamp) return entry
  throw new AppError(
    'unknown-backup',
    `There is no ${showName(name)} of ${formatMomentLong(new Date(timestamp * 1000))} in ${files.owner === 'home' ? 'the vault' : files.place}. Nothing was removed.`,
    { hint: 'See the list of backups.', details: { name } },
  )
}
