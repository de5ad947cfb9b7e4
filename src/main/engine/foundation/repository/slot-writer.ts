import { lstat, open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '#shared/errors.ts'
import { formatMomentLong } from '#shared/format.ts'
import type { PartKind } from '#shared/model/backup.ts'
import { splitBackupName } from '#shared/rotation.ts'
import { syncFolder } from '../files/atomic.ts'
import { PART_FIELDS, PART_KINDS } from './backup-index.ts'
import type { FolderRepository } from './folder.ts'
import { readIndexFile } from './index-file.ts'
import { isPlainName, parseWorkName, partFileName, partName, showName } from './names.ts'
import {
  isOutrun,
  type OnStep,
  partsFit,
  readIntent,
  rollBack,
  rollForward,
  type SlotIntent,
  writeIntent,
} from './slot-intent.ts'
import type { BackupIndex, IndexEntry } from './types.ts'

/** One finished file of a slot. It lies in the repository's folder as `partName(partFileName(kind, name, isEncrypted), jobId)`. */
export interface SlotPart {
  kind: PartKind
  /** Lower-case hex SHA-256 of the file as stored. */
  sha256: string
  /** Bytes of the file as stored. */
  size: number
}

export interface Slot {
  /** Whose part files these are. */
  jobId: string
  /** NAME: `SITE-SLOT`; in a vault also the name of a safety or pinned backup. */
  name: string
  /** Unix seconds, UTC. */
  timestamp: number
  parts: SlotPart[]
  /** All parts are `.enc`, or none. */
  isEncrypted: boolean
  /** Called before each step; for tests that stop there. */
  onStep?: OnStep
}

/**
 * Puts a backup in its slot: either the old backup is there whole or the new one, also after a crash at any moment
 * (the next start finishes it, {@link recoverSlots}). All parts must be complete `.part` files that were read to
 * their end. The caller holds the repository's lease.
 * @returns the entry as the index has it now
 * @throws AppError `slot-newer` (the slot has a backup that is not older), `slot-not-rotation`, `slot-part-differs`,
 *   `index-corrupt`: nothing was changed. `slot-index-pending`: the files are in place, the index will follow.
 */
export async function writeSlot(repository: FolderRepository, slot: Slot): Promise<IndexEntry> {
  const { folder, owner } = repository
  const onStep = slot.onStep ?? (() => {})
  checkSlot(repository, slot)
  await recoverSlots(folder, { except: slot.jobId, ...(repository.isOurJob ? { isOurJob: repository.isOurJob } : {}) })
  const oldEntry = assertOlder(await repository.readIndex(), slot)
  const intent: SlotIntent = {
    version: 1,
    id: slot.jobId,
    owner,
    name: slot.name,
    entry: entryOf(slot),
    oldEntry: oldEntry ?? null,
    parts: slot.parts.map(({ kind, sha256, size }) => ({
      finalName: partFileName(kind, slot.name, slot.isEncrypted),
      sha256,
      size,
    })),
  }
  await onStep('sync')
  for (const part of intent.parts) await syncPart(join(folder, partName(part.finalName, intent.id)), part)
  await syncFolder(folder)
  await onStep('intent')
  await writeIntent(folder, intent)
  try {
    await rollForward(folder, intent, onStep)
  } catch (error) {
    throw pending(error, folder, intent)
  }
  const entry = (await repository.readIndex()).get(slot.name)
  if (entry?.timestamp === slot.timestamp) return entry
  throw slotNewer(slot, entry?.timestamp ?? 0)
}

export interface RecoveryOptions {
  /** The id of a job whose files are left alone. */
  except?: string
  /**
   * False: the id is of another home folder's job, which may run on another computer; its files are left until nobody
   * wrote to them for a day. Default: all are ours.
   */
  isOurJob?: (id: string) => Promise<boolean>
}

export interface Recovered {
  /** NAMEs of slots that were finished. */
  finished: string[]
  /** Files of interrupted work that were removed. */
  removed: string[]
}

const FOREIGN_AGE_MS = 24 * 3600 * 1000
/** Single writes do not tell whose they are; they are short, and a long one keeps changing its file. */
const WRITE_AGE_MS = 60_000

/**
 * Clears up after jobs that died: a slot whose parts are all whole is finished; otherwise its parts are removed. Never
 * removes a file that the index names. Call it when no live job writes in the folder (its site's lock or lease is held).
 * A missing folder needs nothing.
 * @throws AppError `index-corrupt`, `index-busy`: the record stays for the next try
 */
export async function recoverSlots(folder: string, options: RecoveryOptions = {}): Promise<Recovered> {
  const recovered: Recovered = { finished: [], removed: [] }
  const files = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return []
    throw error
  })
  const leftovers = files.flatMap((file) => {
    const work = parseWorkName(file)
    return work && work.id !== options.except ? [{ file, ...work }] : []
  })
  const isCleared = async ({ file, id }: { file: string; id: string }) => {
    const { isOurJob } = options
    const isWrite = id.startsWith('zbd-')
    if (!isOurJob || (!isWrite && (await isOurJob(id)))) return true
    const facts = await lstat(join(folder, file)).catch(() => null)
    return facts !== null && Date.now() - facts.mtimeMs > (isWrite ? WRITE_AGE_MS : FOREIGN_AGE_MS)
  }
  for (const work of leftovers.filter(({ kind }) => kind === 'intent')) {
    if (!(await isCleared(work))) continue
    const intent = await readIntent(folder, work.file)
    // meanwhile the slot may have got a newer backup, whose files must not be overwritten
    const present = (await readIndexFile(folder)).document.entries.get(work.base)
    if (intent && !isOutrun(intent, present) && (await partsFit(folder, intent))) {
      await rollForward(folder, intent)
      recovered.finished.push(intent.name)
    } else if (intent) {
      await rollBack(folder, intent)
      recovered.removed.push(work.file)
    }
  }
  for (const work of leftovers.filter(({ kind }) => kind === 'part')) {
    if (!(await isCleared(work))) continue
    const path = join(folder, work.file)
    if (!(await lstat(path).catch(() => null))?.isFile()) continue
    await rm(path, { force: true })
    recovered.removed.push(work.file)
  }
  if (leftovers.length > 0) await syncFolder(folder)
  return recovered
}

