import { formatWeekday, formatWeekdayDay } from '#shared/format.ts'
import type { BackupEntry, BackupKind, BackupPart, PartKind, RepositoryName } from '#shared/model/backup.ts'

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
  hasProblem: boolean
}

export type BackupFilter = 'all' | 'daily' | 'weekly' | 'problems'

export const REPOSITORIES: readonly RepositoryName[] = ['vault', 'server']
const REPOSITORY_WORD: Record<RepositoryName, string> = { vault: 'vault', server: 'server' }
const DAY_MS = 86_400_000

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
    const first = group.vault ?? group.server
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
  const proofs = Object.values(copies).flatMap(({ entry }) =>
    entry.proof && entry.proof.verdict !== 'failed' ? [entry.proof] : [],
  )
  const best = proofs.sort((a, b) => b.level - a.level || b.verifiedAt.localeCompare(a.verifiedAt))[0]
  return {
    key,
    name: first.name,
    timestamp: first.timestamp,
    kind: first.kind,
    slot: first.slot,
    isEncrypted: first.is_encrypted,
    parts: first.parts,
    copies,
    proof: best && best.level >= 0 ? { level: best.level, at: best.verifiedAt } : null,
    hasProblem: Object.values(copies).some((copy) => copy.state !== 'present'),
  }
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
  if (entry.proof?.verdict === 'failed') {
    return { entry, state: 'failed', reason: `The ${word} copy failed verification. ${failedReason(entry)}` }
  }
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
  return { all: rows.length, daily: count('daily'), weekly: count('weekly'), problems: count('problems') }
}

function matchesFilter(row: BackupRow, filter: BackupFilter): boolean {
  if (filter === 'all') return true
  return filter === 'problems' ? row.hasProblem : row.kind === filter
}

function haystack(row: BackupRow): string {
  return `${row.name} ${row.kind} ${row.timestamp} ${formatWeekdayDay(row.timestamp)}`.toLowerCase()
}

/** Why a backup is kept and until when, by its slot: "Night of Mon; until Mon 30 Nov". */
export function whyKept(row: Pick<BackupRow, 'kind' | 'slot' | 'timestamp'>, scheme: 'manual' | 'server', now: Date): string {
  const made = new Date(row.timestamp)
  switch (row.kind) {
    case 'daily':
      return `Night of ${formatWeekday(made)}; ${untilText(new Date(made.getTime() + 7 * DAY_MS), row.slot, now)}`
    case 'weekly': {
      const weeks = scheme === 'server' ? 5 : 4
      return `Sunday; ${untilText(new Date(made.getTime() + weeks * 7 * DAY_MS), row.slot, now)}`
    }
    case 'safety':
      return 'Safety backup; kept in the vault'
    case 'pinned':
      return 'Pinned; until unpinned'
    case 'other':
      return 'Outside the rotation; never replaced'
  }
}

function untilText(until: Date, slot: string | null, now: Date): string {
  return until > now ? `until ${formatWeekdayDay(until)}` : `until slot ${slot ?? ''} is written again`
}

/** "Rotation as on the server: Mon = 1 … Sat = 6, Sunday = w0 … w4". */
export function rotationText(scheme: 'manual' | 'server'): string {
  return scheme === 'server'
    ? 'Rotation as on the server: Mon = 1 … Sat = 6, Sunday = w0 … w4'
    : 'Rotation by the manual: Mon = 2 … Sat = 7, Sunday = w1 … w4'
}
