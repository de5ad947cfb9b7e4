import { peekEncrypted, readEncEnds, storedPasswords, type UnpackedSize } from '#engine/features/encryption/index.ts'
import { listBackups } from '#engine/features/listing/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import { openRepository } from '#engine/foundation/repository/open.ts'
import type { PasswordTest, PasswordTrial } from '#shared/contract/secrets.ts'
import { AppError, toAppError } from '#shared/errors.ts'
import { formatBytes, formatMomentLong } from '#shared/format.ts'
import { type BackupEntry, type BackupPart, inPlace, type RepositoryName, repositoryNameSchema } from '#shared/model/backup.ts'
import type { Site } from '#shared/model/site.ts'

type Context = Pick<EngineContext, 'sites' | 'secrets' | 'locks' | 'home' | 'log' | 'ssh'>

const WORST_FIRST = ['unreadable', 'does-not-open', 'opens-with-older', 'opens'] as const

/**
 * Tries passwords on the newest encrypted backup in each repository of a site, by the two ends of one of its files:
 * seconds, whatever the size. It proves the password, not the backup; verifying does that.
 * @param given tried alone; without it, the stored ones are tried
 * @throws AppError `unknown-site`, `secrets-locked`, `no-password` (none is stored and none was given)
 */
export async function testPassword(context: Context, siteName: string, given?: string): Promise<PasswordTest> {
  const site = await context.sites.get(siteName)
  const passwords = given === undefined ? await storedPasswords(context, siteName) : [given]
  if (passwords.length === 0) {
    throw new AppError('no-password', `No password is stored for ${siteName}, and none was given. Nothing was tried.`, {
      hint: 'Set one in the site’s settings, or give the one to try.',
      details: { site: siteName },
    })
  }
  const { backups, problems } = await listBackups(context, site)
  const trials: PasswordTrial[] = []
  for (const repository of repositoryNameSchema.options) {
    const newest = newestEncrypted(backups.filter((entry) => entry.repository === repository))
    if (newest) trials.push(await tryOn({ context, site, repository, ...newest, passwords, isGiven: given !== undefined }))
  }
  return {
    verdict: WORST_FIRST.find((outcome) => trials.some((trial) => trial.outcome === outcome)) ?? 'nothing-to-open',
    trials,
    problems: problems.map(({ repository, message, hint }) => ({ repository, message, hint })),
  }
}

/** Any part will do: all parts of a backup are encrypted with the same password. */
function newestEncrypted(newestFirst: readonly BackupEntry[]): { entry: BackupEntry; part: BackupPart } | null {
  for (const entry of newestFirst) {
    const part = entry.parts.find(({ isEncrypted, size }) => isEncrypted && size !== null)
    if (part) return { entry, part }
  }
  return null
}

async function tryOn(trial: {
  context: Context
  site: Site
  repository: RepositoryName
  entry: BackupEntry
  part: BackupPart
  passwords: readonly string[]
  isGiven: boolean
}): Promise<PasswordTrial> {
  const { context, site, repository, entry, part, passwords, isGiven } = trial
  const { name, timestamp } = entry
  const about = { repository, name, timestamp, file: part.file }
  const what = `${part.file} of ${formatMomentLong(timestamp)} ${inPlace(repository)}`
  try {
    const { passwordIndex, unpacked } = await peek(context, site, repository, part.file, passwords)
    if (passwordIndex === null) {
      const which = isGiven
        ? 'The given password does'
        : passwords.length === 1
          ? 'The stored password does'
          : 'The stored passwords do'
      return { ...about, outcome: 'does-not-open', finding: `${which} not open ${what}.` }
    }
    const inside = `${unpackedText(unpacked)}.`
    if (isGiven) return { ...about, outcome: 'opens', finding: `The given password opens ${what}${inside}` }
    if (passwordIndex === 0) return { ...about, outcome: 'opens', finding: `The stored password opens ${what}${inside}` }
    return {
      ...about,
      outcome: 'opens-with-older',
      finding: `An older stored password opens ${what}${inside} The present one is that of the next backup.`,
    }
  } catch (error) {
    const { message } = toAppError(error)
    return { ...about, outcome: 'unreadable', finding: `${what} could not be tried: ${message}` }
  }
}

async function peek(context: Context, site: Site, place: RepositoryName, file: string, passwords: readonly string[]) {
  const repository = await openRepository(context, site, place)
  const facts = await repository.stat(file)
  if (!facts) throw new AppError('not-found', `${file} is gone.`)
  const ends = await readEncEnds(facts.size, async (range) => {
    const chunks: Buffer[] = []
    for await (const chunk of await repository.read(file, { ...range, ifVersion: facts.version })) chunks.push(chunk)
    return Buffer.concat(chunks)
  })
  return peekEncrypted(ends, passwords)
}

function unpackedText(unpacked: UnpackedSize | null): string {
  if (unpacked === null) return ', but its end is not that of a .gz: verify this backup'
  if (!unpacked.mayBeWhole) return ''
  return `; ${unpacked.isExact ? '' : 'at least '}${formatBytes(unpacked.bytes)} inside`
}
