import { formatWeekdayDay } from '#shared/format.ts'
import type { BackupEntry, BackupKind, BackupPart, PartKind, Proof, RepositoryName } from '#shared/model/backup.ts'
import type { DrillReport } from '#shared/model/drill.ts'

export type CopyState = 'present' | 'incomplete' | 'failed' | 'differs'

/** One backup in one repository, as its cell shows it. */
export interface BackupCopy {
  entry: BackupEntry
  state: CopyState
  /** A full sentence for the inspector; empty when nothing is wrong. */
  reason: string
}

/** One backup, by its identity (name and timestamp), with its copies. */
export interface BackupRow {
  key: string
  name: string
  timestamp: string
  kind: BackupKind
  slot: string | null
  isEncrypted: boolean
  /** Of the copy that would be read: the vault's, else the server's. */
  parts: BackupPart[]
  copies: Partial<Record<RepositoryName, BackupCopy>>
  proof: { level: number; at: string } | null
  /** The newest drill of its copies. */
  drill: Pick<DrillReport, 'outcome' | 'startedAt'> | null
  /** Why it is kept: "Tuesday · until Tue 1 Dec". */
  kept: string
  hasProblem: boolean
}

export type BackupFilter = 'all' | 'daily' | 'weekly' | 'safety' | 'pinned' | 'problems'

export const REPOSITORIES: readonly RepositoryName[] = ['vault', 'server', 'filestore']
const REPOSITORY_WORD: Record<RepositoryName, string> = { vault: 'vault', server: 'server', filestore: 'filestore' }

export function rowKey(backup: Pick<BackupEntry, 'name' | 'timestamp'>): string {
  return `${backup.name}\n${backup.timestamp}`
}

/** Joins the backups of all repositories to one row per identity, newest first. */
export function joinBackups(entries: readonly BackupEntry[]): BackupRow[] {
  const groups = new Map<string, Partial<Record<RepositoryName, BackupEntry>>>()
  for (const entry of entries) {
    const repository = entry.repository
    if (repository === 'folder') continue
    const key = rowKey(entry)
    groups.set(key, { ...groups.get(key), [repository]: entry })
  }
  const rows: BackupRow[] = []
  for (const [key, group] of groups) {
    const first = group.vault ?? group.server ?? group.filestore
    if (first) rows.push(toRow(key, first, group))
  }
  return rows.sort((a, b) => b.timestamp.localeCompare(a.timestamp) || a.name.localeCompare(b.name))
}

function toRow(key: string, first: BackupEntry, group: Partial<Record<RepositoryName, BackupEntry>>): BackupRow {
  const difference = group.vault && group.server ? firstDifference(group.vault, group.server) : null
  const copies: Partial<Record<RepositoryName, BackupCopy>> = {}
  for (const repository of REPOSITORIES) {
    const entry = group[repository]
    if (entry) copies[repository] = toCopy(repository, entry, difference)
  }
  const found = Object.values(copies)
  const drills = found.flatMap(({ entry }) => entry.proof?.drill ?? [])
  const proofs = found.flatMap(({ entry }) => (entry.proof && entry.proof.verdict !== 'failed' ? [entry.proof] : []))
  const best = proofs.sort((a, b) => b.level - a.level || b.verifiedAt.localeCompare(a.verifiedAt))[0]
  const newestDrill = drills.sort((a, b) => b.startedAt.localeCompare(a.startedAt))[0]
  return {
    key,
    name: first.name,
    timestamp: first.timestamp,
    kind: first.kind,
    slot: first.slot,
    isEncrypted: first.is_encrypted,
    parts: first.parts,
    copies,
    proof: best && best.level >= 0 ? { level: best.level, at: provenAt(best) } : null,
    drill: newestDrill ? { outcome: newestDrill.outcome, startedAt: newestDrill.startedAt } : null,
    kept: whyKept(first.kept),
    hasProblem: found.some((copy) => copy.state !== 'present'),
  }
}

/** A drill proves what it restored at its own time; verifying again later does not renew it. */
function provenAt(proof: Proof): string {
  return proof.level >= 3 && proof.drill ? proof.drill.startedAt : proof.verifiedAt
}

