import { formatBytes, formatMoment, formatSome } from '#shared/format.ts'
import {
  type BackupEntry,
  type BackupPart,
  describeTrouble,
  inPlace,
  type PartKind,
  type RepositoryName,
  type UnknownFile,
} from '#shared/model/backup.ts'
import type { DrillReport } from '#shared/model/drill.ts'

export const REPOSITORIES: readonly RepositoryName[] = ['vault', 'server', 'filestore']

/** How a copy that a repository has stands. */
export type CopyState = 'present' | 'incomplete' | 'empty' | 'newer' | 'failed' | 'differs'

/** One backup in one repository, as its cell shows it. */
export interface BackupCopy {
  entry: BackupEntry
  state: CopyState
  /** A full sentence for the inspector; empty when nothing is wrong. */
  reason: string
  /** What is to be known of a copy that is as it should be; empty: nothing. */
  note: string
}

/**
 * Why a repository without the backup needs a word: it only has an older one, its slot has a `later` one already (which
 * is no trouble), or nobody knows what it has.
 */
export interface Absence {
  state: 'stale' | 'later' | 'unknown'
  reason: string
}

export type Copies = Partial<Record<RepositoryName, BackupCopy>>
export type EntryGroup = Partial<Record<RepositoryName, BackupEntry>>

/** The copies of one backup, each with what is wrong with it. */
export function toCopies(group: EntryGroup): Copies {
  const different = differences(group)
  const copies: Copies = {}
  for (const repository of REPOSITORIES) {
    const entry = group[repository]
    if (entry) copies[repository] = { entry, ...stateOf(repository, entry, different[repository]), note: noteOf(entry) }
  }
  return copies
}

function noteOf({ parts }: BackupEntry): string {
  const absent = parts.find(({ trouble }) => trouble === 'not-uploaded')
  return absent ? describeTrouble(absent) : ''
}

function stateOf(
  repository: RepositoryName,
  entry: BackupEntry,
  difference: string | undefined,
): Pick<BackupCopy, 'state' | 'reason'> {
  const files = (trouble: BackupPart['trouble']) =>
    entry.parts.filter((part) => troubleOf(part) === trouble).map(({ file }) => file)
  const missing = files('missing')
  if (missing.length > 0) {
    const reason = `The ${repository} copy is not whole: ${formatSome(missing, 3)} is named in the index but is not there.`
    return { state: 'incomplete', reason }
  }
  const empty = files('empty')
  if (empty.length > 0)
    return { state: 'empty', reason: `The ${repository} copy is not whole: ${formatSome(empty, 3)} is empty.` }
  const failed = failedReason(entry)
  if (failed !== null)
    return { state: 'failed', reason: failed === '' ? failedText(repository) : `${failedText(repository)} ${failed}` }
  if (entry.proof?.drill?.outcome === 'failed') {
    return { state: 'failed', reason: `The drill of the ${repository} copy failed. ${failedChecks(entry.proof.drill)}` }
  }
  if (difference !== undefined) return { state: 'differs', reason: difference }
  const newer = files('newer')
  if (newer.length > 0) {
    const reason =
      `${sentence(inPlace(repository))}, ${formatSome(newer, 3)} is newer than the index says: a backup is on its way there, or its entry ` +
      'never came.'
    return { state: 'newer', reason }
  }
  return { state: 'present', reason: '' }
}

function troubleOf({ trouble, size }: BackupPart): BackupPart['trouble'] {
  return trouble ?? (size === null ? 'missing' : null)
}

function failedText(repository: RepositoryName): string {
  return `The ${repository} copy failed verification.`
}

/** null: not failed. */
function failedReason({ proof }: BackupEntry): string | null {
  for (const part of proof?.parts ?? []) {
    for (const level of ['L0', 'L1', 'L2'] as const) {
      const result = part.levels[level]
      if (result?.outcome === 'failed') return `${level}, ${part.file}: ${result.reason}`
    }
  }
  return proof?.verdict === 'failed' && proof.drill?.outcome !== 'failed' ? '' : null
}

/** "Edges: 2 edges have no end." of each check that failed. */
export function failedChecks(report: Pick<DrillReport, 'checks'>): string {
  return report.checks
    .filter((check) => check.outcome === 'failed')
    .map((check) => `${check.name}: ${check.finding}${/[.!?]$/.test(check.finding) ? '' : '.'}`)
    .join(' ')
}

