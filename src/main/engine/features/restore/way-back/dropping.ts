import { z } from 'zod'
import { diskOf, type UndoRoot, undoPlaces } from '../files/undo-journal.ts'

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

const markOf = (root: UndoRoot, jobId: string) => diskOf(root).join(undoPlaces(root, jobId).folder, MARK)

/** From here on, the kept files of a job go when the schema does. On the disk when it resolves. */
export async function markDropping(root: UndoRoot, jobId: string, dropping: Dropping): Promise<void> {
  await diskOf(root).writeAtomic(markOf(root, jobId), JSON.stringify(dropping))
}

/** The schema stays, and so do the files. */
export async function unmarkDropping(root: UndoRoot, jobId: string): Promise<void> {
  await diskOf(root).remove(markOf(root, jobId))
}

/** What a job's deletion waited for when it was interrupted; undefined: none was. */
export async function readDropping(root: UndoRoot, jobId: string): Promise<Dropping | undefined> {
  const text = await diskOf(root).readText(markOf(root, jobId))
  return text === null ? undefined : droppingSchema.parse(JSON.parse(text))
}
