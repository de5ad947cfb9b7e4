import type { SshConnection } from '#engine/foundation/connections/ssh/types.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import { serverBackupFolder } from '#engine/foundation/repository/open.ts'
import type { S3Repository } from '#engine/foundation/repository/s3/repository.ts'
import type { Repository } from '#engine/foundation/repository/types.ts'
import { isCancelled } from '#shared/errors.ts'
import type { RepositoryName } from '#shared/model/backup.ts'
import type { Site } from '#shared/model/site.ts'
import { freeInFolder } from './checks.ts'

const KIB = 1024
const COMMAND_MS = 10_000

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
  const lines = (await outputOf(context, site, ['df', '-P', '-k', folder], signal))?.trim().split('\n')
  const available = Number(lines?.at(-1)?.split(/\s+/)[3])
  return Number.isSafeInteger(available) ? available * KIB : null
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
  const seconds = Number((await outputOf(context, site, ['date', '+%s'], signal))?.trim())
  return Number.isSafeInteger(seconds) && seconds > 0 ? seconds - Date.now() / 1000 : null
}

/** What a command of the server printed; null: it may not be run there, as for a log-in that has SFTP alone. */
async function outputOf(context: EngineContext, site: Site, command: string[], signal: AbortSignal): Promise<string | null> {
  if (site.server?.kind !== 'ssh') return null
  const secrets = await context.sites.sshSecrets(site)
  const connection: SshConnection = await context.ssh.connect({ settings: site.server.ssh, secrets }, { signal })
  try {
    const { code, stdout } = await connection.run(command, { signal, timeoutMs: COMMAND_MS })
    return code === 0 ? stdout : null
  } catch (error) {
    if (signal.aborted || isCancelled(error)) throw error
    return null
  }
}
