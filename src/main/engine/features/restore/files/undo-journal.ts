import { z } from 'zod'
import { AppError } from '#shared/errors.ts'
import { InFlight } from './in-flight.ts'
import { type DiskAppender, localDisk, type SiteDisk } from './site-disk.ts'

const JOB_ID = /^[0-9A-Za-z-]{1,64}$/
const FOLDER = 'backup-desk-undo'
const JOURNAL = 'journal.jsonl'
const COMMITTED = 'committed'
const LOOKS_AT_ONCE = 16
const path = z.array(z.string().min(1).max(255)).max(32)
const area = z.enum(['media', 'config', 'security']).default('media')

/** Where files are restored: `archive` in the files folder, `priv` in the site's folder, the security folder. */
export type Area = z.infer<typeof area>

/** The folders of a site that a restore changes; those of its settings, never those of a journal. */
export interface SiteFolders {
  filesDir: string
  siteDir: string
  securityDir: string
  /** Default: that of this computer. */
  disk?: SiteDisk
}

/** Where what can be undone is kept. */
export type UndoRoot = Pick<SiteFolders, 'filesDir' | 'disk'>

export function diskOf({ disk }: Pick<SiteFolders, 'disk'>): SiteDisk {
  return disk ?? localDisk
}

export function areaFolder(folders: SiteFolders, of: Area): string {
  const { join } = diskOf(folders)
  if (of === 'media') return join(folders.filesDir, 'archive')
  return of === 'config' ? join(folders.siteDir, 'priv') : folders.securityDir
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
  /** A dump for the time that a server loads it. */
  dump: string
}

export function undoPlaces(root: UndoRoot, jobId: string): UndoPlaces {
  if (!JOB_ID.test(jobId)) throw new AppError('bad-input', 'This is not the id of a job.')
  const { join } = diskOf(root)
  const folder = join(root.filesDir, FOLDER, jobId)
  return {
    folder,
    journal: join(folder, JOURNAL),
    replaced: join(folder, 'replaced'),
    replacedConfig: join(folder, 'replaced-config'),
    replacedSecurity: join(folder, 'replaced-security'),
    staged: join(folder, 'staged'),
    dump: join(folder, 'dump'),
  }
}

/** Where what was replaced in an area is kept. */
export function keptFolder(places: UndoPlaces, of: Area): string {
  if (of === 'media') return places.replaced
  return of === 'config' ? places.replacedConfig : places.replacedSecurity
}

/** Jobs that left something to undo, oldest first. */
export async function listUndoJobs(root: UndoRoot): Promise<string[]> {
  const disk = diskOf(root)
  const names = await disk.names(disk.join(root.filesDir, FOLDER))
  return names.filter((name) => JOB_ID.test(name)).sort()
}

export interface UndoJournal {
  /** Resolves when the lines are on the disk. */
  append(lines: readonly UndoLine[]): Promise<void>
  close(): Promise<void>
}

/** Opens the journal of a job, which begins it when there is none yet. */
export async function openUndoJournal(root: UndoRoot, start: UndoLine & { type: 'start' }): Promise<UndoJournal> {
  const disk = diskOf(root)
  const places = undoPlaces(root, start.job)
  const isNew = !(await hasUndo(root, start.job))
  await disk.makeFolders(places.staged)
  const journal = writerOn(await disk.openAppender(places.journal))
  if (!isNew) return journal
  await journal.append([start])
  await disk.syncFolder(places.folder)
  await disk.syncFolder(disk.join(root.filesDir, FOLDER))
  return journal
}

/** Adds lines to a journal that is there. */
export async function appendToUndoJournal(root: UndoRoot, jobId: string, lines: readonly UndoLine[]): Promise<void> {
  const journal = writerOn(await diskOf(root).openAppender(undoPlaces(root, jobId).journal))
  try {
    await journal.append(lines)
  } finally {
    await journal.close()
  }
}

function writerOn(file: DiskAppender): UndoJournal {
  return {
    // a line that a crash cut short stays alone on its line
    append: (lines) => file.append(lines.map((line) => `\n${JSON.stringify(line)}\n`).join('')),
    close: () => file.close(),
  }
}

/** Reads a journal line by line; a line that was cut short told of nothing that was done yet. */
export async function* readUndoJournal(root: UndoRoot, jobId: string): AsyncGenerator<UndoLine> {
  if (!(await hasUndo(root, jobId))) return
  for await (const text of diskOf(root).lines(undoPlaces(root, jobId).journal)) {
    if (text === '') continue
    const line = parse(text)
    if (line) yield line
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
export async function readUndoStart(root: UndoRoot, jobId: string): Promise<UndoStart | null> {
  for await (const line of readUndoJournal(root, jobId)) {
    if (line.type === 'start') return { site: line.site, at: new Date(line.at), schema: line.schema, undoes: line.undoes ?? null }
  }
  return null
}

/** Reads a journal to its end, where the session is named that was about to commit; null: none was. */
export async function readCommitting(root: UndoRoot, jobId: string): Promise<(UndoLine & { type: 'committing' }) | null> {
  let found: (UndoLine & { type: 'committing' }) | null = null
  for await (const line of readUndoJournal(root, jobId)) if (line.type === 'committing') found = line
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
export async function hasUndo(root: UndoRoot, jobId: string): Promise<boolean> {
  return (await diskOf(root).facts(undoPlaces(root, jobId).journal)) !== null
}

/** The whole restore is in place: nothing is undone by itself any more. */
export async function markCommitted(root: UndoRoot, jobId: string): Promise<void> {
  const disk = diskOf(root)
  await disk.writeAtomic(disk.join(undoPlaces(root, jobId).folder, COMMITTED), '')
}

export async function isCommitted(root: UndoRoot, jobId: string): Promise<boolean> {
  const disk = diskOf(root)
  return (await disk.facts(disk.join(undoPlaces(root, jobId).folder, COMMITTED))) !== null
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
export async function measureUndo(root: UndoRoot, jobId: string): Promise<KeptFiles> {
  const kept: KeptFiles = { replaced: 0, bytes: 0, missing: 0, added: 0 }
  const disk = diskOf(root)
  const places = undoPlaces(root, jobId)
  const looks = new InFlight(LOOKS_AT_ONCE, Number.POSITIVE_INFINITY)
  const look = async (path: string) => {
    const facts = await disk.facts(path)
    if (facts?.kind === 'file') {
      kept.replaced += 1
      kept.bytes += facts.size
    } else kept.missing += 1
  }
  try {
    for await (const line of readUndoJournal(root, jobId)) {
      if (line.type === 'add') kept.added += 1
      if (line.type !== 'replace' && line.type !== 'remove') continue
      await looks.start(0, () => look(disk.join(keptFolder(places, line.area), ...line.path)))
    }
    await looks.drain()
  } finally {
    await looks.settle()
  }
  return kept
}

/** Forgets what could be undone. */
export async function removeUndo(root: UndoRoot, jobId: string): Promise<void> {
  const disk = diskOf(root)
  const { folder, staged, dump, replaced, replacedConfig, replacedSecurity } = undoPlaces(root, jobId)
  // the journal goes last: without it nobody would know whose files these are
  for (const inside of [staged, dump, replaced, replacedConfig, replacedSecurity]) await disk.removeTree(inside)
  await disk.removeTree(folder)
}
