import { formatWeekdayDay } from '#shared/format.ts'
import type { BackupEntry, BackupKind, BackupList, BackupPart, Proof, RepositoryName } from '#shared/model/backup.ts'
import type { DrillReport } from '#shared/model/drill.ts'
import { type Absence, absenceOf, type Copies, type EntryGroup, REPOSITORIES, type Surroundings, toCopies } from './copies.ts'

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
  copies: Copies
  /** Of repositories that do not have it, where that needs a word. */
  absent: Partial<Record<RepositoryName, Absence>>
  proof: { level: number; at: string } | null
  /** The newest drill of its copies. */
  drill: Pick<DrillReport, 'outcome' | 'startedAt'> | null
  /** Why it is kept: "Tuesday · until Tue 1 Dec". */
  kept: string
  hasProblem: boolean
}

/** `to-fetch`: somewhere, but not in the vault. */
export type BackupFilter = 'all' | 'daily' | 'weekly' | 'safety' | 'pinned' | 'to-fetch' | 'problems'

function rowKey(backup: Pick<BackupEntry, 'name' | 'timestamp'>): string {
  return `${backup.name}\n${backup.timestamp}`
}

/**
 * Joins the backups of all repositories to one row per identity, newest first.
 * @param list also what else they hold: a repository with an older backup in the slot is told from one that has none
 */
export function joinBackups(list: Pick<BackupList, 'backups'> & Partial<BackupList>): BackupRow[] {
  const groups = new Map<string, EntryGroup>()
  for (const entry of list.backups) {
    const repository = entry.repository
    if (repository === 'folder') continue
    const key = rowKey(entry)
    groups.set(key, { ...groups.get(key), [repository]: entry })
  }
  const around: Surroundings = { entries: list.backups, unknown: list.unknown ?? [], unlisted: unlisted(list) }
  const rows: BackupRow[] = []
  for (const [key, group] of groups) {
    const first = group.vault ?? group.server ?? group.filestore
    if (first) rows.push(toRow(key, first, group, around))
  }
  return rows.sort((a, b) => b.timestamp.localeCompare(a.timestamp) || a.name.localeCompare(b.name))
}

/** A repository with a problem that told of no backup: what it has is not known. */
function unlisted({ backups, problems = [] }: Pick<BackupList, 'backups'> & Partial<BackupList>): RepositoryName[] {
  return REPOSITORIES.filter(
    (repository) =>
      problems.some((problem) => problem.repository === repository) && !backups.some((entry) => entry.repository === repository),
  )
}

function toRow(key: string, first: BackupEntry, group: EntryGroup, around: Surroundings): BackupRow {
  const copies = toCopies(group)
  const absent: BackupRow['absent'] = {}
  for (const repository of REPOSITORIES) {
    const absence = copies[repository] ? null : absenceOf(repository, first, around)
    if (absence) absent[repository] = absence
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
    absent,
    proof: best && best.level >= 0 ? { level: best.level, at: provenAt(best) } : null,
    drill: newestDrill ? { outcome: newestDrill.outcome, startedAt: newestDrill.startedAt } : null,
    kept: whyKept(first.kept),
    hasProblem: found.some((copy) => copy.state !== 'present') || Object.values(absent).some(({ state }) => state === 'stale'),
  }
}

/** A drill proves what it restored at its own time; verifying again later does not renew it. */
function provenAt(proof: Proof): string {
  return proof.level >= 3 && proof.drill ? proof.drill.startedAt : proof.verifiedAt
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
    'to-fetch': count('to-fetch'),
    problems: count('problems'),
  }
}

function matchesFilter(row: BackupRow, filter: BackupFilter): boolean {
  if (filter === 'all') return true
  if (filter === 'to-fetch') return !row.copies.vault
  return filter === 'problems' ? row.hasProblem : row.kind === filter
}

function haystack(row: BackupRow): string {
  const states = [...Object.values(row.copies), ...Object.values(row.absent)].map(({ state }) => state)
  return `${row.name} ${row.kind} ${row.timestamp} ${formatWeekdayDay(row.timestamp)} ${states.join(' ')}`.toLowerCase()
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
