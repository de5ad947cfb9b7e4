import { buffer } from 'node:stream/consumers'
import { ENC_HEADER_BYTES, readEncHeader, storedPasswords, unlockEnc } from '#engine/features/encryption/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import { check, some } from '#engine/foundation/plans/check.ts'
import type { Repository } from '#engine/foundation/repository/types.ts'
import { AppError, toAppError } from '#shared/errors.ts'
import { formatPlural } from '#shared/format.ts'
import type { PlanCheck } from '#shared/model/plan.ts'
import type { ComparedItem } from './compare.ts'

/** Each takes a key derivation for each password: a plan is not to wait longer. */
const MOST_TRIED = 8
const NAME = 'Passwords'

/**
 * Tells before anything is copied whether what is in encrypted backups can be compared with their hash, which servers take
 * before they encrypt: by the first 54 bytes of one file of each, since all files of a backup have one password.
 * Source: docs/formats.md, "backup.json".
 * @param compared the newest first
 * @returns null: nothing encrypted would be copied
 */
export async function passwordsCheck(
  context: EngineContext,
  site: string,
  { from, compared, signal }: { from: Repository; compared: readonly ComparedItem[]; signal: AbortSignal },
): Promise<PlanCheck | null> {
  const files = compared.flatMap(({ item, source }) => {
    const part = source?.isEncrypted === true && ['copy', 'resume'].includes(item.action) ? source.parts[0] : undefined
    return part ? [{ name: item.name, facts: part.facts }] : []
  })
  if (files.length === 0) return null
  const unchecked = (which: string) =>
    check(NAME, 'warning', `${which}: where a server recorded the hash of what is inside, the copy can’t be compared with it`)
  let passwords: string[]
  try {
    passwords = await storedPasswords(context, site)
  } catch (error) {
    return unchecked(`The stored passwords can’t be had (${toAppError(error).message.replace(/\.$/, '')})`)
  }
  const many = formatPlural(files.length, 'encrypted backup')
  if (passwords.length === 0) return unchecked(`No password is stored that would open ${many}`)
  const closed: string[] = []
  const tried = files.slice(0, MOST_TRIED)
  for (const { name, facts } of tried) {
    const head = await buffer(await from.read(facts.name, { length: ENC_HEADER_BYTES, ifVersion: facts.version, signal }))
    const fitting = await opens(head, passwords, signal)
    if (fitting === null) closed.push(name)
    else passwords = [fitting, ...passwords.filter((password) => password !== fitting)]
  }
  if (closed.length > 0) return unchecked(`No stored password opens ${some(closed)}`)
  const what = tried.length < files.length ? `the newest ${tried.length} of ${many}` : many
  return check(NAME, 'passed', `The stored passwords open ${what}`)
}

/** The password that fits; null: none, or it does not begin as an encrypted file does. */
async function opens(head: Buffer, passwords: readonly string[], signal: AbortSignal): Promise<string | null> {
  try {
    const unlocked = await unlockEnc(readEncHeader(head), passwords, signal)
    return unlocked ? (passwords[unlocked.index] ?? null) : null
  } catch (error) {
    if (error instanceof AppError && ['not-a-backup', 'ends-too-early'].includes(error.code)) return null
    throw error
  }
}
