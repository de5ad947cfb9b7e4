import { access } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { AppError } from '#shared/errors.ts'
import type { RepositoryName } from '#shared/model/backup.ts'
import type { Site } from '#shared/model/site.ts'
import type { EngineContext } from '../context.ts'
import type { Home } from '../home.ts'
import { journalPath } from '../jobs/journal.ts'
import type { JobContext } from '../jobs/types.ts'
import type { RateLimit } from '../rate-limit.ts'
import { type FolderRepository, openFolderRepository } from './folder.ts'
import type { Patience } from './repeating.ts'
import { openSftpRepository } from './sftp.ts'
import { steadily } from './steady.ts'
import type { BackupIndex, Repository } from './types.ts'

/** What opening a site's repositories needs of the engine. */
export type RepositoryContext = Pick<EngineContext, 'sites' | 'locks' | 'home' | 'ssh'>

/** The folder that holds a server's backups, on this computer or on that machine; null: the site has no server. */
export function serverBackupFolder(site: Site): string | null {
  if (!site.server) return null
  const { kind, backupDir, filesDir } = site.server
  return backupDir ?? (kind === 'ssh' ? posix.join(filesDir, 'backup') : join(filesDir, 'backup'))
}

/** The same when it is on this computer; null: it is not. */
export function localServerFolder(site: Site): string | null {
  return site.server?.kind === 'folder' ? serverBackupFolder(site) : null
}

/** The repositories that a site's settings name. */
export function repositoriesOf(site: Site): RepositoryName[] {
  return ['vault', ...(site.server ? ['server' as const] : []), ...(site.filestore ? ['filestore' as const] : [])]
}

/** Tells jobs of this home folder from those of another one that shares a server's folder with us. */
function ourJobs(home: Pick<Home, 'jobs'>): (id: string) => Promise<boolean> {
  return (id) =>
    access(journalPath(home.jobs, id)).then(
      () => true,
      () => false,
    )
}

/** Opens the vault of a site. One that does not exist yet counts as empty. */
export function openVault({ sites, locks, home }: RepositoryContext, site: Site): FolderRepository {
  return openFolderRepository({
    folder: sites.vaultPath(site),
    owner: 'home',
    locks,
    isOurJob: ourJobs(home),
    create: true,
  })
}

/**
 * Opens a repository of a site.
 * @param signal gives up connecting
 * @throws AppError `no-server`, `no-filestore`, `repository-unreachable`, those of the connection
 */
export async function openRepository(
  context: RepositoryContext,
  site: Site,
  name: RepositoryName,
  signal?: AbortSignal,
): Promise<Repository> {
  if (name === 'vault') return openVault(context, site)
  if (name === 'filestore') return openFilestore(context, site)
  const folder = serverBackupFolder(site)
  if (!site.server || folder === null) {
    throw new AppError('no-server', `The site ${site.name} has no server, so there is nothing to read or write there.`, {
      hint: 'Add the server in the site’s settings.',
      details: { site: site.name },
    })
  }
  if (site.server.kind === 'folder') return openServerFolder(context, folder)
  const { sites, ssh, locks, home } = context
  const target = { settings: site.server.ssh, secrets: await sites.sshSecrets(site) }
  const connection = await ssh.connect(target, signal ? { signal } : {})
  const repository = openSftpRepository({ connection, folder, locks, isOurJob: ourJobs(home) })
  await repository.files.reach()
  return repository
}

/**
 * The same for a job that reads whole backups: what passes ends none of its reads, see {@link steadily}.
 * @param options.limit what it may take of the line
 * @throws AppError those of {@link openRepository}
 */
export async function openToRead(
  context: RepositoryContext,
  site: Site,
  name: RepositoryName,
  job: Pick<JobContext, 'signal' | 'log'>,
  { limit, patience }: { limit: RateLimit; patience?: Patience | undefined },
): Promise<Repository> {
  const repository = await openRepository(context, site, name, job.signal)
  return steadily(repository, { signal: job.signal, onNote: (text) => job.log(text), limit, patience })
}

/**
 * Opens the backups in a site's filestore; nothing is sent yet.
 * @throws AppError `no-filestore`, `filestore-secret-missing`, `secrets-locked`, `ca-unreadable`
 */
export async function openFilestore({ sites, locks, home }: RepositoryContext, site: Site): Promise<Repository> {
  const settings = site.filestore
  const about = { details: { site: site.name } }
  if (!settings) {
    throw new AppError('no-filestore', `The site ${site.name} has no filestore, so there is nothing to read or write there.`, {
      hint: 'Add the filestore in the site’s settings.',
      ...about,
    })
  }
  const secret = await sites.filestoreSecret(site)
  if (secret === null) {
    throw new AppError('filestore-secret-missing', `The secret key of ${site.name}’s filestore is not stored here.`, {
      hint: 'Enter it in the site’s settings.',
      ...about,
    })
  }
  // the client is large, and most starts of the program need none
  const { openS3Repository } = await import('./s3/repository.ts')
  return openS3Repository({ settings, secret, locks, transfers: home.transfers })
}

/** Opens the backup folder of a server on this computer; it must be there. @throws AppError `repository-unreachable` */
export async function openServerFolder(context: RepositoryContext, folder: string): Promise<FolderRepository> {
  const repository = serverFolder(context, folder)
  await repository.files.reach()
  return repository
}

/** The same without a look whether it is there. */
export function serverFolder({ locks, home }: RepositoryContext, folder: string): FolderRepository {
  return openFolderRepository({ folder, owner: 'server', locks, isOurJob: ourJobs(home) })
}

/** What tells the rotation of a site; null: that repository is absent or can't be read. */
export interface RotationIndexes {
  /** The one that Zotonic writes: of the server, else of the filestore, to which servers upload theirs. */
  server: BackupIndex | null
  own: BackupIndex | null
  /** The one of the repository that is written. */
  target: BackupIndex
}

/**
 * Reads the indexes that tell a site's rotation. That of the repository that is written must be readable; another one
 * takes no part when it is not.
 * @param options.onSkipped why it takes no part
 * @throws AppError those of the repository that is written
 */
export async function readRotationIndexes(
  context: RepositoryContext,
  site: Site,
  to: RepositoryName,
  options: { signal?: AbortSignal; onSkipped?: (name: RepositoryName, error: Error) => void } = {},
): Promise<RotationIndexes> {
  const { signal } = options
  const target = await (await openRepository(context, site, to, signal)).readIndex()
  const indexOf = async (name: RepositoryName): Promise<BackupIndex | null> => {
    if (name === to) return target
    if (!repositoriesOf(site).includes(name)) return null
    try {
      return await (await openRepository(context, site, name, signal)).readIndex()
    } catch (error) {
      signal?.throwIfAborted()
      options.onSkipped?.(name, error as Error)
      return null
    }
  }
  const server = await indexOf('server')
  const ofZotonic = server === null || (server.size === 0 && to !== 'server') ? ((await indexOf('filestore')) ?? server) : server
  return { server: ofZotonic, own: await indexOf('vault'), target }
}
