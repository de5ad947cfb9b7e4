import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { fixture } from './fixtures.ts'
import type { Postgres15 } from './postgres.ts'

const run = promisify(execFile)

/** The site of the fixtures, alive: its database on a real server, its folders on this disk. */
export interface RealSite {
  name: string
  siteDir: string
  filesDir: string
  securityDir: string
  backupDir: string
  /** What `zbd sites add --file` takes, password included. */
  siteFile: string
}

/**
 * Loads the fixture's dump into a new database and unpacks its media and configuration below `folder`.
 * @param settings added to the site.json, e.g. `{ encryption: { enabled: true, password: '…' } }`
 */
export async function makeRealSite(
  postgres: Postgres15,
  folder: string,
  database: string,
  settings: object = {},
): Promise<RealSite> {
  await postgres.createDatabase(database)
  await postgres.psql(database, { file: fixture('backups', '1-plain-full', 'testsite-1.sql.gz') }, 'zotonic')
  const siteDir = join(folder, 'site')
  const filesDir = join(folder, 'files')
  const securityDir = join(folder, 'security')
  await mkdir(join(siteDir, 'priv', 'config.d'), { recursive: true })
  await mkdir(join(filesDir, 'archive'), { recursive: true })
  await mkdir(join(filesDir, 'backup'), { recursive: true })
  await mkdir(securityDir, { recursive: true })
  await run('tar', [
    '-C',
    join(filesDir, 'archive'),
    '-xzf',
    fixture('backups', '1-plain-full', 'testsite-1.tar.gz'),
    '--no-same-owner',
  ])
  await writeFile(join(siteDir, 'priv', 'zotonic_site.config'), '[{testsite, [{environment, production}]}].\n')
  await writeFile(join(siteDir, 'priv', 'config.d', 'extra.config'), '[].\n')
  await writeFile(join(securityDir, 'sign.key'), 'not a real key\n')
  const connection = postgres.connection(database, 'zotonic')
  const siteFile = join(folder, 'site.json')
  const site = {
    version: 1,
    name: 'testsite',
    label: 'Test site',
    database: { ...connection, schema: 'testsite' },
    server: { kind: 'folder', siteDir, filesDir, securityDir },
    ...settings,
  }
  await writeFile(siteFile, JSON.stringify(site))
  return { name: 'testsite', siteDir, filesDir, securityDir, backupDir: join(filesDir, 'backup'), siteFile }
}
