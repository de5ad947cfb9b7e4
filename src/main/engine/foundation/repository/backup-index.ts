import { isDeepStrictEqual } from 'node:util'
import { AppError } from '#shared/errors.ts'
import type { PartKind } from '#shared/model/backup.ts'
import { belongsTo, showName } from './names.ts'
import type { BackupIndex, IndexEntry } from './types.ts'

/** Limits of what is read; a server's index has about ten entries. */
export const MAX_INDEX_BYTES = 16 * 1024 * 1024
const MAX_INDEX_ENTRIES = 100_000
/** 9999-12-31T23:59:59Z: more is no date that anything could show. */
const MAX_TIMESTAMP = 253_402_300_799
/** Deeper entries are kept as text and not looked into. */
const MAX_DEPTH = 64

export interface IndexProblem {
  name: string
  code: 'index-entry-unreadable' | 'index-entry-unsafe'
  message: string
}

/** backup.json as read: its usable entries, and the text of every entry so that rewriting changes nothing else. */
export interface IndexDocument {
  entries: BackupIndex
  problems: IndexProblem[]
  /** NAME → value as JSON text, in the file's order; the unusable ones too. */
  texts: Map<string, { text: string; isUsable: boolean }>
}

/** The fields of a part: file name and SHA-256. Source: docs/formats.md, "Backup directory". */
export const PART_FIELDS: Record<PartKind, { file: keyof IndexEntry & string; hash: keyof IndexEntry & string }> = {
  database: { file: 'database', hash: 'database_hash' },
  config: { file: 'config_files', hash: 'config_files_hash' },
  files: { file: 'files', hash: 'files_hash' },
}

export const PART_KINDS: readonly PartKind[] = ['database', 'config', 'files']

export function emptyIndex(): IndexDocument {
  return { entries: new Map(), problems: [], texts: new Map() }
}

/**
 * Reads backup.json tolerantly: unknown keys stay, null and absent mean the same, an entry that can't be used is
 * reported and kept.
 * @param place the file's path, for messages
 * @throws AppError `index-corrupt` when it is not one JSON object within the limits
 */
export function parseIndex(text: string, place: string): IndexDocument {
  if (text.length > MAX_INDEX_BYTES) throw corruptIndex(place, 'it is larger than 16 MiB')
  // the server takes an empty file for an empty index, but one that was cut to nothing must not pass for "no backups"
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw corruptIndex(place, text.trim() === '' ? 'it is empty' : 'it is not JSON, or was cut')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw corruptIndex(place, 'it is not one JSON object')
  const document = emptyIndex()
  const members = splitObject(text)
  if (members.size > MAX_INDEX_ENTRIES) throw corruptIndex(place, 'it has more than 100,000 entries')
  for (const [name, member] of members) {
    // by itself: Node 24 takes the name "\"" for "\\" where that came before
    const entry: unknown = JSON.parse(member.text)
    const isUsable = member.depth <= MAX_DEPTH && isEntry(entry)
    document.texts.set(name, { text: member.text, isUsable })
    if (!isUsable) {
      document.problems.push(unreadableEntry(name, entry))
      continue
    }
    document.entries.set(name, entry)
    const unsafe = unsafeFiles(name, entry)
    if (unsafe.length > 0) document.problems.push(unsafeEntry(name, unsafe))
  }
  return document
}

/** The index as the server writes it: one object, no white space. Entries that did not change keep their very text. */
export function serializeIndex(document: IndexDocument): string {
  const members: string[] = []
  const written = new Set<string>()
  for (const [name, { text, isUsable }] of document.texts) {
    const entry = document.entries.get(name)
    // an entry that could be used and is no longer in the map was removed
    if (entry === undefined && isUsable) continue
    const isUnchanged = entry === undefined || (isUsable && isDeepStrictEqual(JSON.parse(text), entry))
    members.push(`${JSON.stringify(name)}:${isUnchanged ? text : JSON.stringify(entry)}`)
    written.add(name)
  }
  for (const [name, entry] of document.entries) {
    if (!written.has(name)) members.push(`${JSON.stringify(name)}:${JSON.stringify(entry)}`)
  }
  return `{${members.join(',')}}`
}

/** Whether an index field names something: neither absent nor null, exactly as the server decides it. */
export function isNamed(value: unknown): boolean {
  return value !== undefined && value !== null
}

