import { connectSiteServer } from '#engine/foundation/connections/ssh/site-server.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import { localServer, type Site } from '#shared/model/site.ts'
import type { SiteFolders } from './files/undo-journal.ts'
import { remoteDisk } from './remote-files/remote-disk.ts'

/**
 * The folders of a site that a restore changes, with the disk that they are on; null: the site has no server.
 * @throws AppError those of `connectSiteServer`
 */
export async function siteFolders(
  context: Pick<EngineContext, 'ssh' | 'sites'>,
  site: Site,
  signal?: AbortSignal,
): Promise<SiteFolders | null> {
  const local = localServer(site)
  if (local) return local
  const server = await connectSiteServer(context, site, signal)
  if (!server) return null
  const { filesDir, siteDir, securityDir } = server.settings
  return { filesDir, siteDir, securityDir, disk: remoteDisk(server.connection) }
}
