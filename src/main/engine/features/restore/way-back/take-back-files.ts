import { removeEmptied } from '../files/remove-emptied.ts'
import { PlaceFinder, safeParts } from '../files/safe-path.ts'
import type { SiteDisk } from '../files/site-disk.ts'
import {
  type Area,
  areaFolder,
  diskOf,
  keptFolder,
  openUndoJournal,
  readUndoJournal,
  removeUndo,
  type SiteFolders,
  type UndoJournal,
  type UndoLine,
  undoPlaces,
} from '../files/undo-journal.ts'

/** Changes that are made ready before they are made together, which takes one sync of the journal. */
const BATCH = 200

export interface TakeBackRequest {
  folders: SiteFolders
  jobId: string
  site: string
  /** The job whose changes are taken back. */
  undoes: string
  /** The schema that the same job replaces; null: files only. */
  schema: string | null
  signal: AbortSignal
  onFile?: () => void
}

export interface TakenBack {
  /** Files that came back. */
  putBack: number
  /** Files that the restore had added; they are set aside. */
  removed: number
  /** Added files that were changed since, and stay. */
  left: number
  /** Files whose former content is not there any more. */
  missing: number
}

type Change = { area: Area; parts: string[] } & (
  | { kind: 'folder' | 'remove-folder'; mode: number }
  | { kind: 'remove' }
  | { kind: 'add' | 'replace'; kept: string; size: number; seconds: number }
)

type FileLine = Exclude<UndoLine, { type: 'start' | 'committing' }>

/**
 * Puts a site's files back as they were before a job changed them, and sets aside what they are now: the new journal is
 * to the old one what undo is to redo. What was set aside before stays in its place until {@link finishTakingBack}, so
 * that `undoFiles` of the new job brings everything back as it was, also after a crash.
 * Source: docs/formats.md, "Going back".
 */
export async function takeBackFiles(request: TakeBackRequest): Promise<TakenBack> {
  const { folders, jobId, site, schema, undoes, signal } = request
  const start = { type: 'start', version: 1, job: jobId, site, at: new Date().toISOString(), schema, undoes } as const
  const journal = await openUndoJournal(folders, start)
  const taking = new TakingBack(request, journal)
  try {
    for await (const line of readUndoJournal(folders, undoes)) {
      signal.throwIfAborted()
      if (line.type !== 'start' && line.type !== 'committing') await taking.take(line)
    }
    return await taking.finish()
  } finally {
    await journal.close()
  }
}

/** Once the whole undo is in place: what it took back is forgotten. May be repeated, also after a crash in the middle. */
export async function finishTakingBack(folders: SiteFolders, jobId: string): Promise<void> {
  const disk = diskOf(folders)
  let undoes: string | null = null
  const made: string[] = []
  for await (const line of readUndoJournal(folders, jobId)) {
    if (line.type === 'start') undoes = line.undoes ?? null
    if (line.type === 'remove-folder') made.push(disk.join(areaFolder(folders, line.area), ...partsOf(line)))
  }
  await removeEmptied(made, disk)
  await disk.removeTree(undoPlaces(folders, jobId).staged)
  if (undoes !== null) await removeUndo(folders, undoes)
}

class TakingBack {
  readonly #result: TakenBack = { putBack: 0, removed: 0, left: 0, missing: 0 }
  readonly #request: TakeBackRequest
  readonly #journal: UndoJournal
  readonly #disk: SiteDisk
  readonly #finders: Record<Area, PlaceFinder>
  readonly #touched = new Set<Area>()
  #batch: Change[] = []
  #number = 0

