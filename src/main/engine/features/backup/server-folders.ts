import { join } from 'node:path'
import type { Site } from '#shared/model/site.ts'

/** What a backup reads of the folders that stand for a server. Source: docs/formats.md, "Backup directory". */
export interface ServerFolders {
  siteDir: string
  securityDir: string
  /** The media. */
  archiveDir: string
}

/** null: the site has no server. */
export function serverFolders(site: Site): ServerFolders | null {
  if (!site.server) return null
  const { siteDir, filesDir, securityDir } = site.server
  return { siteDir, securityDir, archiveDir: join(filesDir, 'archive') }
}
