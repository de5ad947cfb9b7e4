import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '#shared/errors.ts'
import type { RepositoryName } from '#shared/model/backup.ts'
import type { Site } from '#shared/model/site.ts'
import type { EngineContext } from '../context.ts'
import type { Home } from '../home.ts'
import { journalPath } from '../jobs/journal.ts'
import { type FolderRepository, openFolderRepository } from './folder.ts'
import type { BackupIndex } from './types.ts'

/** The folder that holds a server's backups; null: the site has no server. */
export function serverBackupFolder(site: Site): string | null {
  if (!site.server) return null
  return site.server.backupDir ?? join(site.server.filesDir, 'backup')
}

/** Tells jobs of this home folder from those of another one that shares a server's folder with us. */
export function ourJobs(home: Pick<Home, 'jobs'>): (id: string) => Promise<boolean> {
  return (id) =>
    access(journalPath(home.jobs, id)).then(
      () => true,
      () => false,
    )
}

/**
 * Opens a repository of a site. A vault that does not exist yet counts as empty; a server's folder must be there.
 * @throws AppError `no-server`, `repository-unreachable`
 */
export async function openRepository(
  context: Pick<EngineContext, 'sites' | 'locks' | 'home'>,
  site: Site,
  name: RepositoryName,
): Promise<FolderRepository> {
  const { sites, locks, home } = context
  const isOurJob = ourJobs(home)
  if (name === 'vault')
    return openFolderRepository({ folder: sites.vaultPath(site), owner: 'home', locks, isOurJob, create: true })
  const folder = serverBackupFolder(site)
  if (folder === null) {
    throw new AppError('no-server', `The site ${site.name} has no server, so there is nothing to read or write there.`, {
      hint: 'Add the server’s folders in the site’s settings.',
      details: { site: site.name },
    })
  }
  const repository = openFolderRepository({ folder, owner: 'server', locks, isOurJob })
  await repository.stat('backup.json')
  return repository
}

/** What tells the rotation of a site; null: that repository is absent or can't be read. */
export interface RotationIndexes {
  server: BackupIndex | null
  own: BackupIndex | null
  /** The one of the repository that is written. */
  target: BackupIndex
}

/**
 * Reads the indexes that tell a site's rotation. That of the repository that is written must be readable; the other one
 * takes no part when it is not.
 * @param onSkipped why it takes no part
 * @throws AppError those of the repository that is written
 */
export async function readRotationIndexes(
  context: Pick<EngineContext, 'sites' | 'locks' | 'home'>,
  site: Site,
  to: RepositoryName,
  onSkipped: (name: RepositoryName, error: Error) => void = () => {},
): Promise<RotationIndexes> {
  const readIndex = async (name: RepositoryName) => (await openRepository(context, site, name)).readIndex()
  const other = to === 'server' ? 'vault' : 'server'
  const otherIndex =
    other === 'server' && !site.server
      ? null
      : await readIndex(other).catch((error: Error) => {
          onSkipped(other, error)
          return null
        })
  const target = await readIndex(to)
  return to === 'server' ? { server: target, own: otherIndex, target } : { server: otherIndex, own: target, target }
}
