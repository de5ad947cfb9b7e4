import type { Readable } from 'node:stream'
import { isDeepStrictEqual } from 'node:util'
import { AppError, isCancelled, toAppError } from '#shared/errors.ts'
import { formatMomentLong } from '#shared/format.ts'
import { MEDIA_IN_FILESTORE, type PartKind } from '#shared/model/backup.ts'
import type { RateLimit } from '../rate-limit.ts'
import { PART_FIELDS, PART_KINDS } from './backup-index.ts'
import { transferId } from './names.ts'
import { PATIENCE, type Patience, type Repeating, repeatedly } from './repeating.ts'
import { readSourceBackup, type SourceBackup, type SourcePart } from './source-parts.ts'
import { type PartTransferred, transferPart } from './transfer-part.ts'
import type { IncomingSlot, IndexEntry, Repository, SlotWriting } from './types.ts'

/** Tells whether a stored part is sound where the hash of the file does not. */
export interface PartExaminer {
  /** SHA-256 of the content of an encrypted file; null: no password opens it. */
  contentHash(stored: Readable, signal: AbortSignal): Promise<string | null>
  /**
   * Reads a part to its end.
   * @returns why it could not be told; null: it is sound
   * @throws AppError `part-differs`
   */
  readToEnd(part: SourcePart, stored: Readable, signal: AbortSignal): Promise<string | null>
}

export interface BackupTransfer {
  from: Repository
  to: Repository
  name: string
  /** The source's index entry. */
  entry: IndexEntry
  /** What the target's entry shall say of the filestore. */
  isFilestoreUploaded: boolean
  limit: RateLimit
  examiner: PartExaminer
  signal: AbortSignal
  /** @param position in the part's file; @param sent bytes of the part that were sent in this run */
  onProgress(kind: PartKind, position: number, sent: number): void
  /** One sentence that the operator may want to read. */
  onNote(text: string): void
  /** What is stored of it goes when the target's disk is full: a server needs the space more than we do. */
  freesFullDisk: boolean
  /** What the target has of it is known to be damaged. */
  mends?: boolean
  /** The job that made the source and removes it with its end: what it stored at the target can't be gone on with. */
  madeBy?: string
  patience?: Patience
}

export interface TransferredBackup {
  /** As the target's index has it now. */
  entry: IndexEntry
  /** Bytes that were sent in this run. */
  bytes: number
}

const KNOWN_KEYS = new Set<string>([
  'timestamp',
  'is_encrypted',
  'is_filestore_uploaded',
  ...PART_KINDS.flatMap((kind) => [PART_FIELDS[kind].file, PART_FIELDS[kind].hash]),
])

/**
 * Copies one backup from a repository to another as it is, nothing packed or encrypted anew. All parts are stored unseen
 * first and checked against the source's index (docs/formats.md, "backup.json"); the index entry comes last. What was
 * stored when it fails is kept, and the next try goes on from there.
 * @throws AppError `backup-incomplete`, `slot-newer`, `slot-not-rotation`, `hash-differs`, `part-differs`,
 *   `changed-while-reading`, `disk-full`, `cancelled`, those of the connections: the target has its old backup, whole.
 *   `slot-index-pending`: the files are in place, the index will follow
 */
export async function transferBackup(transfer: BackupTransfer): Promise<TransferredBackup> {
  const { from, to, name, entry, signal, onNote, patience = PATIENCE } = transfer
  const repeating: Repeating = { signal, patience, onNote }
  const lease = await repeatedly(`Waiting for its turn at ${to.place}`, repeating, () => to.lease(signal))
  try {
    const source = await repeatedly(`Looking at ${name}`, repeating, async () => {
      assertNotNewer(name, entry, (await to.readIndex()).get(name))
      return readSourceBackup(name, entry, { isFilestore: from.kind === 's3', factsOf: (file) => from.stat(file) })
    })
    if (source.lacksMedia) onNote(`${from.place} has no media archive of ${name}. ${MEDIA_IN_FILESTORE}`)
    const incoming = incomingSlot(transfer, source)
    const slot = await repeatedly(`Storing ${name}`, repeating, () => to.openSlot(incoming))
    const { hashes, bytes } = await copyParts(transfer, source, slot, repeating)
    await repeatedly(`Looking at ${name} again`, repeating, () => assertUnchanged(transfer, source, slot))
    return { entry: await putInPlace(transfer, slot, hashes, repeating), bytes }
  } finally {
    // an unreachable target lets go of it by itself
    await lease.release().catch((error: Error) => onNote(`The lease of ${to.place} could not be given back: ${error.message}`))
  }
}

