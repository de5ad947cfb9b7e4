import { type FileHandle, open, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { type Job, type JobLogLine, jobSchema } from '#shared/model/job.ts'

/** A journal over this size is read no further: no job of ours writes that much. */
const MAX_JOURNAL_BYTES = 64 * 1024 * 1024
const KEPT_JOURNALS = 500

export const jobOwnerSchema = z.object({ pid: z.int(), start: z.string().nullable() })

/** One line of `jobs/ID.jsonl`. */
const lineSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('created'), at: z.string(), owner: jobOwnerSchema, job: jobSchema }),
  /** The whole job as it stands: at each change of state, at each step, and now and then in between. */
  z.object({ type: z.literal('job'), at: z.string(), job: jobSchema }),
  z.object({ type: z.literal('log'), at: z.string(), text: z.string() }),
  z.object({
    type: z.literal('step'),
    at: z.string(),
    step: z.string(),
    name: z.string(),
    event: z.enum(['started', 'done', 'failed']),
  }),
])

export type JournalLine = z.infer<typeof lineSchema>

export interface JournalContent {
  owner: z.infer<typeof jobOwnerSchema>
  job: Job
  log: JobLogLine[]
}

/** Writes one job's journal, line after line. */
export interface JournalWriter {
  /** @param sync waits until the line is on the disk */
  append(line: JournalLine, sync: boolean): Promise<void>
  close(): Promise<void>
}

const ID = /^[0-9A-Za-z-]{1,64}$/

export function journalPath(folder: string, id: string): string {
  if (!ID.test(id)) throw new Error('Not a job id')
  return join(folder, `${id}.jsonl`)
}

export async function createJournal(folder: string, id: string): Promise<JournalWriter> {
  const handle: FileHandle = await open(journalPath(folder, id), 'ax', 0o600)
  return writerOn(handle)
}

/** Adds one line to the journal of a job that is over. */
export async function appendToJournal(folder: string, id: string, line: JournalLine): Promise<void> {
  const writer = writerOn(await open(journalPath(folder, id), 'a', 0o600))
  await writer.append(line, true)
  await writer.close()
}

function writerOn(handle: FileHandle): JournalWriter {
  let queue: Promise<void> = Promise.resolve()
  return {
    append(line, sync) {
      const next = queue.then(async () => {
        await handle.appendFile(`${JSON.stringify(line)}\n`)
        if (sync) await handle.sync()
      })
      queue = next.catch(() => {})
      return next
    },
    async close() {
      await queue
      await handle.close()
    },
  }
}

/**
 * Reads a journal. A last line that a crash cut short is left out.
 * @returns null when there is no such journal or it does not start like one
 */
export async function readJournal(folder: string, id: string): Promise<JournalContent | null> {
  const path = journalPath(folder, id)
  const size = (await stat(path).catch(() => null))?.size
  if (size === undefined || size > MAX_JOURNAL_BYTES) return null
  let content: JournalContent | null = null
  for (const text of (await readFile(path, 'utf8')).split('\n')) {
    const line = parseLine(text)
    if (!line) continue
    if (line.type === 'created') content = { owner: line.owner, job: line.job, log: [] }
    else if (content && line.type === 'job') content.job = line.job
    else if (content && line.type === 'log') content.log.push({ at: line.at, text: line.text })
  }
  return content
}

function parseLine(text: string): JournalLine | null {
  if (!text) return null
  try {
    return lineSchema.safeParse(JSON.parse(text)).data ?? null
  } catch {
    return null
  }
}

/** Ids of all journals, newest first. */
export async function listJournals(folder: string): Promise<string[]> {
  const names = await readdir(folder)
  return names
    .filter((name) => name.endsWith('.jsonl'))
    .map((name) => name.slice(0, -'.jsonl'.length))
    .filter((id) => ID.test(id))
    .sort()
    .reverse()
}

/** Journals beyond the newest 500 go. */
export async function pruneJournals(folder: string): Promise<void> {
  for (const id of (await listJournals(folder)).slice(KEPT_JOURNALS)) await rm(journalPath(folder, id), { force: true })
}
