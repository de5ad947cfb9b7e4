import { AppError } from '#shared/errors.ts'
import type { Site, SshServer } from '#shared/model/site.ts'
import type { EngineContext } from '../../context.ts'
import type { SshConnection } from './types.ts'

/** The machine of a site, and what a site has there. */
export interface SiteServer {
  settings: SshServer
  connection: SshConnection
}

/** The server of a site's settings when it is reached by SSH; null: there is none, or it is on this computer. */
export function sshServer({ server }: Pick<Site, 'server'>): SshServer | null {
  return server?.kind === 'ssh' ? server : null
}

/**
 * Connects to the server of a site.
 * @returns null: the site has no server that is reached by SSH
 * @throws AppError those of `SshConnections.connect`, `secrets-locked`
 */
export async function connectSiteServer(
  { ssh, sites }: Pick<EngineContext, 'ssh' | 'sites'>,
  site: Site,
  signal?: AbortSignal,
): Promise<SiteServer | null> {
  const settings = sshServer(site)
  if (!settings) return null
  const target = { settings: settings.ssh, secrets: await sites.sshSecrets(site) }
  return { settings, connection: await ssh.connect(target, signal ? { signal } : {}) }
}

/** @throws AppError `no-ssh-server` when the site has none, and those of {@link connectSiteServer} */
export async function requireSiteServer(
  context: Pick<EngineContext, 'ssh' | 'sites'>,
  site: Site,
  signal?: AbortSignal,
): Promise<SiteServer> {
  const server = await connectSiteServer(context, site, signal)
  if (server) return server
  throw new AppError('no-ssh-server', `The site ${site.name} has no server that is reached by SSH. Nothing was changed.`, {
    hint: 'Add the server in the site’s settings.',
    details: { site: site.name },
  })
}
