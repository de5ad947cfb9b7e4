import type { EngineContext } from '#engine/foundation/context.ts'
import { keepForOlderFiles, setEncryptionPassword } from '#engine/foundation/settings/encryption-passwords.ts'
import { splitBackupName } from '#shared/rotation.ts'

/**
 * Keeps a password that opened a file of a site. It never replaces the password that the site's next backups are
 * encrypted with: when there is one, the new one joins those for older files.
 * @throws AppError `unknown-site`, `secrets-locked`, `too-many-passwords`; nothing was changed then
 */
export async function rememberPassword(
  context: Pick<EngineContext, 'secrets' | 'sites' | 'locks'>,
  site: string,
  password: string,
): Promise<void> {
  const lock = await context.locks.acquire(`settings:${site}`)
  try {
    await context.sites.get(site)
    if (await context.secrets.has(`site/${site}/encryption-password`)) await keepForOlderFiles(context, site, password)
    else await setEncryptionPassword(context, site, password)
  } finally {
    await lock.release()
  }
}

/**
 * The site that a file belongs to, going by its name: `SITE-SLOT.sql.gz.enc`, `config-SITE-SLOT.tar.gz.enc`, or
 * any name that starts with a known site's.
 * @returns a name out of `sites`, or null
 */
export function siteOfFile(fileName: string, sites: readonly string[]): string | null {
  const stem = fileName.replace(/\.enc$/i, '').replace(/\.(sql|tar)\.gz$/i, '')
  const candidates = [stem, stem.replace(/^config-/, '')]
  for (const candidate of candidates) {
    const site = splitBackupName(candidate)?.site
    if (site !== undefined && sites.includes(site)) return site
  }
  const starting = sites.filter((name) => candidates.some((candidate) => candidate.startsWith(`${name}-`)))
  return starting.sort((a, b) => b.length - a.length)[0] ?? null
}
