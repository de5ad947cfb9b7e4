import type { EngineContext } from '#engine/foundation/context.ts'
import type { SecretName } from '#engine/foundation/settings/secrets.ts'
import { AppError } from '#shared/errors.ts'
import { splitBackupName } from '#shared/rotation.ts'

/** Older passwords are kept beside the present one, up to this many for a site. */
const MAX_OLDER = 50

function olderName(site: string, number: number): SecretName {
  return `site/${site}/older-${number}/encryption-password`
}

/**
 * The passwords that files of a site may have: the one it uses now, then those that were remembered for its older
 * files, newest first.
 * @throws AppError `secrets-locked` when there are some but the store is locked
 */
export async function storedPasswords({ secrets }: Pick<EngineContext, 'secrets'>, site: string): Promise<string[]> {
  const passwords: string[] = []
  const present = await secrets.get(`site/${site}/encryption-password`)
  if (present !== null) passwords.push(present)
  const older: string[] = []
  for (let number = 1; number <= MAX_OLDER; number += 1) {
    const password = await secrets.get(olderName(site, number))
    if (password === null) break
    older.unshift(password)
  }
  return [...new Set([...passwords, ...older])]
}

/**
 * Keeps a password that opened a file of a site. It never replaces the password that the site's next backups are
 * encrypted with: when there is one, the new one joins those for older files.
 * @throws AppError `unknown-site`, `secrets-locked`; nothing was changed then
 */
export async function rememberPassword(
  context: Pick<EngineContext, 'secrets' | 'sites'>,
  site: string,
  password: string,
): Promise<void> {
  await context.sites.get(site)
  const known = await storedPasswords(context, site)
  if (known.includes(password)) return
  if (!(await context.secrets.has(`site/${site}/encryption-password`))) {
    await context.secrets.set(`site/${site}/encryption-password`, password)
    return
  }
  for (let number = 1; number <= MAX_OLDER; number += 1) {
    if (await context.secrets.has(olderName(site, number))) continue
    await context.secrets.set(olderName(site, number), password)
    return
  }
  throw new AppError('too-many-passwords', `${site} has ${MAX_OLDER} remembered passwords already; this one was not kept.`)
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
