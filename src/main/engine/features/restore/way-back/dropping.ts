import { existsSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { writeFileAtomic } from '#engine/foundation/files/atomic.ts'
import { undoPlaces } from '../files/undo-journal.ts'

const MARK = 'dropping'

const droppingSchema = z
  .object({
    schema: z.string(),
    oid: z.number(),
    backend: z.object({ pid: z.int(), startedAt: z.string() }),
  })
  .nullable()

/** The schema that goes together with the files of a job, and the session that deletes it; null: there are files only. */
export type Dropping = z.infer<typeof droppingSchema>

const markOf = (filesDir: string, jobId: string) => join(undoPlaces(filesDir, jobId).folder, MARK)

/** From here on, the kept files of a job go when the schema does. On the disk when it resolves. */
export async function markDropping(filesDir: string, jobId: string, dropping: Dropping): Promise<void> {
  await writeFileAtomic(markOf(filesDir, jobId), JSON.stringify(dropping))
}

/** The schema stays, and so do the files. */
export async function unmarkDropping(filesDir: string, jobId: string): Promise<void> {
  await rm(markOf(filesDir, jobId), { force: true })
}

/** What a job's deletion waited for when it was interrupted; undefined: none was. */
export async function readDropping(filesDir: string, jobId: string): Promise<Dropping | undefined> {
  const path = markOf(filesDir, jobId)
  return existsSync(path) ? droppingSchema.parse(JSON.parse(await readFile(path, 'utf8'))) : undefined
}
