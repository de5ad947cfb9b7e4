import {
  compareForListing,
  type IndexDocument,
  isNamed,
  PART_FIELDS,
  PART_KINDS,
  partFiles,
} from '#engine/foundation/repository/backup-index.ts'
import {
  belongsTo,
  INDEX_FILE,
  isBackupFileName,
  parsePartFile,
  SERVER_INDEX_TEMPORARY,
} from '#engine/foundation/repository/names.ts'
import type { FileStat, IndexEntry } from '#engine/foundation/repository/types.ts'
import { isoSeconds } from '#shared/format.ts'
import type { BackupEntry, BackupKind, BackupPart, UnknownFile } from '#shared/model/backup.ts'
import { keptKindOf, type RotationScheme, slotOf, splitBackupName } from '#shared/rotation.ts'
import { whyKept } from './kept.ts'

/** Where a backup or file was found. */
export type Place = BackupEntry['repository']

const MAX_SHOWN_NAME = 255

/** What an index is read with. */
export interface Reading {
  place: Place
  /** null: not known (a folder); slots are then read from the names alone. */
  site: string | null
  /** By which the repository's slots are replaced. */
  scheme: RotationScheme
  now: Date
}

/**
 * The backups of an index in the server's own order, with its flags: a part is present when its field is neither
 * absent nor null, whatever the files say. Source: docs/formats.md, "Backup directory".
 */
export function describeIndex(document: IndexDocument, files: Map<string, FileStat>, reading: Reading): BackupEntry[] {
  const newer = newerThanIndex(document, files)
  return [...document.entries].sort(compareForListing).map(([name, entry]) => describeEntry(name, entry, files, reading, newer))
}

/** Two files written together may have times that differ by a little, in either order. */
const WRITTEN_TOGETHER_MS = 2000

/**
 * Backups of which some part was written after the index. A copied folder has the times of its copying, which tell
 * nothing: there the parts of many backups are newer, while whoever makes backups makes one at a time.
 */
function newerThanIndex(document: IndexDocument, files: Map<string, FileStat>): Set<string> {
  const indexed = files.get(INDEX_FILE)?.modified.getTime()
  if (indexed === undefined) return new Set()
  const isNewer = (file: string) => (files.get(file)?.modified.getTime() ?? 0) > indexed + WRITTEN_TOGETHER_MS
  const found = [...document.entries].filter(([name, entry]) => partFiles(name, entry).some(({ file }) => isNewer(file)))
  if (found.length !== 1) return new Set()
  return new Set(found.flatMap(([name, entry]) => partFiles(name, entry).map(({ file }) => file)).filter(isNewer))
}

function describeEntry(
  name: string,
  entry: IndexEntry,
  files: Map<string, FileStat>,
  reading: Reading,
  newer: Set<string>,
): BackupEntry {
  const { site, place } = reading
  const made = new Date(entry.timestamp * 1000)
  const slot = site === null ? (splitBackupName(name)?.slot ?? null) : slotOf(site, name)
  return {
    name,
    timestamp: isoSeconds(made),
    is_encrypted: entry.is_encrypted === true,
    is_database_present: isNamed(entry.database),
    is_files_present: isNamed(entry.files),
    is_config_files_present: isNamed(entry.config_files),
    is_filestore_uploaded: entry.is_filestore_uploaded === true,
    repository: place,
    slot,
    kind: kindOf(name, slot, site),
    kept: whyKept(name, slot, made, reading),
    parts: describeParts(name, entry, files, newer, place),
    proof: null,
  }
}

function describeParts(
  name: string,
  entry: IndexEntry,
  files: Map<string, FileStat>,
  newer: Set<string>,
  place: Place,
): BackupPart[] {
  return PART_KINDS.flatMap((part) => {
    const file: unknown = entry[PART_FIELDS[part].file]
    if (!isNamed(file)) return []
    const hash: unknown = entry[PART_FIELDS[part].hash]
    const shown = (typeof file === 'string' ? file : (JSON.stringify(file) ?? '')).slice(0, MAX_SHOWN_NAME)
    // the size of a file that is no part of this backup is nobody's business
    const size = belongsTo(name, file) ? (files.get(file)?.size ?? null) : null
    const absent = place === 'filestore' && part === 'files' && belongsTo(name, file) ? 'not-uploaded' : 'missing'
    return [
      {
        part,
        file: shown,
        size,
        hash: typeof hash === 'string' && hash !== '' ? hash.slice(0, MAX_SHOWN_NAME) : null,
        isEncrypted: shown.endsWith('.enc'),
        trouble: size === null ? absent : size === 0 ? 'empty' : newer.has(shown) ? 'newer' : null,
      },
    ]
  })
}

function kindOf(name: string, slot: string | null, site: string | null): BackupKind {
  if (slot !== null) return slot.startsWith('w') ? 'weekly' : 'daily'
  return keptKindOf(site, name) ?? 'other'
}

/** Files that the index does not name. `stale`: of a backup that the index has, or once had in a slot; else `foreign`. */
export function describeUnknown(
  document: IndexDocument,
  files: Map<string, FileStat>,
  place: Place,
  site: string | null,
): UnknownFile[] {
  const named = new Set(
    [...document.entries.values()].flatMap((entry) => PART_KINDS.map((kind): unknown => entry[PART_FIELDS[kind].file])),
  )
  const unknown: UnknownFile[] = []
  for (const { name: file, size } of files.values()) {
    if (file === INDEX_FILE || file === SERVER_INDEX_TEMPORARY || named.has(file)) continue
    unknown.push({ repository: place, file, size, kind: isStale(file, document, site) ? 'stale' : 'foreign' })
  }
  return unknown.sort((a, b) => (a.file < b.file ? -1 : 1))
}

function isStale(file: string, document: IndexDocument, site: string | null): boolean {
  if (!isBackupFileName(file)) return false
  const name = parsePartFile(file)?.name ?? ''
  if (document.texts.has(name)) return true
  return site === null ? splitBackupName(name) !== null : slotOf(site, name) !== null
}