function checkSlot({ owner, folder }: FolderRepository, slot: Slot): void {
  const problem =
    !isPlainName(slot.name) || slot.name.length > 200
      ? `${showName(slot.name)} can’t be the name of a backup`
      : !Number.isSafeInteger(slot.timestamp) || slot.timestamp <= 0
        ? 'the timestamp is no time'
        : slot.parts.length === 0 || new Set(slot.parts.map(({ kind }) => kind)).size !== slot.parts.length
          ? 'it needs one to three different parts'
          : parseWorkName(partName(`${slot.name}.sql.gz`, slot.jobId)) === null
            ? 'the job’s id can’t be part of a file name'
            : null
  if (problem) throw new AppError('slot-invalid', `The backup was not put in place: ${problem}.`, { details: { folder } })
  if (owner === 'server' && splitBackupName(slot.name) === null) {
    throw new AppError(
      'slot-not-rotation',
      `${slot.name} is no rotation slot, so it does not go to a server: servers upload and restore whatever their index has. Nothing was changed there.`,
      { hint: 'Safety and pinned backups live in the vault.', details: { name: slot.name } },
    )
  }
}

/** The present entry of the slot, which must be older. */
function assertOlder(index: BackupIndex, slot: Slot): IndexEntry | undefined {
  const present = index.get(slot.name)
  if (present && present.timestamp >= slot.timestamp) throw slotNewer(slot, present.timestamp)
  return present
}

function slotNewer(slot: Slot, present: number): AppError {
  return new AppError(
    'slot-newer',
    `${slot.name} holds a backup of ${formatMomentLong(new Date(present * 1000))}, which is not older than this one. It was left as it is.`,
    {
      hint: 'A slot is only replaced by a newer backup. Check the clocks of this computer and of the server.',
      details: { name: slot.name, present, offered: slot.timestamp },
    },
  )
}

function entryOf(slot: Slot): IndexEntry {
  const entry: IndexEntry = { timestamp: slot.timestamp, is_filestore_uploaded: false, is_encrypted: slot.isEncrypted }
  for (const kind of PART_KINDS) {
    const part = slot.parts.find((candidate) => candidate.kind === kind)
    entry[PART_FIELDS[kind].file] = part ? partFileName(kind, slot.name, slot.isEncrypted) : null
    entry[PART_FIELDS[kind].hash] = part ? part.sha256 : null
  }
  return entry
}

async function syncPart(path: string, wanted: { finalName: string; size: number }): Promise<void> {
  const handle = await open(path, 'r+').catch(() => null)
  try {
    if (handle && (await handle.stat()).size === wanted.size) return await handle.sync()
  } finally {
    await handle?.close()
  }
  throw new AppError('slot-part-differs', `${wanted.finalName} is not as it was written. The slot was left as it is.`, {
    hint: 'Did another program clear files away, or is the disk full? Run the backup again.',
    details: { file: wanted.finalName, expected: wanted.size },
  })
}

/** After the record was synced there is no way back, only forward: the next start does it. */
function pending(error: unknown, folder: string, intent: SlotIntent): unknown {
  const reason = error instanceof Error ? error.message : String(error)
  return new AppError(
    'slot-index-pending',
    `The parts of ${intent.name} are whole and stay in ${folder}, but the slot could not be finished: ${reason}`,
    {
      hint: 'It is finished when the app starts next or makes the next backup. Nothing needs to be made again.',
      details: { name: intent.name, folder, cause: error instanceof AppError ? error.code : null },
      cause: error,
    },
  )
}
