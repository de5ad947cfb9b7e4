import type { EngineContext } from '#engine/foundation/context.ts'
import { emptyIndex, type IndexDocument, partFiles } from '#engine/foundation/repository/backup-index.ts'
import { openRepository, type RepositoryContext } from '#engine/foundation/repository/open.ts'
import type { FileStat, Repository } from '#engine/foundation/repository/types.ts'
import { AppError, toAppError } from '#shared/errors.ts'
import { formatDuration } from '#shared/format.ts'
import type { BackupList, RepositoryName } from '#shared/model/backup.ts'
import type { Site } from '#shared/model/site.ts'
import type { Place } from './describe.ts'

/** A repository that does not answer for so long is told as a problem. */
export const LISTING_TIMEOUT_MS = 30_000

export type ListContext = RepositoryContext & Pick<EngineContext, 'log'>

export interface LookOptions {
  signal?: AbortSignal | undefined
  /** Milliseconds for each repository. */
  timeout?: number | undefined
}

/** What is in a repository, not yet described. */
export interface Scan {
  document: IndexDocument
  files: Map<string, FileStat>
  problems: BackupList['problems']
  /** False: it could not be listed, `problems` says why. */
  isListed: boolean
  at: Date
}

/** Looks into a repository of a site; one that can't be listed is a scan with the reason. @throws AppError `cancelled` */
export async function scanSite(
  context: RepositoryContext,
  site: Site,
  name: RepositoryName,
  options: LookOptions = {},
): Promise<Scan> {
  try {
    return await inTime(name, options, async (signal) => scan(await openRepository(context, site, name, signal), name, signal))
  } catch (error) {
    options.signal?.throwIfAborted()
    return failedScan(name, error)
  }
}

/** What is known of a repository that can't be listed. */
export function failedScan(name: RepositoryName, error: unknown): Scan {
  const { code, message, hint } = toAppError(error)
  const problems = [{ repository: name, code, message, hint }]
  return { document: emptyIndex(), files: new Map(), problems, isListed: false, at: new Date() }
}

/**
 * One reading of the index and one of the list, side by side: over a slow line each takes several turns.
 * @throws AppError `index-corrupt`, those of the repository
 */
export async function scan(repository: Repository, place: Place, signal?: AbortSignal): Promise<Scan> {
  const at = new Date()
  const [document, listed] = await Promise.all([repository.readIndexDocument(), repository.list(signal)])
  const byName = (list: FileStat[]) => new Map(list.map((facts) => [facts.name, facts]))
  let files = byName(listed)
  // a backup that was put in place between the two looks must not show as one whose files are missing
  const names = [...document.entries].flatMap(([name, entry]) => partFiles(name, entry).map(({ file }) => file))
  if (names.some((name) => !files.has(name))) files = byName(await repository.list(signal))
  const problems = document.problems.map(({ code, message }) => ({
    repository: place,
    code,
    message,
    hint: 'The other backups are not affected. A new backup into this slot replaces the entry.',
  }))
  return { document, files, problems, isListed: true, at }
}

/**
 * Does something with a repository for as long as is given to it. What goes on after that is let go of: a connection that is
 * dead may not hear of the end.
 * @throws AppError `repository-timeout`, `cancelled`
 */
export async function inTime<T>(
  name: RepositoryName,
  { signal, timeout = LISTING_TIMEOUT_MS }: LookOptions,
  action: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted()
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(tooLate(name, timeout)), timeout)
  const ends = signal ? AbortSignal.any([signal, late.signal]) : late.signal
  try {
    return await new Promise<T>((resolve, reject) => {
      ends.addEventListener('abort', () => reject(ends.reason), { once: true })
      action(ends).then(resolve, reject)
    })
  } catch (error) {
    throw late.signal.aborted ? late.signal.reason : error
  } finally {
    clearTimeout(timer)
  }
}

function tooLate(name: RepositoryName, milliseconds: number): AppError {
  const what = name === 'vault' ? 'The vault' : name === 'server' ? 'The server' : 'The filestore'
  return new AppError('repository-timeout', `${what} did not answer within ${formatDuration(milliseconds / 1000)}.`, {
    hint: 'Is it reachable from here? Test its connection in the site’s settings, then look again.',
    details: { repository: name },
  })
}
