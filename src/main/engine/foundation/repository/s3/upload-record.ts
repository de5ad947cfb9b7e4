import { createHash } from 'node:crypto'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { partKindSchema } from '#shared/model/backup.ts'
import { writeFileAtomic } from '../../files/atomic.ts'

const MAX_RECORD_BYTES = 1024 * 1024
const hashSchema = z.string().regex(/^[0-9a-f]{64}$/)
const entrySchema = z.looseObject({ timestamp: z.int().min(0) })

const recordSchema = z.strictObject({
  version: z.literal(1),
  id: z.string().max(64),
  /** The filestore, see {@link storeIdOf}. */
  store: z.string().max(64),
  place: z.string().max(2000),
  name: z.string().max(200),
  timestamp: z.int().min(1),
  isEncrypted: z.boolean(),
  isFilestoreUploaded: z.boolean(),
  unknownKeys: z.record(z.string(), z.unknown()),
  /** When it was last gone on with. */
  touchedAt: z.iso.datetime(),
  parts: z
    .array(
      z.strictObject({
        kind: partKindSchema,
        size: z.int().min(1),
        /** null: not begun. */
        uploadId: z.string().max(2000).nullable(),
      }),
    )
    .max(3),
  /** From the moment on when it is only finished, never taken back. */
  pending: z
    .strictObject({
      /** SHA-256 of each part. */
      hashes: z.partialRecord(partKindSchema, hashSchema),
      /** ETag that each whole object will have; null: it can't be told. */
      etags: z.partialRecord(partKindSchema, z.string().max(100).nullable()),
      oldEntry: entrySchema.nullable(),
    })
    .nullable(),
})

/**
 * What is under way to a filestore, kept in the home folder: which uploads belong to which backup. What the server has of them, it
 * tells itself. Source: docs/formats.md, "Filestore".
 */
export type UploadRecord = z.infer<typeof recordSchema>

/** The records of one filestore. */
export interface UploadRecords {
  get(id: string): Promise<UploadRecord | null>
  list(): Promise<UploadRecord[]>
  save(record: UploadRecord): Promise<void>
  remove(id: string): Promise<void>
}

/** Tells filestores apart. */
export function storeIdOf({ host, place }: { host: string; place: string }): string {
  return createHash('sha256')
    .update(JSON.stringify([host, place]))
    .digest('hex')
    .slice(0, 16)
}

/** @param folder of the home folder, `transfers/`; records are `ID-STORE.json` in it */
export function openUploadRecords(folder: string, store: string): UploadRecords {
  const ending = `-${store}.json`

  async function read(file: string): Promise<UploadRecord | null> {
    const text = await readFile(join(folder, file), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null
      throw error
    })
    if (text === null || text.length > MAX_RECORD_BYTES) return null
    try {
      const record = recordSchema.parse(JSON.parse(text))
      return record.store === store && file === record.id + ending ? record : null
    } catch {
      // of a newer version, or damaged: what it names is seen by nobody, and nothing is lost but the time to send it again
      return null
    }
  }

  return {
    get: (id) => read(id + ending),
    async list() {
      const records: UploadRecord[] = []
      const files = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return []
        throw error
      })
      for (const file of files.sort()) {
        const record = file.endsWith(ending) ? await read(file) : null
        if (record) records.push(record)
      }
      return records
    },
    save: (record) => writeFileAtomic(join(folder, record.id + ending), `${JSON.stringify(record)}\n`),
    remove: (id) => rm(join(folder, id + ending), { force: true }),
  }
}
