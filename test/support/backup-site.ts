import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { SiteInput } from '#shared/model/site.ts'
import { fixture } from './fixtures.ts'
import type { Postgres15 } from './postgres.ts'

const run = promisify(execFile)
/**
 * Whom the site's files belong to: a number that `useradd` gives nobody. The fixture's own is the one that a user of another test
 * gets, who then owns these files while that test runs, and whose name gets into archives of them.
 */
const OWNER = 65_432
const BACKUP = fixture('backups', '1-plain-full')

/** The fixture's site as it lies on a server: database, media, configuration, an empty backup folder. */
export interface ServerFolder {
  siteDir: string
  filesDir: string
  archiveDir: string
  securityDir: string
  backupDir: string
}

/** Loads the fixture's database into a fresh one. */
export async function loadFixtureDatabase(postgres: Postgres15, database: string): Promise<void> {
  await postgres.createDatabase(database)
  await postgres.psql(database, { file: fixture('testsite-full.sql.gz') }, 'zotonic')
}

/** Unpacks the fixture's media and configuration below `root`, as the server would have them. */
export async function layOutServerFolder(root: string): Promise<ServerFolder> {
  const folder: ServerFolder = {
    siteDir: join(root, 'site'),
    filesDir: join(root, 'files'),
    archiveDir: join(root, 'files', 'archive'),
    securityDir: join(root, 'security'),
    backupDir: join(root, 'files', 'backup'),
  }
  const config = join(root, 'unpacked-config')
  for (const path of [folder.siteDir, folder.archiveDir, folder.securityDir, folder.backupDir, config]) {
    await mkdir(path, { recursive: true })
  }
  await run('tar', ['-xzf', join(BACKUP, 'testsite-1.tar.gz'), '-C', folder.archiveDir])
  await run('tar', ['-xzf', join(BACKUP, 'config-testsite-1.tar.gz'), '-C', config])
  if (process.getuid?.() === 0) await run('chown', ['-R', `${OWNER}:${OWNER}`, folder.archiveDir, config])
  await run('cp', ['-a', join(config, 'config-testsite', 'config', 'priv'), folder.siteDir])
  await writeFile(join(folder.siteDir, 'priv', 'zotonic_site.config.in'), 'template')
  return folder
}

/** The site's settings for these places. */
export function siteInput(database: string, postgres: Pick<Postgres15, 'host' | 'port'>, folder: ServerFolder | null): SiteInput {
  return {
    version: 1,
    name: 'testsite',
    database: { host: postgres.host, port: postgres.port, database, schema: 'testsite', user: 'zotonic', tls: 'disable' },
    ...(folder
      ? { server: { kind: 'folder', siteDir: folder.siteDir, filesDir: folder.filesDir, securityDir: folder.securityDir } }
      : {}),
    rotation: 'auto',
  }
}
