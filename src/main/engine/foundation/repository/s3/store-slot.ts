import type { PartKind } from '#shared/model/backup.ts'
import type { S3Connection } from '../../connections/s3/connection.ts'
import { PART_FIELDS, partFiles } from '../backup-index.ts'
import { checkSlot, partDiffers, slotNewer, slotPending } from '../slot-writer.ts'
import type { IncomingSlot, IndexEntry, SlotWriting } from '../types.ts'
import { PartCutter } from './cut-parts.ts'
import { fileOf, finishSlot, forgetUploads } from './finish-slot.ts'
import { readIndexObject } from './index-object.ts'
import {
  abortUpload,
  createUpload,
  etagOf,
  listParts,
  partBytesFor,
  type StoredPart,
  sendParts,
  type Upload,
} from './multipart.ts'
import { statObject } from './objects.ts'
import { storeIdOf, type UploadRecord, type UploadRecords } from './upload-record.ts'

/**
 * Begins to store a backup in a filestore, or goes on with it: each part is a multipart upload to its own key, which nobody sees
 * before it is completed. Source: docs/formats.md, "Filestore".
 *
 * A backup of the slot's present timestamp is the same backup. It is put in place again only to mend it: when objects of the present
 * entry are missing, or have another size, or the caller knows them to be damaged. Otherwise it is refused as `slot-newer`, unless the index says of it exactly what is offered.
 * @param guard called right before the first change that can't be taken back; throws when the lease was lost
 * @throws AppError `slot-invalid`, `slot-not-rotation`
 */
export async function storeSlot(
  s3: S3Connection,
  records: UploadRecords,
  incoming: IncomingSlot,
  guard: () => Promise<void>,
): Promise<SlotWriting> {
  checkSlot({ owner: 'server', place: s3.place }, incoming)
  const kept = await records.get(incoming.id)
  const isFitting = kept !== null && isOf(kept, incoming)
  if (kept && !isFitting) await forgetUploads(s3, records, kept)
  let record: UploadRecord = isFitting ? kept : newRecord(s3, incoming)

  function partOf(kind: PartKind): UploadRecord['parts'][number] {
    const part = record.parts.find((candidate) => candidate.kind === kind)
    if (part) return part
    throw partDiffers(fileOf(incoming, kind), { kind })
  }

  function uploadOf(kind: PartKind): Upload | null {
    const { uploadId } = partOf(kind)
    return uploadId === null ? null : { name: fileOf(record, kind), uploadId }
  }

  async function remember(kind: PartKind, uploadId: string): Promise<void> {
    const parts = record.parts.map((part) => (part.kind === kind ? { ...part, uploadId } : part))
    record = { ...record, parts, touchedAt: new Date().toISOString() }
    await records.save(record)
  }

  /** What the server has of a part; an upload that it has dropped counts as not begun. */
  async function stored(kind: PartKind, signal?: AbortSignal): Promise<StoredPart[]> {
    const upload = uploadOf(kind)
    return (upload && (await listParts(s3, upload, signal))) ?? []
  }

  /** All parts of the upload, when they are the whole part. */
  async function whole(kind: PartKind, signal: AbortSignal): Promise<StoredPart[]> {
    const { size } = partOf(kind)
    const parts = await stored(kind, signal)
    const bytes = storedFromStart(parts, size)
    if (bytes === size && parts.length === Math.ceil(size / partBytesFor(size))) return parts
    throw partDiffers(fileOf(record, kind), { expected: size, stored: bytes })
  }

  return {
    async storedBytes(kind) {
      return storedFromStart(await stored(kind), partOf(kind).size)
    },

    async readStored(kind) {
      partOf(kind)
      return null
    },

    async write(kind, body, offset, signal, { onSkipped } = {}) {
      const { size } = partOf(kind)
      const partBytes = partBytesFor(size)
      try {
        const known = uploadOf(kind)
        const present = known && (await listParts(s3, known, signal))
        // from within the part that is there without a gap, and at the border of two of its pieces
        if (offset % partBytes !== 0 || offset > storedFromStart(present ?? [], size)) {
          throw partDiffers(fileOf(record, kind), { offset })
        }
        const upload = known && present ? known : await createUpload(s3, fileOf(record, kind), signal)
        if (upload !== known) {
          await remember(kind, upload.uploadId).catch(async (error: unknown) => {
            // what is written down nowhere would lie there for good
            await abortUpload(s3, upload).catch(() => {})
            throw error
          })
        }
        const sent = await sendParts(s3, upload, new PartCutter(body, { after: offset / partBytes }), {
          partBytes,
          signal,
          stored: new Map(present?.map((part) => [part.number, part])),
          onSkipped,
        })
        const bytes = sent.reduce((sum, part) => sum + part.size, offset)
        if (bytes !== size) throw partDiffers(fileOf(record, kind), { expected: size, stored: bytes })
      } catch (error) {
        body.destroy()
        throw error
      }
    },

    async putInPlace(hashes, signal) {
      if (record.pending === null) {
        const etags: Partial<Record<PartKind, string | null>> = {}
        for (const { kind } of record.parts) {
          etags[kind] = etagOf(await whole(kind, signal))
          if (!hashes[kind]) throw partDiffers(fileOf(record, kind), { sha256: null })
        }
        const present = (await readIndexObject(s3)).document.entries.get(record.name)
        if (present && present.timestamp > record.timestamp) throw slotNewer(record, present.timestamp)
        if (present && present.timestamp === record.timestamp && !incoming.mends) {
          const state = await compareWithPresent(s3, { present, record, hashes, etags })
          if (state === 'same') {
            await forgetUploads(s3, records, record)
            return present
          }
          if (state === 'whole') throw slotNewer(record, present.timestamp)
        }
        signal.throwIfAborted()
        await guard()
        record = { ...record, pending: { hashes, etags, oldEntry: present ?? null } }
        await records.save(record)
      }
      try {
        return await finishSlot(s3, records, record)
      } catch (error) {
        throw slotPending(error, s3.place, record)
      }
    },

    async discard() {
      // from then on it is only finished
      if (record.pending !== null) return
      await forgetUploads(s3, records, record)
      record = newRecord(s3, incoming)
    },
  }
}

