import { listBackups } from '#engine/features/listing/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import { openRepository, repositoriesOf } from '#engine/foundation/repository/open.ts'
import type { Repository } from '#engine/foundation/repository/types.ts'
import { AppError } from '#shared/errors.ts'
import { type BackupEntry, type BackupPart, isSameMoment, type PartKind, type RepositoryName } from '#shared/model/backup.ts'
import type { Site } from '#shared/model/site.ts'

export interface FoundBackup {
  /** Whose backup it is. */
  site: string
  entry: BackupEntry
  repository: Repository
  from: RepositoryName
  /** Why it is read there: one sentence. */
  why: string
}

/**
 * Finds a backup of a site: where it was asked for, else in the vault, on the server, in the filestore.
 * @throws AppError `unknown-backup`, or why a repository can't be listed
 */
export async function findBackup(
  context: EngineContext,
  site: Site,
  wanted: { name: string; timestamp?: string | undefined; from?: RepositoryName | undefined },
): Promise<FoundBackup> {
  const list = await listBackups(context, site, wanted.from ?? 'all')
  const named = list.backups.filter(
    ({ name, timestamp }) =>
      name === wanted.name && (wanted.timestamp === undefined || isSameMoment(timestamp, wanted.timestamp)),
  )
  const entry = repositoriesOf(site)
    .map((from) => named.find(({ repository }) => repository === from))
    .find((found) => found !== undefined)
  if (!entry || entry.repository === 'folder') {
    const cause = list.problems.find(({ code }) => !code.startsWith('index-entry-'))
    if (cause) throw new AppError(cause.code, cause.message, { hint: cause.hint, details: { repository: cause.repository } })
    throw new AppError('unknown-backup', `There is no backup ${JSON.stringify(wanted.name)} of ${site.name} here.`, {
      hint: 'See the list of backups.',
      details: { name: wanted.name },
    })
  }
  const from = entry.repository
  const repository = await openRepository(context, site, from)
  return { site: site.name, entry, repository, from, why: whyFrom(from, wanted.from, repository.place) }
}

function whyFrom(from: RepositoryName, wanted: RepositoryName | undefined, place: string): string {
  if (wanted !== undefined) return `Read from the ${from} (${place}), as asked for.`
  return from === 'vault'
    ? `Read from the vault (${place}).`
    : `Read from the ${from} (${place}): ${from === 'server' ? 'the vault does' : 'vault and server do'} not have this backup.`
}

export function partOf(entry: BackupEntry, kind: PartKind): BackupPart | null {
  return entry.parts.find(({ part }) => part === kind) ?? null
}