/** Files that an entry names but that can't be its parts: paths, reserved names, another backup's files. */
export function unsafeFiles(name: string, entry: IndexEntry): unknown[] {
  return PART_KINDS.map((kind): unknown => entry[PART_FIELDS[kind].file]).filter(
    (file) => isNamed(file) && !belongsTo(name, file),
  )
}

/** The safe file names of an entry, by part. */
export function partFiles(name: string, entry: IndexEntry | undefined): { kind: PartKind; file: string }[] {
  if (!entry) return []
  return PART_KINDS.flatMap((kind) => {
    const file: unknown = entry[PART_FIELDS[kind].file]
    return belongsTo(name, file) ? [{ kind, file }] : []
  })
}

/** The server's order: newest first; ties by config, database, encrypted, files, uploaded, name, all descending. */
export function compareForListing(a: [string, IndexEntry], b: [string, IndexEntry]): number {
  const [nameA, entryA] = a
  const [nameB, entryB] = b
  const flags = (entry: IndexEntry) => [
    entry.timestamp,
    Number(isNamed(entry.config_files)),
    Number(isNamed(entry.database)),
    Number(entry.is_encrypted === true),
    Number(isNamed(entry.files)),
    Number(entry.is_filestore_uploaded === true),
  ]
  const left = flags(entryA)
  const right = flags(entryB)
  for (const [at, value] of left.entries()) {
    const difference = (right[at] ?? 0) - value
    if (difference !== 0) return difference
  }
  return Buffer.compare(Buffer.from(nameB), Buffer.from(nameA))
}

function isEntry(value: unknown): value is IndexEntry {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const { timestamp } = value as { timestamp?: unknown }
  return Number.isSafeInteger(timestamp) && (timestamp as number) >= 0 && (timestamp as number) <= MAX_TIMESTAMP
}

function unreadableEntry(name: string, value: unknown): IndexProblem {
  const why = typeof value === 'object' && value !== null && !Array.isArray(value) ? 'has no usable timestamp' : 'is no object'
  return {
    name,
    code: 'index-entry-unreadable',
    message: `The index entry ${showName(name)} ${why}. It is kept as it is and not listed.`,
  }
}

function unsafeEntry(name: string, files: unknown[]): IndexProblem {
  return {
    name,
    code: 'index-entry-unsafe',
    message: `The index entry ${showName(name)} names ${files.map(showName).join(', ')}, which is no file of this backup. It is not opened.`,
  }
}

function corruptIndex(place: string, why: string): AppError {
  return new AppError(
    'index-corrupt',
    `${place} can’t be read: ${why}. The backup files beside it are intact, and nothing was overwritten.`,
    {
      hint:
        'Copy a good backup.json over it (from a copy of this folder). Without one, rename it to ' +
        '"backup.json.kept": the next backup then starts a new index, and the files of the old one are shown as unknown files.',
      details: { file: place, reason: why },
    },
  )
}

/** The members of a JSON object as texts; the last of duplicate keys wins, as for every reader. The text must be valid JSON. */
function splitObject(text: string): Map<string, { text: string; depth: number }> {
  const members = new Map<string, { text: string; depth: number }>()
  let at = skipSpace(text, text.indexOf('{') + 1)
  while (text[at] !== '}') {
    const keyEnd = endOfString(text, at)
    const key = JSON.parse(text.slice(at, keyEnd)) as string
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1)
    const { end, depth } = spanOfValue(text, start)
    members.set(key, { text: text.slice(start, end).trimEnd(), depth })
    at = skipSpace(text, end)
    if (text[at] === ',') at = skipSpace(text, at + 1)
  }
  return members
}

function skipSpace(text: string, from: number): number {
  let at = from
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at += 1
  return at
}

function endOfString(text: string, from: number): number {
  let at = from + 1
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at + 1
}

/** Where the value that starts at `from` ends (before the comma or brace that ends it), and how deep it is nested. */
function spanOfValue(text: string, from: number): { end: number; depth: number } {
  let depth = 0
  let deepest = 0
  let at = from
  for (;;) {
    const char = text[at]
    if (char === '"') {
      at = endOfString(text, at)
      continue
    }
    if (depth === 0 && (char === ',' || char === '}')) return { end: at, depth: deepest }
    if (char === '{' || char === '[') depth += 1
    if (char === '}' || char === ']') depth -= 1
    deepest = Math.max(deepest, depth)
    at += 1
  }
}