function newRecord(s3: S3Connection, incoming: IncomingSlot): UploadRecord {
  const { id, name, timestamp, isEncrypted, isFilestoreUploaded, unknownKeys } = incoming
  return {
    version: 1,
    id,
    store: storeIdOf(s3),
    place: s3.place,
    name,
    timestamp,
    isEncrypted,
    isFilestoreUploaded,
    unknownKeys,
    touchedAt: new Date().toISOString(),
    parts: incoming.parts.map(({ kind, size }) => ({ kind, size, uploadId: null })),
    pending: null,
  }
}

/** Whether an earlier try was of the very same files. */
function isOf(record: UploadRecord, incoming: IncomingSlot): boolean {
  const facts = ({ name, timestamp, isEncrypted, parts }: Pick<IncomingSlot, 'name' | 'timestamp' | 'isEncrypted' | 'parts'>) =>
    JSON.stringify([name, timestamp, isEncrypted, parts.map(({ kind, size }) => [kind, size])])
  return facts(record) === facts(incoming)
}

/** Bytes of the part without a gap from its start. */
function storedFromStart(parts: readonly StoredPart[], size: number): number {
  const partBytes = partBytesFor(size)
  let bytes = 0
  for (const [at, part] of parts.entries()) {
    if (part.number !== at + 1 || part.size !== Math.min(partBytes, size - bytes)) break
    bytes += part.size
  }
  return bytes
}

/**
 * What the slot holds of the same moment: `same`: the index says of it what is offered, and its objects are there; `damaged`: to be
 * mended; `whole`: another backup. Its objects are not read: their hashes are taken from the index.
 */
async function compareWithPresent(
  s3: S3Connection,
  offered: {
    present: IndexEntry
    record: UploadRecord
    hashes: Partial<Record<PartKind, string>>
    etags: Partial<Record<PartKind, string | null>>
  },
): Promise<'same' | 'damaged' | 'whole'> {
  const { present, record, hashes, etags } = offered
  const files = partFiles(record.name, present)
  let isSame = files.length === record.parts.length && (present.is_encrypted ?? false) === record.isEncrypted
  for (const { kind, file } of files) {
    const part = record.parts.find((candidate) => candidate.kind === kind)
    const facts = await statObject(s3, file)
    const isOffered = part !== undefined && file === fileOf(record, kind) && present[PART_FIELDS[kind].hash] === hashes[kind]
    if (facts === null || (isOffered && facts.size !== part.size)) return 'damaged'
    if (isOffered && isOtherContent(facts.version, etags[kind] ?? null)) return 'damaged'
    if (!isOffered) isSame = false
  }
  return isSame ? 'same' : 'whole'
}

/** Only ETags of uploads that were cut into the same parts can be compared. */
function isOtherContent(found: string, offered: string | null): boolean {
  const cut = /^[0-9a-f]{32}-(\d+)$/
  const [parts, offeredParts] = [cut.exec(found)?.[1], cut.exec(offered ?? '')?.[1]]
  return parts !== undefined && parts === offeredParts && found !== offered
}