  constructor(request: TakeBackRequest, journal: UndoJournal) {
    this.#request = request
    this.#journal = journal
    const { folders } = request
    const disk = diskOf(folders)
    this.#disk = disk
    this.#finders = {
      media: new PlaceFinder(areaFolder(folders, 'media'), 'media', disk),
      config: new PlaceFinder(areaFolder(folders, 'config'), 'config', disk),
      security: new PlaceFinder(areaFolder(folders, 'security'), 'config', disk),
    }
  }

  async take(line: FileLine): Promise<void> {
    const { area } = line
    const parts = partsOf(line)
    const standing = await this.#finders[area].look(parts)
    const path = this.#pathOf({ area, parts })
    if (line.type === 'folder') {
      const facts = await this.#disk.facts(path)
      if (facts?.kind === 'folder') this.#batch.push({ kind: 'remove-folder', area, parts, mode: facts.mode & 0o777 })
    } else if (line.type === 'remove-folder') {
      if ((await this.#disk.facts(path)) === null) this.#batch.push({ kind: 'folder', area, parts, mode: line.mode })
    } else if (line.type === 'add') {
      if (standing === 'file') await this.#takeAway(path, area, parts, line)
    } else if (standing === 'file' || standing === 'nothing') await this.#bringBack(area, parts, standing === 'file')
    else this.#result.left += 1
    if (this.#batch.length >= BATCH) await this.#flush()
  }

  /** Everything is in its place and on the disk. */
  async finish(): Promise<TakenBack> {
    await this.#flush()
    // what came back was on the disk before: only the folders' entries are new
    for (const area of this.#touched) {
      await this.#disk.makeDurable(areaFolder(this.#request.folders, area), nothing(), this.#request.signal)
    }
    return this.#result
  }

  async #takeAway(path: string, area: Area, parts: string[], added: { size: number; seconds: number }): Promise<void> {
    const facts = await this.#disk.facts(path)
    const isAsAdded = facts?.size === added.size && facts.seconds === added.seconds
    if (isAsAdded) this.#batch.push({ kind: 'remove', area, parts })
    else this.#result.left += 1
  }

  async #bringBack(area: Area, parts: string[], isThere: boolean): Promise<void> {
    const { folders, undoes } = this.#request
    const kept = this.#disk.join(keptFolder(undoPlaces(folders, undoes), area), ...parts)
    const facts = await this.#disk.facts(kept)
    if (facts?.kind !== 'file') {
      this.#result.missing += 1
      return
    }
    for (let depth = 1; depth < parts.length && !isThere; depth += 1) await this.#needFolder(area, parts.slice(0, depth))
    const { seconds } = facts
    this.#batch.push({ kind: isThere ? 'replace' : 'add', area, parts, kept, size: facts.size, seconds })
  }

  async #needFolder(area: Area, parts: string[]): Promise<void> {
    const key = parts.join('/')
    const isPlanned = this.#batch.some((change) => change.area === area && change.parts.join('/') === key)
    if (isPlanned || (await this.#finders[area].look(parts)) !== 'nothing') return
    this.#batch.push({ kind: 'folder', area, parts, mode: area === 'security' ? 0o700 : 0o755 })
  }

  /** First what comes back is ready on the disk, then the journal, then it happens. */
  async #flush(): Promise<void> {
    const batch = this.#batch
    this.#batch = []
    if (batch.length === 0) return
    const { folders, jobId, signal, onFile } = this.#request
    const staged = new Map<Change, string>()
    for (const change of batch) {
      this.#touched.add(change.area)
      if (change.kind !== 'add' && change.kind !== 'replace') continue
      this.#number += 1
      const path = this.#disk.join(undoPlaces(folders, jobId).staged, String(this.#number))
      await this.#disk.secondName(change.kept, path)
      staged.set(change, path)
    }
    await this.#journal.append(batch.map(lineOf))
    for (const change of batch) {
      signal.throwIfAborted()
      await this.#make(change, staged.get(change) ?? '')
      onFile?.()
    }
  }

  async #make(change: Change, staged: string): Promise<void> {
    const { folders, jobId } = this.#request
    const path = this.#pathOf(change)
    if (change.kind === 'remove-folder') return
    if (change.kind === 'folder') {
      await makeFolder(this.#disk, path, change.mode)
      return
    }
    if (change.kind !== 'add') {
      const aside = this.#disk.join(keptFolder(undoPlaces(folders, jobId), change.area), ...change.parts)
      await this.#disk.makeFolders(this.#disk.join(aside, '..'))
      if (change.kind === 'replace') await this.#disk.keep(path, aside)
      else await this.#disk.move(path, aside, `${aside}.part`)
    }
    if (change.kind === 'remove') {
      this.#result.removed += 1
      return
    }
    await this.#disk.move(staged, path, `${path}.${jobId}.part`)
    this.#result.putBack += 1
  }

  #pathOf({ area, parts }: { area: Area; parts: string[] }): string {
    return this.#disk.join(this.#finders[area].root, ...parts)
  }
}

function partsOf({ area, path }: FileLine): string[] {
  return path.length === 0 ? [] : safeParts(path.join('/'), area === 'media' ? 'media' : 'config')
}

function lineOf(change: Change): UndoLine {
  const { kind, area, parts: path } = change
  if (kind === 'add') return { type: kind, area, path, size: change.size, seconds: change.seconds }
  if (kind === 'remove-folder') return { type: kind, area, path, mode: change.mode }
  return { type: kind, area, path }
}

/** With the owner of the folder that it is in. */
async function makeFolder(disk: SiteDisk, path: string, mode: number): Promise<void> {
  const above = await disk.target(disk.join(path, '..'))
  const isRoot = (await disk.user())?.uid === 0
  await disk.makeFolder(path, { mode: mode | 0o700, owner: above && isRoot ? { uid: above.uid, gid: above.gid } : null })
}

async function* nothing(): AsyncGenerator<string> {}
