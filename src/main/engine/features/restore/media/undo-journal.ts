import { createReadStream, existsSync } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { syncFolder, writeFileAtomic } from '#engine/foundation/files/atomic.ts'
import { AppError } from '#shared/errors.ts'

const JOB_ID = /^[0-9A-Za-z-]{1,64}$/
const FOLDER = 'backup-desk-undo'
const JOURNAL = 'journal.jsonl'
const COMMITTED = 'committed'
const path = z.array(z.string().min(1).max(255)).min(1).max(32)

/** One line of `backup-desk-undo/JOB/journal.jsonl`, on the disk before what it tells of is done. */
const lineSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('start'),
    version: z.literal(1),
    job: z.string(),
    site: z.string(),
    at: z.string(),
    /** The schema that is replaced by the same job; null: media only. */
    schema: z.string().nullable(),
    /** The name under which that schema is kept; absent in older journals. */
    keptSchema: z.string().nullable().optional(),
    /** The job whose changes this one takes back. */
    undoes: z.string().optional(),
  }),
  z.object({ type: z.literal('folder'), path }),
  z.object({ type: z.literal('add'), path, size: z.number(), seconds: z.number() }),
  z.object({ type: z.literal('replace'), path }),
  z.object({
    type: z.literal('committing'),
    backend: z.object({ pid: z.int(), startedAt: z.string() }),
    liveOid: z.number().nullable(),
  }),
])

export type UndoLine = z.infer<typeof lineSchema>

/** The places that belong to the media changes of one job. */
export interface UndoPlaces {
  /** `backup-desk-undo/JOB`. */
  folder: string
  journal: string
  /** Files that were replaced, under their names. */
  replaced: string
  /** Files on their way into the media folder. */
  staged: string
}

export function undoPlaces(filesDir: string, jobId: string): UndoPlaces {
  if (!JOB_ID.test(jobId)) throw new AppError('bad-input', 'This is not the id of a job.')
  const folder = join(filesDir, FOLDER, jobId)
  return { folder, journal: join(folder, JOURNAL), replaced: join(folder, 'replaced'), staged: join(folder, 'staged') }
}

/** Jobs that left something to undo, oldest first. */
export async function listUndoJobs(filesDir: string): Promise<string[]> {
  const names = await readdir(join(filesDir, FOLDER)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  return names.filter((name) => JOB_ID.test(name)).sort()
}

export interface UndoJournal {
  /** Resolves when the lines are on the disk. */
  append(lines: readonly UndoLine[]): Promise<void>
  close(): Promise<void>
}

/** Begins the journal of a job. @throws when there is one already */
export async function createUndoJournal(filesDir: string, start: UndoLine & { type: 'start' }): Promise<UndoJournal> {
  const places = undoPlaces(filesDir, start.job)
  await mkdir(join(filesDir, FOLDER), { recursive: true, mode: 0o700 })
  await mkdir(places.folder, { mode: 0o700 })
  await mkdir(places.replaced, { mode: 0o700 })
  await mkdir(places.staged, { mode: 0o700 })
  const journal = writerOn(await open(places.journal, 'ax', 0o600))
  await journal.append([start])
  await syncFolder(places.folder)
  await syncFolder(join(filesDir, FOLDER))
  return journal
}

/** Adds lines to a journal that is there. */
export async function appendToUndoJournal(filesDir: string, jobId: string, lines: readonly UndoLine[]): Promise<void> {
  const journal = writerOn(await open(undoPlaces(filesDir, jobId).journal, 'a'))
  try {
    await journal.append(lines)
  } finally {
    await journal.close()
  }
}

function writerOn(handle: FileHandle): UndoJournal {
  return {
    async append(lines) {
      // a line that a crash cut short stays alone on its line
      await handle.appendFile(lines.map((line) => `\n${JSON.stringify(line)}\n`).join(''))
      await handle.sync()
    },
    close: () => handle.close(),
  }
}

/** Reads a journal line by line; a line that was cut short told of nothing that was done yet. */
export async function* readUndoJournal(filesDir: string, jobId: string): AsyncGenerator<UndoLine> {
  const { journal } = undoPlaces(filesDir, jobId)
  if (!hasUndo(filesDir, jobId)) return
  for await (const text of createInterface({ input: createReadStream(journal), crlfDelay: Number.POSITIVE_INFINITY })) {
    if (text === '') continue
    const line = parse(text)
    if (line) yield line
  }
}

function parse(text: string): UndoLine | null {
  try {
    return lineSchema.safeParse(JSON.parse(text)).data ?? null
  } catch {
    return null
  }
}

/** Whether a job left something that can be undone. */
export function hasUndo(filesDir: string, jobId: string): boolean {
  return existsSync(undoPlaces(filesDir, jobId).journal)
}

/** The whole restore is in place: nothing is undone by itself any more. */
export async function markCommitted(filesDir: string, jobId: string): Promise<void> {
  await writeFileAtomic(join(undoPlaces(filesDir, jobId).folder, COMMITTED), '')
}

export function isCommitted(filesDir: string, jobId: string): boolean {
  return existsSync(join(undoPlaces(filesDir, jobId).folder, COMMITTED))
}

/** Forgets what could be undone. */
export async function removeUndo(filesDir: string, jobId: string): Promise<void> {
  const { folder, staged, replaced } = undoPlaces(filesDir, jobId)
  // the journal goes last: without it nobody would know whose files these are
  await rm(staged, { recursive: true, force: true })
  await rm(replaced, { recursive: true, force: true })
  await rm(folder, { recursive: true, force: true })
}
