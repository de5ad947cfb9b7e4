import type { EngineContext } from '#engine/foundation/context.ts'
import type { Repository } from '#engine/foundation/repository/types.ts'
import type { RepositoryName } from '#shared/model/backup.ts'
import type { Site } from '#shared/model/site.ts'
import { freeInFolder } from './checks.ts'

/** Bytes free where a repository's folder is; null: it can't be known. */
export async function readFree(
  _context: EngineContext,
  _site: Site,
  repository: Repository,
  _signal: AbortSignal,
): Promise<number | null> {
  return repository.kind === 'folder' ? freeInFolder(repository.place) : null
}

/** By how many seconds the clock of a side is ahead of ours; null: it can't be known, or is ours. */
export async function readAhead(
  _context: EngineContext,
  _site: Site,
  _to: RepositoryName,
  _signal: AbortSignal,
): Promise<number | null> {
  return null
}
