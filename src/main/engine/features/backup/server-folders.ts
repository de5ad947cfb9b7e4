import { join } from 'node:path'
import { localServer, type Site } from '#shared/model/site.ts'

/** What a backup reads of the folders that stand for a server. Source: docs/formats.md, "Backup directory". */
export interface ServerFolders {
  siteDir: string
  securityDir: string
  /** The media. */
  archiveDir: string
}

/** null: the site has no server on this computer. */
export function serverFolders(site: Site): ServerFolders | null {
  const server = localServer(site)
  if (!server) return null
  const { siteDir, filesDir, securityDir } = server
  return { siteDir, securityDir, archiveDir: join(filesDir, 'archive') }
}
