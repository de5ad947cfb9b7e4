import { createReadStream, existsSync } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { syncFolder, writeFileAtomic } from '#engine/foundation/files/atomic.ts'
import { AppError } from '#shared/errors.ts'

const JOB_ID = /^[0-9A-Za-z-]{1,64}$/
const FOLDER = 'backup-desk-undo'
const JOURNAL = 'journal.jsonl'
const COMMITTED = 'committed'
const path = z.array(z.string().min(1).max(255)).max(32)
const area = z.enum(['media', 'config', 'security']).default('media')

/** Where files are restored: `archive` in the files folder, `priv` in the site's folder, the security folder. */
export type Area = z.infer<typeof area>

/** The folders of a site that a restore changes; those of its settings, never those of a journal. */
export interface SiteFolders {
  filesDir: string
  siteDir: string
  securityDir: string
}

export function areaFolder({ filesDir, siteDir, securityDir }: SiteFolders, of: Area): string {
  if (of === 'media') return join(filesDir, 'archive')
  return of === 'config' ? join(siteDir, 'priv') : securityDir
}

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
    /** The job whose changes this one takes back. */
    undoes: z.string().optional(),
  }),
  z.object({ type: z.literal('folder'), area, path }),
  z.object({ type: z.literal('add'), area, path, size: z.number(), seconds: z.number() }),
  z.object({ type: z.literal('replace'), area, path }),
  /** A file that went, kept like a replaced one: what an earlier job had added. */
  z.object({ type: z.literal('remove'), area, path }),
  /** A folder that goes once the whole job is in place, unless it holds something by then. */
  z.object({ type: z.literal('remove-folder'), area, path, mode: z.int() }),
  z.object({
    type: z.literal('committing'),
    backend: z.object({ pid: z.int(), startedAt: z.string() }),
    liveOid: z.number().nullable(),
  }),
])

export type UndoLine = z.output<typeof lineSchema>

/** The places that belong to the file changes of one job. */
export interface UndoPlaces {
  /** `backup-desk-undo/JOB`. */
  folder: string
  journal: string
  /** Files that were replaced, under their names: media, configuration, security files. */
  replaced: string
  replacedConfig: string
  replacedSecurity: string
  /** Files on their way into the media folder. */
  staged: string
}

export function undoPlaces(filesDir: string, jobId: string): UndoPlaces {
  if (!JOB_ID.test(jobId)) throw new AppError('bad-input', 'This is not the id of a job.')
  const folder = join(filesDir, FOLDER, jobId)
  return {
    folder,
    journal: join(folder, JOURNAL),
    replaced: join(folder, 'replaced'),
    replacedConfig: join(folder, 'replaced-config'),
    replacedSecurity: join(folder, 'replaced-security'),
    staged: join(folder, 'staged'),
  }
}

/** Where what was replaced in an area is kept. */
export function keptFolder(places: UndoPlaces, of: Area): string {
  if (of === 'media') return places.replaced
  return of === 'config' ? places.replacedConfig : places.replacedSecurity
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

/** Opens the journal of a job, which begins it when there is none yet. */
export async function openUndoJournal(filesDir: string, start: UndoLine & { type: 'start' }): Promise<UndoJournal> {
  const places = undoPlaces(filesDir, start.job)
  const isNew = !hasUndo(filesDir, start.job)
  for (const folder of [join(filesDir, FOLDER), places.folder, places.staged])
    await mkdir(folder, { recursive: true, mode: 0o700 })
  const journal = writerOn(await open(places.journal, 'a', 0o600))
  if (!isNew) return journal
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
  const input = createReadStream(journal)
  try {
    for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      if (text === '') continue
      const line = parse(text)
      if (line) yield line
    }
  } finally {
    // whoever needs the first lines alone leaves early
    input.destroy()
  }
}

/** What a journal says of its job as a whole. */
export interface UndoStart {
  site: string
  at: Date
  /** The schema that the same job replaces; null: files only. */
  schema: string | null
  /** The job whose changes it takes back; null: a restore. */
  undoes: string | null
}

/** Reads how a journal begins, whatever its length; null: without its first line nothing was done yet. */
export async function readUndoStart(filesDir: string, jobId: string): Promise<UndoStart | null> {
  for await (const line of readUndoJournal(filesDir, jobId)) {
    if (line.type === 'start') return { site: line.site, at: new Date(line.at), schema: line.schema, undoes: line.undoes ?? null }
  }
  return null
}

/** Reads a journal to its end, where the session is named that was about to commit; null: none was. */
export async function readCommitting(filesDir: string, jobId: string): Promise<(UndoLine & { type: 'committing' }) | null> {
  let found: (UndoLine & { type: 'committing' }) | null = null
  for await (const line of readUndoJournal(filesDir, jobId)) if (line.type === 'committing') found = line
  return found
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

export interface KeptFiles {
  /** Files that were replaced or went, and can be put back, and their bytes. */
  replaced: number
  bytes: number
  /** Such files whose former content is not there any more. */
  missing: number
  /** Files that were added. */
  added: number
}

/** What a job left that can be undone, by its journal and what lies there. */
export async function measureUndo(filesDir: string, jobId: string): Promise<KeptFiles> {
  const kept: KeptFiles = { replaced: 0, bytes: 0, missing: 0, added: 0 }
  const places = undoPlaces(filesDir, jobId)
  for await (const line of readUndoJournal(filesDir, jobId)) {
    if (line.type === 'add') kept.added += 1
    if (line.type !== 'replace' && line.type !== 'remove') continue
    const facts = await lstat(join(keptFolder(places, line.area), ...line.path)).catch(() => null)
    if (facts?.isFile()) {
      kept.replaced += 1
      kept.bytes += facts.size
    } else kept.missing += 1
  }
  return kept
}

/** Forgets what could be undone. */
export async function removeUndo(filesDir: string, jobId: string): Promise<void> {
  const { folder, staged, replaced, replacedConfig, replacedSecurity } = undoPlaces(filesDir, jobId)
  // the journal goes last: without it nobody would know whose files these are
  for (const inside of [staged, replaced, replacedConfig, replacedSecurity]) await rm(inside, { recursive: true, force: true })
  await rm(folder, { recursive: true, force: true })
}