function toCopy(repository: RepositoryName, entry: BackupEntry, difference: PartKind | null): BackupCopy {
  const word = REPOSITORY_WORD[repository]
  const missing = entry.parts.filter((part) => part.size === null)
  if (missing.length > 0) {
    const files = missing.map((part) => part.file).join(', ')
    return {
      entry,
      state: 'incomplete',
      reason: `The ${word} copy is not whole: ${files} is named in the index but is not there.`,
    }
  }
  const failedLevel = failedReason(entry)
  if (failedLevel !== '') return { entry, state: 'failed', reason: `The ${word} copy failed verification. ${failedLevel}` }
  if (entry.proof?.drill?.outcome === 'failed') {
    return { entry, state: 'failed', reason: `The drill of the ${word} copy failed. ${failedChecks(entry.proof.drill)}` }
  }
  if (entry.proof?.verdict === 'failed') return { entry, state: 'failed', reason: `The ${word} copy failed verification.` }
  // Which of two differing copies is right is not known here; the vault is what this computer wrote, so the mark goes to the other.
  if (difference && repository === 'server') {
    return {
      entry,
      state: 'differs',
      reason: `The server copy differs from the vault copy: its ${partWord(difference)} part has another hash.`,
    }
  }
  return { entry, state: 'present', reason: '' }
}

function failedReason(entry: BackupEntry): string {
  for (const part of entry.proof?.parts ?? []) {
    for (const level of ['L0', 'L1', 'L2'] as const) {
      const result = part.levels[level]
      if (result?.outcome === 'failed') return `${level}, ${part.file}: ${result.reason}`
    }
  }
  return ''
}

/** "Edges: 2 edges have no end." of each check that failed. */
export function failedChecks(report: Pick<DrillReport, 'checks'>): string {
  return report.checks
    .filter((check) => check.outcome === 'failed')
    .map((check) => `${check.name}: ${check.finding}${/[.!?]$/.test(check.finding) ? '' : '.'}`)
    .join(' ')
}

function firstDifference(a: BackupEntry, b: BackupEntry): PartKind | null {
  for (const part of a.parts) {
    const other = b.parts.find((candidate) => candidate.part === part.part)
    // Hashes compare only when both are of the same form: an encrypted file and its plain one differ by nature.
    if (other?.hash && part.hash && other.isEncrypted === part.isEncrypted && other.hash !== part.hash) return part.part
  }
  return null
}

export function partWord(part: PartKind): string {
  return part === 'config' ? 'configuration' : part
}

export function filterBackups(rows: readonly BackupRow[], filter: BackupFilter, text: string): BackupRow[] {
  const needle = text.trim().toLowerCase()
  return rows.filter((row) => matchesFilter(row, filter) && (needle === '' || haystack(row).includes(needle)))
}

export function countBackups(rows: readonly BackupRow[]): Record<BackupFilter, number> {
  const count = (filter: BackupFilter) => rows.filter((row) => matchesFilter(row, filter)).length
  return {
    all: rows.length,
    daily: count('daily'),
    weekly: count('weekly'),
    safety: count('safety'),
    pinned: count('pinned'),
    problems: count('problems'),
  }
}

function matchesFilter(row: BackupRow, filter: BackupFilter): boolean {
  if (filter === 'all') return true
  return filter === 'problems' ? row.hasProblem : row.kind === filter
}

function haystack(row: BackupRow): string {
  return `${row.name} ${row.kind} ${row.timestamp} ${formatWeekdayDay(row.timestamp)}`.toLowerCase()
}

/** Why a backup is kept and until when: "Tuesday · until Tue 1 Dec", "Pinned · until deleted". */
export function whyKept({ reason, text, replacedOn }: BackupEntry['kept']): string {
  const why = text.charAt(0).toUpperCase() + text.slice(1)
  if (reason === 'day' || reason === 'week')
    return replacedOn === null ? why : `${why} · until ${formatWeekdayDay(`${replacedOn}T00:00:00Z`)}`
  return reason === 'outside' ? why : `${why} · until deleted`
}

/** "Rotation as on the server: Mon = 1 … Sat = 6, Sunday = w0 … w4". */
export function rotationText(scheme: 'manual' | 'server'): string {
  return scheme === 'server'
    ? 'Rotation as on the server: Mon = 1 … Sat = 6, Sunday = w0 … w4'
    : 'Rotation by the manual: Mon = 2 … Sat = 7, Sunday = w1 … w4'
}
