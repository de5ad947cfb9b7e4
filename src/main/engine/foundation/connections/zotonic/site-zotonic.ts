import { AppError } from '#shared/errors.ts'
import type { Site, SshSettings } from '#shared/model/site.ts'
import type { EngineContext } from '../../context.ts'
import type { SshConnection } from '../ssh/types.ts'
import { handCommand, openZotonic, type Zotonic } from './zotonic.ts'

export interface SiteZotonic {
  connection: SshConnection
  zotonic: Zotonic
}

/**
 * Zotonic's command on the server of a site.
 * @param words what is to be run, for the operator to type where it can't be
 * @throws AppError `no-ssh-server`, those of the connection and of {@link openZotonic}
 */
export async function openSiteZotonic(
  { ssh, sites }: Pick<EngineContext, 'ssh' | 'sites'>,
  site: Site,
  words: readonly string[],
  signal?: AbortSignal,
): Promise<SiteZotonic> {
  const target = { settings: requireSsh(site, words), secrets: await sites.sshSecrets(site) }
  const connection = await ssh.connect(target, signal ? { signal } : {})
  try {
    return { connection, zotonic: await openZotonic(connection, site.zotonic ?? {}, signal) }
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'zotonic-missing') throw error
    const command = commandByHand(site, words)
    throw new AppError(error.code, error.message, {
      hint: `${error.hint} By hand, on the server: ${command}`,
      details: { ...error.details, command },
      cause: error,
    })
  }
}

/** A command of Zotonic as an operator types it on the server of a site. */
export function commandByHand({ zotonic }: Pick<Site, 'zotonic'>, words: readonly string[]): string {
  return handCommand(zotonic?.command ?? null, zotonic?.runAs ?? null, words)
}

/** @throws AppError `no-ssh-server`, with the command for the operator to type */
export function requireSsh(site: Site, words: readonly string[]): SshSettings {
  if (site.server?.kind === 'ssh') return site.server.ssh
  const command = commandByHand(site, words)
  throw new AppError('no-ssh-server', `${site.name} has no server that is reached by SSH, so nothing was run there.`, {
    hint: `By hand, on the server: ${command}. Or add the server’s SSH connection in the site’s settings.`,
    details: { site: site.name, command },
  })
}
