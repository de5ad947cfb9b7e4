import { isProven, knownDamage, readProofs } from '#engine/features/listing/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import { isNamed, PART_FIELDS, partFiles } from '#engine/foundation/repository/backup-index.ts'
import { showName } from '#engine/foundation/repository/names.ts'
import { openRepository } from '#engine/foundation/repository/open.ts'
import { readSourceBackup, type SourceBackup } from '#engine/foundation/repository/source-parts.ts'
import type { BackupIndex, FileStat, IndexEntry, Repository } from '#engine/foundation/repository/types.ts'
import { toAppError } from '#shared/errors.ts'
import { formatMomentLong, isoSeconds } from '#shared/format.ts'
import type { PartKind, RepositoryName } from '#shared/model/backup.ts'
import type { Site } from '#shared/model/site.ts'
import type { TransferDeletion, TransferItem } from '#shared/model/transfer.ts'
import { slotOf } from '#shared/rotation.ts'

/** What a repository has, as it was looked at. */
export interface Contents {
  repository: Repository
  index: BackupIndex
  /** NAMEs of all entries of the index, also of those that can't be used. */
  names: ReadonlySet<string>
  files: ReadonlyMap<string, FileStat>
  /** Entries of the index that can't be used. */
  problems: number
  /** What verifying found to be wrong with a backup as it still is, in one clause; null: nothing is known. */
  damageOf(name: string, entry: IndexEntry): string | null
  /** Whether verifying found a backup, as it still is, to be what its index says. */
  isProven(name: string, entry: IndexEntry): boolean
}

/** @throws AppError `index-corrupt`, `cancelled`, those of the connections */
export async function readContents(
  context: EngineContext,
  site: Site,
  place: RepositoryName,
  signal: AbortSignal,
): Promise<Contents> {
  const repository = await openRepository(context, site, place, signal)
  const { entries, texts, problems } = await repository.readIndexDocument()
  const files = new Map((await repository.list(signal)).map((facts) => [facts.name, facts]))
  const { proofs } = await readProofs(context, site.name)
  const backupOf = (name: string, entry: IndexEntry) => ({ repository: place, name, timestamp: isoOf(entry) })
  return {
    repository,
    index: entries,
    names: new Set(texts.keys()),
    files,
    problems: problems.length,
    damageOf: (name, entry) => knownDamage(proofs, backupOf(name, entry), files),
    isProven: (name, entry) => isProven(proofs, backupOf(name, entry), files),
  }
}

/** An item of a plan, and what it stands on. */
export interface ComparedItem {
  item: TransferItem
  entry: IndexEntry
  /** Unix seconds of what its slot of the target has; null: nothing. */
  present: number | null
  /** null: it can't be copied. */
  source: SourceBackup | null
}

/**
 * Compares one backup of the source with what its slot of the target has.
 * @param sides.replaceOther takes the place of another backup of the same moment too
 */
export async function compareBackup(
  site: string,
  to: RepositoryName,
  name: string,
  entry: IndexEntry,
  { source, target, replaceOther = false }: { source: Contents; target: Contents; replaceOther?: boolean | undefined },
): Promise<ComparedItem> {
  const present = target.index.get(name)
  const base = {
    name,
    timestamp: isoOf(entry),
    mends: false,
    displaces: false,
    marks: false,
    parts: [],
    bytes: 0,
    storedBytes: 0,
    replaces: present ? isoOf(present) : null,
  }
  const refused = (reason: string): ComparedItem => ({
    item: { ...base, action: 'refused', reason, replaces: null },
    entry,
    present: present?.timestamp ?? null,
    source: null,
  })
  if (to !== 'vault' && slotOf(site, name) === null) {
    return refused(`It is no rotation slot of ${site}: servers would upload and restore it like any other backup.`)
  }
  const flaw = source.damageOf(name, entry)
  if (flaw !== null) return refused(`Verifying found it damaged: ${flaw}.`)
  let backup: SourceBackup
  try {
    const isFilestore = source.repository.kind === 's3'
    backup = await readSourceBackup(name, entry, { isFilestore, factsOf: (file) => source.files.get(file) ?? null })
  } catch (error) {
    return refused(toAppError(error).message.replace(/ Nothing was changed\.$/, ''))
  }
  const parts = backup.parts.map(({ kind, facts }) => ({ part: kind, file: facts.name, size: facts.size }))
  const item = { ...base, parts, bytes: parts.reduce((sum, { size }) => sum + size, 0) }
  const at = { entry, present: present?.timestamp ?? null, source: backup }
  if (present && present.timestamp > entry.timestamp) {
    return refused(`The slot has a newer backup, of ${momentOf(present)}.`)
  }
  if (present?.timestamp === entry.timestamp) {
    const damage = target.damageOf(name, present)
    const found =
      damage === null ? compareFiles(name, present, backup, target) : { state: 'damaged', text: `damaged (${damage})` }
    if (found.state === 'other' && !replaceOther) return refused(`The slot has another backup of the same moment: ${found.text}.`)
    if (found.state === 'other') {
      const reason = `It takes the place of another backup of the same moment (${found.text}), which is pinned in the vault first.`
      return { item: { ...item, action: 'copy', displaces: true, reason, replaces: null }, ...at }
    }
    if (found.state === 'damaged') {
      const reason = `It is there, but ${found.text}: it is mended.`
      return { item: { ...item, action: 'copy', mends: true, reason, replaces: null }, ...at }
    }
    const marks = to === 'filestore' && entry.is_filestore_uploaded !== true
    const reason = marks ? `${found.text} The index of the source does not say so yet: it learns it.` : found.text
    return { item: { ...item, action: 'same', marks, reason, replaces: null }, ...at }
  }
  const reason = present ? `It replaces the backup of ${momentOf(present)} in its slot.` : 'It is not there.'
  return { item: { ...item, action: 'copy', reason }, ...at }
}

