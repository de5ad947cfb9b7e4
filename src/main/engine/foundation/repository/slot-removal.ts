import { AppError } from '#shared/errors.ts'
import { formatMomentLong } from '#shared/format.ts'
import { keptKindOf } from '#shared/rotation.ts'
import type { FolderRepository } from './folder.ts'
import { showName } from './names.ts'
import { type OnStep, rollForward, type SlotIntent, writeIntent } from './slot-intent.ts'
import { recoverSlots } from './slot-writer.ts'

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
  const { folder, owner } = repository
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
  await recoverSlots(folder, { except: jobId, ...(repository.isOurJob ? { isOurJob: repository.isOurJob } : {}) })
  const entry = (await repository.readIndex()).get(name)
  if (entry?.timestamp !== timestamp) {
    throw new AppError(
      'unknown-backup',
      `There is no ${showName(name)} of ${formatMomentLong(new Date(timestamp * 1000))} in the vault. Nothing was removed.`,
      {
        hint: 'See the list of backups.',
        details: { name },
      },
    )
  }
  const intent: SlotIntent = { version: 1, id: jobId, owner, name, entry: null, oldEntry: entry, parts: [] }
  await backup.onStep?.('intent')
  await writeIntent(folder, intent)
  await rollForward(folder, intent, backup.onStep)
}