/**
 * Of copies that differ, the odd one is marked when two others agree. Otherwise which is right is not known here; the vault
 * is what this computer wrote, so the mark goes to the other.
 */
function differences(group: EntryGroup): Partial<Record<RepositoryName, string>> {
  const [first, ...others] = REPOSITORIES.filter((repository) => group[repository])
  if (first === undefined) return {}
  const [second, third] = others
  if (second !== undefined && third !== undefined && !difference(group, second, third)) {
    const odd = difference(group, second, first)
    if (odd !== null) return { [first]: `${odd} ${sentence(second)} and ${third} agree.` }
  }
  const found: Partial<Record<RepositoryName, string>> = {}
  for (const repository of others) {
    const text = difference(group, first, repository)
    if (text === null) continue
    const agreeing = others.find((other) => other !== repository && !difference(group, first, other))
    found[repository] = agreeing === undefined ? text : `${text} ${sentence(first)} and ${agreeing} agree.`
  }
  return found
}

/** How the second copy differs from the first, as a sentence; null: as far as their indexes say they are the same. */
function difference(group: EntryGroup, one: RepositoryName, other: RepositoryName): string | null {
  for (const part of group[one]?.parts ?? []) {
    const second = group[other]?.parts.find((candidate) => candidate.part === part.part)
    // an encrypted file and its plain one differ by nature
    if (!second || second.isEncrypted !== part.isEncrypted || part.size === null || second.size === null) continue
    const start = `The ${other} copy differs: its ${partWord(part.part)} part`
    if (second.size !== part.size) return `${start} is ${sizes(second.size, part.size)} in the ${one}.`
    // the hash of an encrypted part is that of its content or of the stored file: docs/formats.md, "Index"
    if (!part.isEncrypted && part.hash && second.hash && part.hash !== second.hash)
      return `${start} has another hash than in the ${one}.`
  }
  return null
}

/** Two sizes that look the same in words are told by their bytes. */
function sizes(here: number, there: number): string {
  const [a, b] = [formatBytes(here), formatBytes(there)]
  return a === b
    ? `${here - there > 0 ? here - there : there - here} bytes ${here > there ? 'longer' : 'shorter'} than`
    : `${a}, not the ${b}`
}

/** With a capital first. */
export function sentence(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1)
}

/** How large a part is, or why it has no size. */
export function sizeWord({ size, trouble }: Pick<BackupPart, 'size' | 'trouble'>): string {
  if (size !== null) return formatBytes(size)
  return trouble === 'not-uploaded' ? 'not uploaded' : 'missing'
}

export function partWord(part: PartKind): string {
  return part === 'config' ? 'configuration' : part
}

/** What else the repositories hold, to tell an empty cell from one that only has an older backup. */
export interface Surroundings {
  entries: readonly BackupEntry[]
  unknown: readonly UnknownFile[]
  /** Repositories that could not be listed. */
  unlisted: readonly RepositoryName[]
}

/** Why a repository does not have a backup, where that needs a word; null: it simply has none. */
export function absenceOf(
  repository: RepositoryName,
  { name, timestamp, slot }: Pick<BackupEntry, 'name' | 'timestamp' | 'slot'>,
  around: Surroundings,
): Absence | null {
  if (around.unlisted.includes(repository)) return { state: 'unknown', reason: `The ${repository} could not be listed.` }
  if (slot === null) return null
  const inSlot = around.entries.find((entry) => entry.repository === repository && entry.name === name)
  if (inSlot) {
    const moment = `${formatMoment(inSlot.timestamp)} UTC`
    if (inSlot.timestamp > timestamp)
      return { state: 'later', reason: `${sentence(inPlace(repository))}, ${name} is a later one, of ${moment}.` }
    return { state: 'stale', reason: `The ${repository} only has an older ${name}, of ${moment}.` }
  }
  const left = around.unknown.filter(
    (file) => file.repository === repository && file.kind === 'stale' && isFileOf(file.file, name),
  )
  if (left.length === 0) return null
  return {
    state: 'stale',
    reason: `The ${repository} only has files that its index does not name: ${left.map(({ file }) => file).join(', ')}.`,
  }
}

function isFileOf(file: string, name: string): boolean {
  return file.replace(/^config-/, '').startsWith(`${name}.`)
}
