import { AppError } from '#shared/errors.ts'
import type { SecretName, Secrets } from './secrets.ts'

/** Older passwords are kept beside the present one, up to this many for a site. */
const MAX_OLDER = 50

type Context = { secrets: Pick<Secrets, 'get' | 'has' | 'set'> }

function presentName(site: string): SecretName {
  return `site/${site}/encryption-password`
}

function olderName(site: string, number: number): SecretName {
  return `site/${site}/older-${number}/encryption-password`
}

/**
 * The passwords that files of a site may have: the one it uses now, then those of its older files, newest first.
 * @throws AppError `secrets-locked` when there are some but the store is locked
 */
export async function storedPasswords({ secrets }: Context, site: string): Promise<string[]> {
  const passwords: string[] = []
  const present = await secrets.get(presentName(site))
  if (present !== null) passwords.push(present)
  const older: string[] = []
  for (let number = 1; number <= MAX_OLDER; number += 1) {
    const password = await secrets.get(olderName(site, number))
    if (password === null) break
    older.unshift(password)
  }
  return [...new Set([...passwords, ...older])]
}

/** Stored passwords, to be tried after given ones: a locked store stops nobody who gave one. */
export async function storedBesideGiven(given: readonly string[], stored: Promise<string[]>): Promise<string[]> {
  try {
    return await stored
  } catch (error) {
    if (given.length > 0 && error instanceof AppError && error.code === 'secrets-locked') return []
    throw error
  }
}

/**
 * Keeps a password for older files. What the next backup is encrypted with stays as it is.
 * @throws AppError `too-many-passwords`, `secrets-locked`; nothing was changed then
 */
export async function keepForOlderFiles(context: Context, site: string, password: string): Promise<void> {
  if ((await storedPasswords(context, site)).includes(password)) return
  await addOlder(context, site, password)
}

/**
 * Sets the password that the next backup is encrypted with. The one before is kept for the files that need it, and
 * first: whatever happens in between, no file is left without its password.
 * @throws AppError `too-many-passwords`, `secrets-locked`; nothing was changed then
 */
export async function setEncryptionPassword(context: Context, site: string, password: string): Promise<void> {
  const { secrets } = context
  const present = await secrets.get(presentName(site))
  if (present === password) return
  if (present !== null) await addOlder(context, site, present)
  await secrets.set(presentName(site), password)
}

async function addOlder({ secrets }: Context, site: string, password: string): Promise<void> {
  for (let number = 1; number <= MAX_OLDER; number += 1) {
    const kept = await secrets.get(olderName(site, number))
    if (kept === password) return
    if (kept !== null) continue
    await secrets.set(olderName(site, number), password)
    return
  }
  throw new AppError('too-many-passwords', `${site} has ${MAX_OLDER} remembered passwords already. Nothing was changed.`, {
    hint: 'Remove the site and add it again to forget them; keep those that older files need elsewhere first.',
    details: { site },
  })
}
