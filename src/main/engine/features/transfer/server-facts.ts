import { serverSeconds } from '#engine/foundation/connections/ssh/server-clock.ts'
import { serverFreeBytes } from '#engine/foundation/connections/ssh/server-disk.ts'
import { connectSiteServer } from '#engine/foundation/connections/ssh/site-server.ts'
import type { SshConnection } from '#engine/foundation/connections/ssh/types.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import { serverBackupFolder } from '#engine/foundation/repository/open.ts'
import type { S3Repository } from '#engine/foundation/repository/s3/repository.ts'
import type { Repository } from '#engine/foundation/repository/types.ts'
import { isCancelled } from '#shared/errors.ts'
import type { RepositoryName } from '#shared/model/backup.ts'
import type { Site } from '#shared/model/site.ts'
import { freeInFolder } from './checks.ts'

/** Bytes free where a repository's folder is; null: it can't be known. */
export async function readFree(
  context: EngineContext,
  site: Site,
  repository: Repository,
  signal: AbortSignal,
): Promise<number | null> {
  if (repository.kind === 'folder') return freeInFolder(repository.place)
  const folder = serverBackupFolder(site)
  if (repository.kind !== 'sftp' || folder === null) return null
  return askServer(context, site, signal, (connection) => serverFreeBytes(connection, folder, signal))
}

/** By how many seconds the clock of a side is ahead of ours; null: it can't be known, or is ours. */
export async function readAhead(
  context: EngineContext,
  site: Site,
  side: RepositoryName,
  repository: Repository,
  signal: AbortSignal,
): Promise<number | null> {
  if (repository.kind === 's3') {
    const milliseconds = (repository as S3Repository).connection.clockDifference
    return milliseconds === null ? null : milliseconds / 1000
  }
  if (side !== 'server' || repository.kind !== 'sftp') return null
  const seconds = await askServer(context, site, signal, (connection) => serverSeconds(connection, signal))
  return seconds === null ? null : seconds - Date.now() / 1000
}

/** null: commands may not be run there, as for a log-in that has SFTP alone. */
async function askServer<T>(
  context: EngineContext,
  site: Site,
  signal: AbortSignal,
  ask: (connection: SshConnection) => Promise<T>,
): Promise<T | null> {
  const server = await connectSiteServer(context, site, signal)
  if (!server) return null
  try {
    return await ask(server.connection)
  } catch (error) {
    if (signal.aborted || isCancelled(error)) throw error
    return null
  }
}
