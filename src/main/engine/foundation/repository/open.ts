import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '#shared/errors.ts'
import type { RepositoryName } from '#shared/model/backup.ts'
import type { Site } from '#shared/model/site.ts'
import type { EngineContext } from '../context.ts'
import type { Home } from '../home.ts'
import { journalPath } from '../jobs/journal.ts'
import { type FolderRepository, openFolderRepository } from './folder.ts'

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
