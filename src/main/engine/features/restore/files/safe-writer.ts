import type { FileHandle } from 'node:fs/promises'
import { mkdir, open, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { TarEntry } from '#engine/foundation/content/read-tar.ts'
import { writeAll } from '#engine/foundation/files/write-all.ts'
import { AppError } from '#shared/errors.ts'
import { formatBytes } from '#shared/format.ts'
import { placeError } from './archive-error.ts'
import { compareContent } from './compare.ts'
import { InFlight } from './in-flight.ts'
import { makeDurable } from './make-durable.ts'
import { type Likeness, makeFolder, type NewFolder, Placement, type StagedFile, type WriterRequest } from './put-in-place.ts'
import { PlaceFinder, type Standing, standingAt } from './safe-path.ts'
import { SMALL_BYTES, SmallFiles } from './small-files.ts'
import {
  type Area,
  openUndoJournal,
  readUndoJournal,
  removeUndo,
  type UndoJournal,
  type UndoRoot,
  undoPlaces,
} from './undo-journal.ts'

/** Batches of small files that are with worker threads, or wait for one. */
const BATCHES_AT_ONCE = 4
/** Files that are made ready before they are put in place together, which takes one sync of the journal. */
const BATCH_FILES = 256
const BATCH_BYTES = 64 * 1024 * 1024
const KNOWN_FOLDERS = 50_000

export interface WriteCounts {
  added: number
  replaced: number
  same: number
  bytes: number
}

/**
 * Writes files below a folder in a way that can be taken back: equal files stay, different ones are first moved to
 * `backup-desk-undo/JOB/`, and everything is in the journal there, on the disk, before it is done. A reader finds what was there
 * or the whole new file. On an error what was done so far stays, to be undone. Source: docs/formats.md, "Restoring files".
 */
export class SafeWriter {
  readonly #request: WriterRequest
  readonly #journal: UndoJournal
  readonly #finder: PlaceFinder
  readonly #free: number
  readonly #small: SmallFiles
  readonly #writes = new InFlight(BATCHES_AT_ONCE, Number.POSITIVE_INFINITY)
  readonly #placement: Placement
  /** Folders that are there, or will be before anything is put in them. */
  readonly #promised = new Map<string, 'old' | 'new'>()
  #lastFolder = ''
  #folders: NewFolder[] = []
  #batch: StagedFile[] = []
  #begun = { files: 0, bytes: 0 }
  #putting: Promise<void> = Promise.resolve()
  #number = 0
  #same = 0
  #bytes = 0
  #claimed = 0

  private constructor(request: WriterRequest, journal: UndoJournal, free: number) {
    this.#request = request
    this.#journal = journal
    this.#placement = new Placement(request, journal)
    this.#finder = new PlaceFinder(request.root, request.kind)
    this.#small = new SmallFiles(request.workers)
    this.#free = free
  }

  static async open(request: WriterRequest): Promise<SafeWriter> {
    const { jobId, site, schema, root, rootLike, area } = request
    const start = { type: 'start', version: 1, job: jobId, site, at: new Date().toISOString(), schema } as const
    const journal = await openUndoJournal(request, start)
    try {
      if (rootLike && (await standingAt(root)) === 'nothing') {
        await journal.append([{ type: 'folder', area, path: [] }])
        await makeFolder(root, rootLike)
      }
      await mkdir(stagedFolder(request), { recursive: true, mode: 0o700 })
      const disk = await statfs(root)
      // some network file systems do not tell
      const free = disk.blocks === 0 ? Number.POSITIVE_INFINITY : disk.bavail * disk.bsize
      return new SafeWriter(request, journal, free)
    } catch (error) {
      await journal.close()
      throw error
    }
  }

  /** A folder of the archive; one that is there stays as it is. */
  async folder(parts: string[], like: Likeness): Promise<void> {
    await this.#needFolders(parts, like)
    await this.#flushWhenFull()
  }

  /**
   * A file of the archive. Its content is read before this resolves; small files are still being written then.
   * @param like of the file; folders that it needs are made like `folderLike`
   */
  async file(parts: string[], entry: TarEntry, like: Likeness, folderLike: Likeness): Promise<void> {
    if (parts.length > 1) await this.#needFolders(parts.slice(0, -1), folderLike)
    this.#begun.files += 1
    this.#begun.bytes += entry.size
    this.#request.signal.throwIfAborted()
    if (entry.size <= SMALL_BYTES) await this.#gatherSmall(parts, entry, like)
    else await this.#takeLarge(parts, entry, like)
    await this.#flushWhenFull()
  }

  /** Everything is in place and on the disk. */
  async finish(): Promise<WriteCounts> {
    await this.#flush()
    await this.#putting
    const { jobId, root, area, signal } = this.#request
    const { added, replaced } = this.#placement
    if (added + replaced > 0) await makeDurable(root, writtenFiles(this.#request, jobId, area, root), signal)
    await rm(stagedFolder(this.#request), { recursive: true, force: true })
    return { added, replaced, same: this.#same, bytes: this.#bytes }
  }

  /** Returns when nothing is written any more. With nothing changed there is nothing to undo. */
  async close(): Promise<void> {
    await this.#writes.settle()
    await this.#putting.catch(() => {})
    await this.#journal.close()
    const { jobId } = this.#request
    for await (const { type } of readUndoJournal(this.#request, jobId)) if (type !== 'start') return
    await removeUndo(this.#request, jobId)
  }

  async #needFolders(parts: string[], like: Likeness): Promise<void> {
    const key = parts.join('/')
    if (key === this.#lastFolder) return
    for (let depth = 1; depth <= parts.length; depth += 1) {
      const above = parts.slice(0, depth)
      const aboveKey = above.join('/')
      if (this.#promised.has(aboveKey)) continue
      const isThere = await this.#finder.hasFolder(above)
      if (!isThere) this.#folders.push({ parts: above, like })
      if (this.#promised.size >= KNOWN_FOLDERS) this.#promised.clear()
      this.#promised.set(aboveKey, isThere ? 'old' : 'new')
    }
    this.#lastFolder = key
  }

  async #gatherSmall(parts: string[], entry: TarEntry, like: Likeness): Promise<void> {
    if (!this.#small.hasRoom(entry.size)) await this.#sendSmall()
    const places = { parts, path: join(this.#request.root, ...parts), staged: this.#nextStaged() }
    await this.#small.add({ ...places, like, modified: timeOf(entry), mayBeThere: this.#mayBeThere(parts) }, entry)
  }

  async #sendSmall(): Promise<void> {
    const batch = this.#small.take()
    if (!batch) return
    await this.#writes.start(batch.bytes, async () => {
      for (const { file, outcome } of await batch.stage()) {
        const { parts, path, staged, size, modified } = file
        if (outcome === 'folder' || outcome === 'other') throw this.#placeTaken(path, outcome)
        if (outcome === 'same') this.#same += 1
        else {
          this.#claim(size)
          this.#batch.push({ parts, path, staged, isReplacing: outcome === 'replace', size, seconds: modified })
        }
      }
      this.#count(batch.bytes)
    })
  }

  async #takeLarge(parts: string[], entry: TarEntry, like: Likeness): Promise<void> {
    const path = join(this.#request.root, ...parts)
    const standing = this.#mayBeThere(parts) ? await standingAt(path) : 'nothing'
    if (standing === 'folder' || standing === 'other') throw this.#placeTaken(path, standing)
    const isReplacing = standing === 'file'
    const comparison = isReplacing ? await compareContent(path, entry, (bytes) => this.#count(bytes)) : null
    if (comparison?.isSame) {
      this.#same += 1
      return
    }
    this.#claim(entry.size)
    const [staged, seconds] = [this.#nextStaged(), timeOf(entry)]
    const file = await open(staged, 'wx', like.mode)
    try {
      if (like.owner) await file.chown(like.owner.uid, like.owner.gid)
      await file.chmod(like.mode)
      // what is equal at the beginning was read already; it is taken from the file itself
      if (comparison && comparison.equalBytes > 0) await copyStart(path, file, comparison.equalBytes)
      if (comparison?.next) await this.#write(file, comparison.next)
      for await (const chunk of entry.content) await this.#write(file, chunk)
      await file.utimes(seconds, seconds)
    } finally {
      await file.close()
    }
    this.#batch.push({ parts, path, staged, isReplacing, size: entry.size, seconds })
  }

  async #write(file: FileHandle, chunk: Buffer): Promise<void> {
    this.#request.signal.throwIfAborted()
    await writeAll(file, chunk)
    this.#count(chunk.length)
  }

  /** Nothing is in a folder that this restore makes; what appears there meanwhile is found when the file is put. */
  #mayBeThere(parts: string[]): boolean {
    return this.#promised.get(parts.slice(0, -1).join('/')) !== 'new'
  }

  #placeTaken(path: string, standing: Standing): AppError {
    const found = standing === 'folder' ? 'folder' : 'link or device'
    return placeError(this.#request.kind, path, `is a ${found}, but a file in the backup.`)
  }

  #nextStaged(): string {
    this.#number += 1
    return join(stagedFolder(this.#request), String(this.#number))
  }

  /** @throws AppError `disk-full` before the disk is */
  #claim(size: number): void {
    this.#claimed += size
    if (this.#claimed <= this.#free) return
    const { root } = this.#request
    throw new AppError(
      'disk-full',
      `The backup’s files need more than the ${formatBytes(this.#free)} that are free in ${root}.`,
      {
        hint: 'Free some space, then run it again.',
        details: { folder: root, free: this.#free },
      },
    )
  }

  #count(bytes: number): void {
    this.#bytes += bytes
    this.#request.onBytes?.(bytes)
  }

  async #flushWhenFull(): Promise<void> {
    const { files, bytes } = this.#begun
    if (files + this.#folders.length >= BATCH_FILES || bytes >= BATCH_BYTES) await this.#flush()
  }

  /** Puts what is ready in place, while the next files are made ready. */
  async #flush(): Promise<void> {
    await this.#sendSmall()
    await this.#writes.drain()
    await this.#putting
    const [batch, folders] = [this.#batch, this.#folders]
    this.#batch = []
    this.#folders = []
    this.#begun = { files: 0, bytes: 0 }
    this.#putting = this.#placement.put(batch, folders)
    // it is waited for later
    this.#putting.catch(() => {})
  }
}

/**
 * Unix seconds. A file of the future would never look changed to whoever compares times; SFTP can't give one a time before 1970,
 * and Node takes that for the present.
 */
export function timeOf({ modified }: TarEntry): number {
  return Math.floor(Math.max(0, Math.min(modified.getTime(), Date.now())) / 1000)
}

function stagedFolder(request: WriterRequest): string {
  return join(undoPlaces(request, request.jobId).staged, request.area)
}

async function* writtenFiles(request: UndoRoot, jobId: string, of: Area, root: string): AsyncGenerator<string> {
  for await (const line of readUndoJournal(request, jobId)) {
    if ((line.type === 'add' || line.type === 'replace') && line.area === of) yield join(root, ...line.path)
  }
}

async function copyStart(path: string, to: FileHandle, bytes: number): Promise<void> {
  const from = await open(path, 'r')
  try {
    const buffer = Buffer.allocUnsafe(Math.min(bytes, 256 * 1024))
    for (let at = 0; at < bytes; ) {
      const { bytesRead } = await from.read(buffer, 0, Math.min(buffer.length, bytes - at), at)
      if (bytesRead === 0) throw new AppError('media-changed', `${path} changed while it was compared.`)
      await writeAll(to, buffer.subarray(0, bytesRead))
      at += bytesRead
    }
  } finally {
    await from.close()
  }
}