async function copyParts(
  transfer: BackupTransfer,
  source: SourceBackup,
  slot: SlotWriting,
  repeating: Repeating,
): Promise<{ hashes: Partial<Record<PartKind, string>>; bytes: number }> {
  const { from, to, limit, examiner, signal, onProgress, onNote } = transfer
  const hashes: Partial<Record<PartKind, string>> = {}
  let bytes = 0
  for (const part of source.parts) {
    const isRemote = from.kind !== 'folder' && to.kind !== 'folder'
    // where no copy is near, what is in an encrypted file is read as it passes
    const contentHash = isRemote && isEncrypted(part) && part.hash !== null ? examiner.contentHash : null
    try {
      const done = await transferPart({
        from,
        slot,
        isGathering: to.kind === 's3',
        part,
        limit,
        patience: repeating.patience,
        signal,
        contentHash,
        onProgress,
        onNote,
      })
      bytes += done.sent
      await checkPart(transfer, slot, part, done)
      hashes[part.kind] = done.sha256
    } catch (error) {
      await forget(transfer, slot, error)
      throw error
    }
  }
  return { hashes, bytes }
}

/** Parts that can't become the backup are not kept. */
async function forget({ freesFullDisk, madeBy, onNote }: BackupTransfer, slot: SlotWriting, error: unknown): Promise<void> {
  if (isCancelled(error) && madeBy === undefined) return
  const { code } = toAppError(error)
  const isUseless = madeBy !== undefined || ['hash-differs', 'part-differs', 'changed-while-reading'].includes(code)
  if (!isUseless && !(freesFullDisk && code === 'disk-full')) return
  await slot.discard().catch((cause: Error) => onNote(`What was stored could not be removed: ${cause.message}`))
}

/**
 * Whether a copied part is what the source's index says. A server hashes a file before it encrypts it, so that the hash
 * may be of the file or of its content. Source: docs/formats.md, "backup.json".
 * @throws AppError `hash-differs`, `part-differs`
 */
async function checkPart(
  { from, to, examiner, signal, onNote }: BackupTransfer,
  slot: SlotWriting,
  part: SourcePart,
  done: PartTransferred,
): Promise<void> {
  const { name: file, version, size } = part.facts
  if (part.hash === done.sha256) return
  const near = async () => {
    if (to.kind === 'folder') return slot.readStored(part.kind, size, signal)
    return from.kind === 'folder' ? from.read(file, { ifVersion: version, signal }) : null
  }
  if (part.hash === null) {
    const stored = await near()
    const doubt = stored ? await examiner.readToEnd(part, stored, signal) : `The index of ${from.place} has no hash of ${file}`
    if (doubt !== null) onNote(`${doubt}: it was copied as it is.`)
    return
  }
  if (!isEncrypted(part)) throw hashDiffers(part, from, done.sha256)
  const stored = done.content === null ? await near() : null
  const content = done.content ?? (stored ? await examiner.contentHash(stored, signal) : null)
  if (content === part.hash) return
  if (content !== null) throw hashDiffers(part, from, done.sha256)
  onNote(`${file} was copied, but not checked: its hash is of what is inside, and no password for it is known.`)
}

function isEncrypted({ facts }: SourcePart): boolean {
  return facts.name.endsWith('.enc')
}

