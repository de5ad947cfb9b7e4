import { createHash } from 'node:crypto'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { S3Connection } from '../../connections/s3/connection.ts'
import { writeFileAtomic } from '../../files/atomic.ts'
import { isAlive, ownIdentity } from '../../process-identity.ts'
import { abortUpload, type Upload } from './multipart.ts'

const recordSchema = z.strictObject({
  version: z.literal(1),
  name: z.string().max(300),
  uploadId: z.string().max(2000),
  /** The program that is at it; null: it could neither complete it nor give it up. */
  owner: z.object({ pid: z.int().positive(), start: z.string().nullable() }).nullable(),
})

/**
 * Uploads of single files, kept in the home folder until they are completed or given up: else one whose line is lost would
 * stay in the bucket, unseen and paid for. Source: docs/formats.md, "Filestore".
 */
export interface PutRecords {
  begin(upload: Upload): Promise<void>
  /** It is completed. */
  end(upload: Upload): Promise<void>
  /** Gives it up now or, when the line is lost, at the next {@link PutRecords.recover}. */
  giveUp(upload: Upload): Promise<void>
  /** Gives up what programs that are gone, or that had lost their line, have left. What fails now is left for the next time. */
  recover(): Promise<void>
}

/** @param folder of the home folder, `transfers/`; records are `ID-STORE.put.json` in it */
export function openPutRecords(s3: S3Connection, folder: string, store: string): PutRecords {
  const ending = `-${store}.put.json`

  function fileOf({ name, uploadId }: Upload): string {
    const id = createHash('sha256')
      .update(JSON.stringify([name, uploadId]))
      .digest('hex')
      .slice(0, 16)
    return join(folder, id + ending)
  }

  const save = ({ name, uploadId }: Upload, owner: z.infer<typeof recordSchema>['owner']) =>
    writeFileAtomic(fileOf({ name, uploadId }), `${JSON.stringify({ version: 1, name, uploadId, owner })}\n`)

  const end = (upload: Upload) => rm(fileOf(upload), { force: true })

  async function giveUp(upload: Upload): Promise<void> {
    try {
      await abortUpload(s3, upload)
    } catch {
      await save(upload, null)
      return
    }
    await end(upload)
  }

  return {
    begin: (upload) => save(upload, ownIdentity()),
    end,
    giveUp,
    async recover() {
      const files = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return []
        throw error
      })
      for (const file of files.filter((name) => name.endsWith(ending))) {
        const text = await readFile(join(folder, file), 'utf8').catch(() => '')
        const { data } = recordSchema.safeParse(parsed(text))
        if (data && (data.owner === null || !isAlive(data.owner))) await giveUp(data)
      }
    },
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
