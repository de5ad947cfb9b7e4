import { AppError } from '#shared/errors.ts'
import { formatMomentLong } from '#shared/format.ts'
import type { PartKind } from '#shared/model/backup.ts'
import { splitBackupName } from '#shared/rotation.ts'
import { PART_FIELDS, PART_KINDS } from './backup-index.ts'
import type { FolderRepository } from './folder.ts'
import { readIndexFile } from './index-file.ts'
import { isPlainName, parseWorkName, partFileName, partName, showName } from './names.ts'
import type { RepositoryFiles } from './repository-files.ts'
import { type OnStep, rollForward, type SlotIntent, writeIntent } from './slot-intent.ts'
import type { IndexEntry } from './types.ts'

/** One finished file of a slot. It lies in the repository's folder as `partName(partFileName(kind, name, isEncrypted), id)`. */
export interface SlotPart {
  kind: PartKind
  /** Lower-case hex SHA-256 of the file as stored. */
  sha256: string
  /** Bytes of the file as stored. */
  size: number
}

/** A backup whose parts are complete. */
export interface FinishedSlot {
  /** Whose part files these are: a job's or a transfer's. */
  id: string
  /** NAME: `SITE-SLOT`; in a vault also the name of a safety or pinned backup. */
  name: string
  /** Unix seconds, UTC. */
  timestamp: number
  parts: SlotPart[]
  /** All parts are `.enc`, or none. */
  isEncrypted: boolean
  isFilestoreUploaded?: boolean
  /** Further keys of its entry, for other programs. */
  unknownKeys?: Record<string, unknown>
  /** Called before each step; for tests that stop there. */
  onStep?: OnStep
}

export interface Slot extends Omit<FinishedSlot, 'id'> {
  jobId: string
}

/**
 * Puts a backup in its slot: either the old backup is there whole or the new one, also after a crash at any moment
 * (the next start finishes it, see `recoverSlots`). All parts must be complete `.part` files that were read to
 * their end. The caller holds the repository's lease.
 * @returns the entry as the index has it now
 * @throws AppError `slot-newer` (the slot has a backup that is not older), `slot-not-rotation`, `slot-part-differs`,
 *   `index-corrupt`: nothing was changed. `slot-index-pending`: the files are in place, the index will follow.
 */
export async function writeSlot(repository: FolderRepository, { jobId, ...slot }: Slot): Promise<IndexEntry> {
  const { files } = repository
  const finished = { id: jobId, ...slot }
  checkSlot(files, finished)
  await repository.recover(jobId)
  const oldEntry = (await repository.readIndex()).get(slot.name)
  if (oldEntry && oldEntry.timestamp >= slot.timestamp) throw slotNewer(finished, oldEntry.timestamp)
  await repository.assertLeased()
  return placeSlot(files, finished)
}

/**
 * The part of {@link writeSlot} that can't be taken back once its record is written. Checking the parts may have taken long, and a
 * server knows no lease of ours: right before the record, the slot is looked at once more.
 * @throws AppError as `writeSlot` does
 */
export async function placeSlot(files: RepositoryFiles, slot: FinishedSlot): Promise<IndexEntry> {
  const onStep = slot.onStep ?? (() => {})
  const ordered = PART_KINDS.flatMap((kind) => slot.parts.filter((part) => part.kind === kind))
  const parts = ordered.map(({ kind, sha256, size }) => ({
    finalName: partFileName(kind, slot.name, slot.isEncrypted),
    sha256,
    size,
  }))
  await onStep('sync')
  for (const part of parts) await assertWhole(files, partName(part.finalName, slot.id), part)
  await files.sync(parts.map(({ finalName }) => partName(finalName, slot.id)))
  await onStep('intent')
  const oldEntry = (await readIndexFile(files)).document.entries.get(slot.name) ?? null
  if (oldEntry && oldEntry.timestamp > slot.timestamp) throw slotNewer(slot, oldEntry.timestamp)
  const { id, name } = slot
  const intent: SlotIntent = { version: 1, id, owner: files.owner, name, entry: entryOf(slot), oldEntry, parts }
  await writeIntent(files, intent)
  try {
    await rollForward(files, intent, onStep)
  } catch (error) {
    throw slotPending(error, files.place, intent)
  }
  const entry = (await readIndexFile(files)).document.entries.get(slot.name)
  if (entry?.timestamp === slot.timestamp) return entry
  throw slotOvertaken(slot, files.place)
}

