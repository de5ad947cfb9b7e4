import type { PartKind } from '#shared/model/backup.ts'
import type { S3Connection } from '../../connections/s3/connection.ts'
import { PART_KINDS, partFiles } from '../backup-index.ts'
import { partFileName } from '../names.ts'
import { hasCode } from '../repository-files.ts'
import { mergeEntry } from '../slot-intent.ts'
import { entryOf, partDiffers, slotNewer, slotOvertaken } from '../slot-writer.ts'
import type { BackupIndex, IndexEntry } from '../types.ts'
import { readIndexObject, updateIndexObject } from './index-object.ts'
import { abortUpload, completeUpload, etagOf, listParts, type Upload } from './multipart.ts'
import { removeObject, statObject } from './objects.ts'
import type { UploadRecord, UploadRecords } from './upload-record.ts'

const RECORD_AGE_MS = 7 * 24 * 3600 * 1000

export function fileOf(record: Pick<UploadRecord, 'name' | 'isEncrypted'>, kind: PartKind): string {
  return partFileName(kind, record.name, record.isEncrypted)
}

/**
 * Does what a record says is pending, from wherever an earlier try stopped: makes the objects of the uploads in the server's order,
 * enters the backup in the index, removes files that only the old entry named, then the record. May be repeated.
 * @returns the entry as the index has it now
 * @throws AppError `slot-newer` when the slot has got a newer backup meanwhile, `slot-part-differs`
 */
export async function finishSlot(s3: S3Connection, records: UploadRecords, record: UploadRecord): Promise<IndexEntry> {
  const { name, pending } = record
  if (pending === null) throw partDiffers(name, {})
  const before = (await readIndexObject(s3)).document.entries.get(name)
  if (before && before.timestamp > record.timestamp) {
    await forgetUploads(s3, records, record)
    throw slotNewer(record, before.timestamp)
  }
  for (const kind of PART_KINDS) {
    const part = record.parts.find((candidate) => candidate.kind === kind)
    if (part) await putPart(s3, record, part, pending.etags[kind] ?? null)
  }
  const entry = entryOf({
    ...record,
    parts: record.parts.map(({ kind, size }) => ({ kind, size, sha256: pending.hashes[kind] ?? '' })),
  })
  const enter = (index: BackupIndex) => {
    const present = index.get(name)
    if (present && present.timestamp > record.timestamp) return
    index.set(name, mergeEntry(present, entry))
  }
  await updateIndexObject(s3, enter, true)
  const { entries } = (await readIndexObject(s3)).document
  await removeReplaced(s3, { name, oldEntry: pending.oldEntry, entries })
  await records.remove(record.id)
  const now = entries.get(name)
  if (now?.timestamp === record.timestamp) return now
  throw slotOvertaken(record, s3.place)
}

async function putPart(
  s3: S3Connection,
  record: UploadRecord,
  { kind, size, uploadId }: UploadRecord['parts'][number],
  etag: string | null,
): Promise<void> {
  const file = fileOf(record, kind)
  const upload: Upload | null = uploadId === null ? null : { name: file, uploadId }
  const parts = upload ? await listParts(s3, upload) : null
  if (upload && parts && parts.length > 0) {
    const stored = parts.reduce((sum, part) => sum + part.size, 0)
    // the server may have given up some of it since it was checked
    if (stored !== size || (etag !== null && etagOf(parts) !== etag)) throw partDiffers(file, { expected: size, stored })
    await completeUpload(s3, upload, parts)
    return
  }
  // an earlier try did it, unless the server gave the upload up
  const found = await statObject(s3, file)
  if (found?.size === size && (etag === null || found.version === etag)) return
  throw partDiffers(file, { expected: size, stored: found?.size ?? null })
}

/**
 * Removes files that only a replaced or removed entry named. A key that may not delete leaves them: the list shows them as
 * files that the index does not name.
 */
export async function removeReplaced(
  s3: S3Connection,
  { name, oldEntry, entries }: { name: string; oldEntry: IndexEntry | null; entries: ReadonlyMap<string, IndexEntry> },
): Promise<void> {
  const named = new Set([...entries].flatMap(([other, entry]) => partFiles(other, entry).map(({ file }) => file)))
  for (const { file } of partFiles(name, oldEntry ?? undefined)) {
    if (named.has(file)) continue
    await removeObject(s3, file).catch((error: unknown) => {
      if (!hasCode(error, 'filestore-forbidden')) throw error
    })
  }
}

/** Gives up what is stored of a backup that was not put in place, then its record. */
export async function forgetUploads(s3: S3Connection, records: UploadRecords, record: UploadRecord): Promise<void> {
  for (const { kind, uploadId } of record.parts) {
    if (uploadId !== null) await abortUpload(s3, { name: fileOf(record, kind), uploadId })
  }
  await records.remove(record.id)
}

/**
 * Finishes what was being put in place when a program died, and gives up uploads that nobody went on with for a week. The caller holds
 * the lease.
 * @returns NAMEs of slots that were finished
 * @throws AppError `index-corrupt`, `index-busy`, those of the connection: the record stays for the next try
 */
export async function recoverUploads(s3: S3Connection, records: UploadRecords): Promise<string[]> {
  const finished: string[] = []
  for (const record of await records.list()) {
    if (record.pending !== null) {
      try {
        await finishSlot(s3, records, record)
        finished.push(record.name)
      } catch (error) {
        // a newer backup is there, or the server has dropped the uploads: there is nothing that could be finished
        if (!hasCode(error, 'slot-newer') && !hasCode(error, 'slot-part-differs')) throw error
        await forgetUploads(s3, records, record)
      }
    } else if (Date.now() - Date.parse(record.touchedAt) > RECORD_AGE_MS) {
      await forgetUploads(s3, records, record)
    }
  }
  return finished
}