/** What is opened at the target; the same again for the same backup. */
export function incomingSlot(
  {
    from,
    name,
    entry,
    isFilestoreUploaded,
    mends,
    madeBy,
  }: Pick<BackupTransfer, 'from' | 'name' | 'entry' | 'isFilestoreUploaded' | 'mends' | 'madeBy'>,
  source: SourceBackup,
): IncomingSlot {
  const parts = source.parts.map(({ kind, facts }) => ({ kind, size: facts.size }))
  const files = source.parts.map(({ facts }) => facts)
  return {
    // parts of a job are removed by whoever holds the lease next, those of a transfer wait for the next try
    id: madeBy ?? transferId({ name, timestamp: entry.timestamp, from: from.place, files }),
    name,
    timestamp: entry.timestamp,
    isEncrypted: source.isEncrypted,
    parts,
    isFilestoreUploaded,
    unknownKeys: Object.fromEntries(Object.entries(entry).filter(([key]) => !KNOWN_KEYS.has(key))),
    mends: mends === true,
  }
}

/** The server may have written the slot anew while its files were copied. @throws AppError `changed-while-reading` */
async function assertUnchanged(
  { from, name, entry, onNote }: BackupTransfer,
  source: SourceBackup,
  slot: SlotWriting,
): Promise<void> {
  const now = (await from.readIndex()).get(name)
  let isSame = now !== undefined && isSameBackup(now, entry)
  for (const { facts } of source.parts) isSame &&= (await from.stat(facts.name))?.version === facts.version
  if (isSame) return
  await slot.discard().catch((error: Error) => onNote(`What was stored could not be removed: ${error.message}`))
  throw new AppError(
    'changed-while-reading',
    `${name} of ${from.place} was replaced while it was copied. Nothing was put in place.`,
    {
      hint: 'Its slot holds a newer backup now: copy that one.',
      details: { name },
    },
  )
}

/** Whether two entries are of one backup with the same files; that it was uploaded meanwhile is no difference. */
export function isSameBackup(one: IndexEntry, other: IndexEntry): boolean {
  const facts = ({ is_filestore_uploaded: _, ...entry }: IndexEntry) => entry
  return isDeepStrictEqual(facts(one), facts(other))
}

async function putInPlace(
  { to, name, entry, signal }: BackupTransfer,
  slot: SlotWriting,
  hashes: Partial<Record<PartKind, string>>,
  repeating: Repeating,
): Promise<IndexEntry> {
  let isRepeated = false
  return repeatedly(`Putting ${name} in place`, repeating, async () => {
    // a try whose answer was lost may have done it all
    const present = isRepeated ? (await to.readIndex()).get(name) : undefined
    if (present?.timestamp === entry.timestamp && hasHashes(present, hashes)) return present
    isRepeated = true
    return slot.putInPlace(hashes, signal)
  })
}

function hasHashes(entry: IndexEntry, hashes: Partial<Record<PartKind, string>>): boolean {
  return PART_KINDS.every((kind) => (entry[PART_FIELDS[kind].hash] ?? null) === (hashes[kind] ?? null))
}

/** One of the same moment may be mended. @throws AppError `slot-newer` */
function assertNotNewer(name: string, entry: IndexEntry, present: IndexEntry | undefined): void {
  if (!present || present.timestamp <= entry.timestamp) return
  throw new AppError(
    'slot-newer',
    `${name} holds a backup of ${formatMomentLong(new Date(present.timestamp * 1000))} there, which is newer than the one of ${formatMomentLong(new Date(entry.timestamp * 1000))}. It was left as it is.`,
    {
      hint: 'A slot is only replaced by a newer backup.',
      details: { name, present: present.timestamp, offered: entry.timestamp },
    },
  )
}

function hashDiffers({ facts, hash }: SourcePart, { place }: Repository, found: string): AppError {
  return new AppError(
    'hash-differs',
    `${facts.name} of ${place} is not what the index there says: its SHA-256 differs. Nothing was put in place.`,
    {
      hint: 'Verify that backup where it is; copy it from another place if one has it.',
      details: { file: facts.name, place, wanted: hash, found },
    },
  )
}