/** @throws AppError `slot-invalid`, `slot-not-rotation` */
export function checkSlot(
  { owner, place }: Pick<RepositoryFiles, 'owner' | 'place'>,
  slot: { id: string; name: string; timestamp: number; parts: readonly { kind: PartKind }[] },
): void {
  const problem =
    !isPlainName(slot.name) || slot.name.length > 200
      ? `${showName(slot.name)} can’t be the name of a backup`
      : !Number.isSafeInteger(slot.timestamp) || slot.timestamp <= 0
        ? 'the timestamp is no time'
        : slot.parts.length === 0 || new Set(slot.parts.map(({ kind }) => kind)).size !== slot.parts.length
          ? 'it needs one to three different parts'
          : parseWorkName(partName(`${slot.name}.sql.gz`, slot.id)) === null
            ? 'the job’s id can’t be part of a file name'
            : null
  if (problem) throw new AppError('slot-invalid', `The backup was not put in place: ${problem}.`, { details: { place } })
  if (owner === 'server' && splitBackupName(slot.name) === null) {
    throw new AppError(
      'slot-not-rotation',
      `${slot.name} is no rotation slot, so it does not go to a server: servers upload and restore whatever their index has. Nothing was changed there.`,
      { hint: 'Safety and pinned backups live in the vault.', details: { name: slot.name } },
    )
  }
}

export function slotNewer(slot: { name: string; timestamp: number }, present: number): AppError {
  return new AppError(
    'slot-newer',
    `${slot.name} holds a backup of ${formatMomentLong(new Date(present * 1000))}, which is not older than this one. It was left as it is.`,
    {
      hint: 'A slot is only replaced by a newer backup. Check the clocks of this computer and of the server.',
      details: { name: slot.name, present, offered: slot.timestamp },
    },
  )
}

/** A server, which knows no lease of ours, wrote a newer backup into the slot between our look at it and our renames. */
export function slotOvertaken(slot: { name: string; timestamp: number }, place: string): AppError {
  return new AppError(
    'slot-newer',
    `${slot.name} in ${place} was written by the server at the very moment when this backup was put in place. The index is the server’s; the files may be of either backup.`,
    { hint: 'Verify it there. If it is damaged, the next backup of that slot replaces it.', details: { name: slot.name, place } },
  )
}

export function partDiffers(name: string, details: Record<string, unknown>): AppError {
  return new AppError('slot-part-differs', `${name} is not as it was written. The slot was left as it is.`, {
    hint: 'Did another program clear files away, or is the disk full? Run it again.',
    details: { file: name, ...details },
  })
}

/** The index entry of a backup. */
export function entryOf(slot: Omit<FinishedSlot, 'id' | 'onStep'>): IndexEntry {
  const entry: IndexEntry = {
    ...slot.unknownKeys,
    timestamp: slot.timestamp,
    is_filestore_uploaded: slot.isFilestoreUploaded ?? false,
    is_encrypted: slot.isEncrypted,
  }
  for (const kind of PART_KINDS) {
    const part = slot.parts.find((candidate) => candidate.kind === kind)
    entry[PART_FIELDS[kind].file] = part ? partFileName(kind, slot.name, slot.isEncrypted) : null
    entry[PART_FIELDS[kind].hash] = part ? part.sha256 : null
  }
  return entry
}

async function assertWhole(files: RepositoryFiles, part: string, wanted: { finalName: string; size: number }): Promise<void> {
  if ((await files.stat(part))?.size === wanted.size) return
  throw partDiffers(wanted.finalName, { expected: wanted.size })
}

/** After the record was synced there is no way back, only forward: the next start does it. */
export function slotPending(error: unknown, place: string, { name }: { name: string }): AppError {
  const reason = error instanceof Error ? error.message : String(error)
  return new AppError(
    'slot-index-pending',
    `The parts of ${name} are whole and stay in ${place}, but the slot could not be finished: ${reason}`,
    {
      hint: 'It is finished when the app starts next or makes the next backup. Nothing needs to be made again.',
      details: { name, place, cause: error instanceof AppError ? error.code : null },
      cause: error,
    },
  )
}
