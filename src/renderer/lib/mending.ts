import { formatMoment } from '#shared/format.ts'
import type { BackupEntry, RepositoryName } from '#shared/model/backup.ts'
import { type BackupCopy, REPOSITORIES } from './copies.ts'
import type { BackupRow } from './join-backups.ts'

/** A copy that is put right by copying the backup once more. */
export interface Mending {
  to: RepositoryName
  from: RepositoryName
  /** Why that one is good, as a sentence. */
  why: string
}

type Copies = Pick<BackupRow, 'copies'>

/**
 * The copies of a backup that are damaged, lack parts or differ, each with the good one that it can be copied again from.
 * Which of two that differ is good is only known once one was verified, or when two agree.
 */
export function mendings(row: Pick<BackupRow, 'slot' | 'copies'>): Mending[] {
  if (row.slot === null) return []
  return REPOSITORIES.flatMap((to) => {
    const copy = row.copies[to]
    const flaw = copy ? flawOf(row, copy) : null
    if (!copy || flaw === null) return []
    const good = REPOSITORIES.filter((from) => from !== to && isGood(row, from, copy, flaw))
    const from = good.sort((a, b) => provenLevel(row.copies[b]) - provenLevel(row.copies[a]))[0]
    return from === undefined ? [] : [{ to, from, why: whyGood(row, from, flaw) }]
  })
}

/**
 * Two copies that differ and may both be good: either can take the place of the other, and nobody but the operator knows which is
 * wanted. Nothing while one can be told to be the bad one, or verifying could still tell.
 */
export function rivals(row: Pick<BackupRow, 'slot' | 'copies'>): Mending[] {
  const odd = REPOSITORIES.find((repository) => row.copies[repository]?.state === 'differs')
  const other = REPOSITORIES.find((repository) => row.copies[repository]?.state === 'present')
  const [one, second] = [odd && row.copies[odd], other && row.copies[other]]
  if (row.slot === null || !odd || !other || !one || !second || mendings(row).length > 0) return []
  const areProven = provenLevel(one) >= 1 && provenLevel(second) >= 1
  if (!areProven && !isAnother(one.entry, second.entry)) return []
  const why = `The ${other} and the ${odd} copy are two backups of one moment${areProven ? ', both verified' : ''}: choose which one stays. The other one is pinned.`
  return [
    { to: odd, from: other, why },
    { to: other, from: odd, why },
  ]
}

/** `failed`: verifying found it damaged; `lacking`: files are not there; `differing`: from others, and nobody has verified it. */
type Flaw = 'failed' | 'lacking' | 'differing'

function flawOf(row: Copies, { entry, state }: BackupCopy): Flaw | null {
  if (state === 'failed') return isDamaged(entry) ? 'failed' : null
  if (state === 'empty' || state === 'incomplete') return 'lacking'
  const differ = Object.values(row.copies).some((copy) => copy.state === 'differs')
  if (!differ || provenLevel({ entry }) >= 1) return null
  // of two that differ the mark stands at one, whichever is good
  return state === 'differs' || (state === 'present' && !doOthersAgree(row)) ? 'differing' : null
}

/** Its files, and not what came out of them in a drill: that every copy has. */
function isDamaged({ proof }: BackupEntry): boolean {
  const levels = (proof?.parts ?? []).flatMap((part) => [part.levels.L0, part.levels.L1, part.levels.L2])
  return levels.some((result) => result?.outcome === 'failed')
}

function isGood(row: Copies, from: RepositoryName, bad: BackupCopy, flaw: Flaw): boolean {
  const copy = row.copies[from]
  if (!copy) return false
  const isProven = provenLevel(copy) >= 1
  if (copy.state !== 'present' && !(copy.state === 'differs' && isProven)) return false
  if (flaw !== 'failed' && isAnother(copy.entry, bad.entry)) return false
  if (flaw === 'differing') return isProven || doOthersAgree(row)
  return bad.entry.parts.every(({ part }) => copy.entry.parts.some((other) => other.part === part && other.size !== null))
}

/** Of three copies, two that nothing is wrong with say the same. */
function doOthersAgree({ copies }: Copies): boolean {
  return Object.values(copies).filter(({ state }) => state === 'present').length >= 2
}

/** By their indexes they are two backups: one is not put in the other's place. */
function isAnother(one: BackupEntry, other: BackupEntry): boolean {
  return one.parts.some(({ part, hash, isEncrypted }) => {
    const second = other.parts.find((candidate) => candidate.part === part)
    return !isEncrypted && hash !== null && second !== undefined && second.hash !== null && second.hash !== hash
  })
}

/** -1: not verified, or not well. */
function provenLevel(copy: Pick<BackupCopy, 'entry'> | undefined): number {
  const proof = copy?.entry.proof
  return proof?.verdict === 'verified' ? proof.level : -1
}

function whyGood(row: Copies, from: RepositoryName, flaw: Flaw): string {
  const proof = row.copies[from]?.entry.proof
  const copy = `The ${from} copy`
  if (proof && provenLevel(row.copies[from]) >= 1)
    return `${copy} is good: verified to L${proof.level} on ${formatMoment(proof.verifiedAt)} UTC.`
  if (flaw === 'differing') return `${copy} is good: another one agrees with it.`
  return `${copy} is whole as far as its index says; it is checked by its hash as it is copied.`
}