const PART_WORDS: Record<PartKind, string> = { database: 'database', config: 'configuration', files: 'media archive' }

/** How the files of a backup of the same name and moment compare with the source's. */
function compareFiles(
  name: string,
  present: IndexEntry,
  backup: SourceBackup,
  target: Contents,
): { state: 'same' | 'damaged' | 'other'; text: string } {
  let damage: string | null = null
  let lacksMedia = false
  const isWell = target.isProven(name, present)
  for (const part of backup.parts) {
    const { file: fileField, hash: hashField } = PART_FIELDS[part.kind]
    const file: unknown = present[fileField]
    const facts = typeof file === 'string' ? target.files.get(file) : undefined
    if (!facts && part.kind === 'files' && target.repository.kind === 's3') {
      lacksMedia = true
      continue
    }
    if (!isNamed(file)) {
      damage ??= `its ${PART_WORDS[part.kind]} is missing there`
      continue
    }
    if (String(file).endsWith('.enc') !== backup.isEncrypted)
      return { state: 'other', text: 'one is encrypted, the other is not' }
    const hash: unknown = present[hashField]
    // the hash of an encrypted file may be of the file or of what is in it
    const tells = !backup.isEncrypted && typeof hash === 'string' && hash !== '' && part.hash !== null
    if (tells && hash.toLowerCase() !== part.hash) return { state: 'other', text: `${showName(file)} has another hash` }
    if (facts && isWell && facts.size !== part.facts.size) return { state: 'other', text: `${facts.name} has another size` }
    if (!facts) damage ??= `${showName(file)} is missing there`
    else if (facts.size !== part.facts.size) damage ??= `${facts.name} has another size there`
  }
  if (damage !== null) return { state: 'damaged', text: damage }
  // servers don't upload the media archive
  const text = lacksMedia
    ? 'It is there; its media archive is not, since a filestore holds the media themselves.'
    : 'It is there.'
  return { state: 'same', text }
}

/** Rotation slots of the target that the source does not even name, with the files that would go. */
export function slotsToDelete(site: string, { source, target }: { source: Contents; target: Contents }): TransferDeletion[] {
  return [...target.index]
    .filter(([name]) => slotOf(site, name) !== null && !source.names.has(name))
    .sort(newestFirst)
    .map(([name, entry]) => {
      const files = partFiles(name, entry).flatMap(({ file }) => target.files.get(file) ?? [])
      const bytes = files.reduce((sum, { size }) => sum + size, 0)
      return { name, timestamp: isoOf(entry), files: files.map((facts) => facts.name), bytes }
    })
}

export function newestFirst([nameA, a]: [string, IndexEntry], [nameB, b]: [string, IndexEntry]): number {
  return b.timestamp - a.timestamp || (nameA < nameB ? -1 : 1)
}

export function isoOf({ timestamp }: IndexEntry): string {
  return isoSeconds(new Date(timestamp * 1000))
}

function momentOf(entry: IndexEntry): string {
  return formatMomentLong(isoOf(entry))
}
