import { findBackups } from '#engine/features/listing/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { JobContext } from '#engine/foundation/jobs/types.ts'
import { noRateLimit } from '#engine/foundation/rate-limit.ts'
import { openToRead } from '#engine/foundation/repository/open.ts'
import type { Repository } from '#engine/foundation/repository/types.ts'
import type { BackupEntry, BackupPart, PartKind, RepositoryName } from '#shared/model/backup.ts'
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
  job: JobContext,
  site: Site,
  wanted: { name: string; timestamp?: string | undefined; from?: RepositoryName | undefined },
): Promise<FoundBackup> {
  const [entry] = await findBackups(context, site, wanted)
  const from = entry.repository
  // somebody waits for a restore: what is meant for work beside others does not hold it back
  const repository = await openToRead(context, site, from, job, { limit: noRateLimit })
  return { site: site.name, entry, repository, from, why: whyFrom(from, wanted.from, repository.place) }
}

function whyFrom(from: RepositoryName, wanted: RepositoryName | undefined, place: string): string {
  if (wanted !== undefined) return `Read from the ${from} (${place}), as asked for.`
  if (from === 'vault') return `Read from the ${from} (${place}).`
  return `Read from the ${from} (${place}): it was not found in the vault${from === 'filestore' ? ' or on the server' : ''}.`
}

/** null: it has none. */
export function partOf(entry: BackupEntry, kind: PartKind): BackupPart | null {
  return entry.parts.find(({ part, trouble }) => part === kind && trouble !== 'not-uploaded') ?? null
}
