import { chmod, chown, mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Workers } from '#engine/foundation/workers.ts'
import { type ArchiveKind, placeError } from './archive-error.ts'
import { InFlight } from './in-flight.ts'
import { keepFile, moveFile, partBeside } from './move-file.ts'
import { standingAt } from './safe-path.ts'
import { type Area, keptFolder, type UndoJournal, type UndoLine, type UndoRoot, undoPlaces } from './undo-journal.ts'
import type { AddOutcome } from './write-tasks.ts'

const MOVES_AT_ONCE = 12
const KNOWN_FOLDERS = 50_000

/** Whose a new file or folder is. `owner` null: of whoever runs this. */
export interface Likeness {
  mode: number
  owner: { uid: number; gid: number } | null
}

/** What a writer writes below, and for whom. */
export interface WriterRequest extends UndoRoot {
  area: Area
  kind: ArchiveKind
  /** The area's folder. */
  root: string
  /** Makes the area's folder when it is missing; else it must be there. */
  rootLike?: Likeness
  jobId: string
  site: string
  /** The schema that the same job replaces; null: none. */
  schema: string | null
  workers: Workers
  signal: AbortSignal
  /** Of content that was dealt with. */
  onBytes?: (bytes: number) => void
  /** Files of a server that are known to have the archive's content; by path below the area's folder. */
  same?: ReadonlySet<string>
}

/** A complete file on its way to its place. */
export interface StagedFile {
  parts: string[]
  path: string
  staged: string
  isReplacing: boolean
  size: number
  /** Of its time of change. */
  seconds: number
}

export interface NewFolder {
  parts: string[]
  like: Likeness
}

/** Puts complete files in their places: first the journal is on the disk, then it happens. */
export class Placement {
  readonly #request: WriterRequest
  readonly #journal: UndoJournal
  readonly #keptFolders = new Set<string>()
  added = 0
  replaced = 0

  constructor(request: WriterRequest, journal: UndoJournal) {
    this.#request = request
    this.#journal = journal
  }

  async put(files: readonly StagedFile[], folders: readonly NewFolder[]): Promise<void> {
    if (files.length + folders.length === 0) return
    const { area } = this.#request
    await this.#journal.append([
      ...folders.map(({ parts }): UndoLine => ({ type: 'folder', area, path: parts })),
      ...files.map(
        ({ parts, isReplacing, size, seconds }): UndoLine =>
          isReplacing ? { type: 'replace', area, path: parts } : { type: 'add', area, path: parts, size, seconds },
      ),
    ])
    for (const folder of folders) await this.#makeFolder(folder)
    this.#request.signal.throwIfAborted()
    await this.#add(files.filter(({ isReplacing }) => !isReplacing))
    const moves = new InFlight(MOVES_AT_ONCE, Number.POSITIVE_INFINITY)
    try {
      for (const file of files) if (file.isReplacing) await moves.start(0, () => this.#replace(file))
      await moves.drain()
    } finally {
      await moves.settle()
    }
  }

  async #makeFolder({ parts, like }: NewFolder): Promise<void> {
    const { root, kind } = this.#request
    const folder = join(root, ...parts)
    try {
      await makeFolder(folder, like)
    } catch (error) {
      // the site may have made it meanwhile
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      if ((await standingAt(folder)) !== 'folder') throw placeError(kind, folder, 'is no folder, but one in the backup.')
    }
  }

  async #add(files: readonly StagedFile[]): Promise<void> {
    if (files.length === 0) return
    this.added += files.length
    const { workers, kind, jobId } = this.#request
    const outcomes = await workers.run<AddOutcome[]>(
      'restore.add',
      files.map(({ path, staged }) => ({ path, staged })),
    )
    for (const [at, { path, staged }] of files.entries()) {
      if (outcomes[at] === 'there') throw placeError(kind, path, 'appeared while the backup was restored.')
      if (outcomes[at] === 'other-disk') await moveFile(staged, path, partBeside(path, jobId))
    }
  }

  async #replace({ parts, path, staged }: StagedFile): Promise<void> {
    this.#request.signal.throwIfAborted()
    const { jobId, area } = this.#request
    const kept = join(keptFolder(undoPlaces(this.#request, jobId), area), ...parts)
    await this.#makeKeptFolder(dirname(kept))
    this.replaced += 1
    await keepFile(path, kept)
    await moveFile(staged, path, partBeside(path, jobId))
  }

  async #makeKeptFolder(folder: string): Promise<void> {
    if (this.#keptFolders.has(folder)) return
    await mkdir(folder, { recursive: true, mode: 0o700 })
    if (this.#keptFolders.size >= KNOWN_FOLDERS) this.#keptFolders.clear()
    this.#keptFolders.add(folder)
  }
}

/** @throws the system's error, EEXIST when there is something */
export async function makeFolder(folder: string, like: Likeness): Promise<void> {
  await mkdir(folder, { mode: 0o700 })
  if (like.owner) await chown(folder, like.owner.uid, like.owner.gid)
  await chmod(folder, like.mode)
}
