import { posix } from 'node:path'
import { serverFreeBytes } from '#engine/foundation/connections/ssh/server-disk.ts'
import type { SshConnection } from '#engine/foundation/connections/ssh/types.ts'
import type { TarEntry } from '#engine/foundation/content/read-tar.ts'
import { AppError } from '#shared/errors.ts'
import { formatBytes } from '#shared/format.ts'
import { placeError } from '../files/archive-error.ts'
import { InFlight } from '../files/in-flight.ts'
import { partBeside } from '../files/move-file.ts'
import type { Likeness, NewFolder, StagedFile, WriterRequest } from '../files/put-in-place.ts'
import { PlaceFinder, type Places } from '../files/safe-path.ts'
import { timeOf, type WriteCounts } from '../files/safe-writer.ts'
import type { SiteDisk } from '../files/site-disk.ts'
import {
  keptFolder,
  openUndoJournal,
  readUndoJournal,
  removeUndo,
  type UndoJournal,
  type UndoLine,
  undoPlaces,
} from '../files/undo-journal.ts'
import { RemoteTree } from './remote-tree.ts'
import { TarSender } from './tar-sender.ts'

/** Files that are made ready before they are put in place together. */
const BATCH_FILES = 2000
const BATCH_BYTES = 512 * 1024 * 1024
/** Requests that are with the server at the same time. */
const AT_ONCE = 24

/**
 * Writes files below a folder of a server as {@link SafeWriter} does here, with the same journal: what differs is sent in one
 * stream into `backup-desk-undo/JOB/`, then put in place by second names and renames. On an error what was done so far stays, to be undone.
 * Source: docs/formats.md, "Restoring files".
 */
export class RemoteWriter {
  readonly #request: WriterRequest
  readonly #disk: SiteDisk
  readonly #journal: UndoJournal
  readonly #places: Places
  readonly #sender: TarSender
  readonly #staged: string
  readonly #free: number
  readonly #promised = new Set<string>()
  readonly #keptFolders = new Map<string, Promise<void>>()
  readonly #counts: WriteCounts = { added: 0, replaced: 0, same: 0, bytes: 0 }
  #folders: NewFolder[] = []
  #batch: StagedFile[] = []
  #batchBytes = 0
  #claimed = 0
  #number = 0

  private constructor(
    request: WriterRequest,
    disk: SiteDisk,
    opened: { journal: UndoJournal; places: Places; sender: TarSender; staged: string; free: number },
  ) {
    this.#request = request
    this.#disk = disk
    this.#journal = opened.journal
    this.#places = opened.places
    this.#sender = opened.sender
    this.#staged = opened.staged
    this.#free = opened.free
  }

  static async open(request: WriterRequest, disk: SiteDisk, server: SshConnection): Promise<RemoteWriter> {
    const { jobId, site, schema, root, rootLike, area, kind, signal } = request
    const start = { type: 'start', version: 1, job: jobId, site, at: new Date().toISOString(), schema } as const
    const journal = await openUndoJournal(request, start)
    try {
      if (rootLike && (await disk.target(root)) === null) {
        await journal.append([{ type: 'folder', area, path: [] }])
        await disk.makeFolder(root, rootLike)
      }
      const staged = posix.join(undoPlaces(request, jobId).staged, area)
      await disk.makeFolders(staged)
      const free = (await serverFreeBytes(server, root, signal)) ?? Number.POSITIVE_INFINITY
      // a site's own folder may hold much that is no configuration
      const places = kind === 'media' ? await RemoteTree.read(server, root, kind, signal) : new PlaceFinder(root, kind, disk)
      const sender = new TarSender(server, staged, signal, (bytes) => request.onBytes?.(bytes))
      return new RemoteWriter(request, disk, { journal, places, sender, staged, free })
    } catch (error) {
      await journal.close()
      throw error
    }
  }

  async folder(parts: string[], like: Likeness): Promise<void> {
    for (let depth = 1; depth <= parts.length; depth += 1) {
      const above = parts.slice(0, depth)
      const key = above.join('/')
      if (this.#promised.has(key)) continue
      if (!(await this.#places.hasFolder(above))) this.#folders.push({ parts: above, like })
      this.#promised.add(key)
    }
  }

  /** @param entry its content is read before this resolves, unless it is known to be there already */
  async file(parts: string[], entry: TarEntry, like: Likeness, folderLike: Likeness): Promise<void> {
    this.#request.signal.throwIfAborted()
    if (parts.length > 1) await this.folder(parts.slice(0, -1), folderLike)
    const path = posix.join(this.#request.root, ...parts)
    const standing = await this.#places.look(parts)
    if (standing === 'folder' || standing === 'other') {
      const found = standing === 'folder' ? 'folder' : 'link or device'
      throw placeError(this.#request.kind, path, `is a ${found}, but a file in the backup.`)
    }
    if (standing === 'file' && this.#request.same?.has(parts.join('/'))) {
      this.#counts.same += 1
      this.#request.onBytes?.(entry.size)
      return
    }
    this.#claim(entry.size)
    this.#number += 1
    const seconds = timeOf(entry)
    await this.#sender.add(String(this.#number), entry, like, seconds)
    this.#counts.bytes += entry.size
    const staged = posix.join(this.#staged, String(this.#number))
    this.#batch.push({ parts, path, staged, isReplacing: standing === 'file', size: entry.size, seconds })
    this.#batchBytes += entry.size
    if (this.#batch.length >= BATCH_FILES || this.#batchBytes >= BATCH_BYTES) await this.#flush()
  }

  async finish(): Promise<WriteCounts> {
    await this.#flush()
    const { root, signal } = this.#request
    const { added, replaced } = this.#counts
    if (added + replaced > 0) await this.#disk.makeDurable(root, nothing(), signal)
    await this.#disk.removeTree(this.#staged)
    return { ...this.#counts }
  }

  /** Returns when nothing is written any more. With nothing changed there is nothing to undo. */
  async close(): Promise<void> {
    this.#sender.close()
    await this.#journal.close()
    for await (const { type } of readUndoJournal(this.#request, this.#request.jobId)) if (type !== 'start') return
    await removeUndo(this.#request, this.#request.jobId)
  }

  /** Everything that was sent is there, whole; then the journal; then it happens. */
  async #flush(): Promise<void> {
    await this.#sender.finish()
    const [batch, folders] = [this.#batch, this.#folders]
    this.#batch = []
    this.#folders = []
    this.#batchBytes = 0
    if (batch.length + folders.length === 0) return
    const { area, signal } = this.#request
    await this.#journal.append([
      ...folders.map(({ parts }): UndoLine => ({ type: 'folder', area, path: parts })),
      ...batch.map(
        ({ parts, isReplacing, size, seconds }): UndoLine =>
          isReplacing ? { type: 'replace', area, path: parts } : { type: 'add', area, path: parts, size, seconds },
      ),
    ])
    await this.#makeFolders(folders)
    const moves = new InFlight(AT_ONCE, Number.POSITIVE_INFINITY)
    try {
      for (const file of batch) {
        signal.throwIfAborted()
        await moves.start(0, () => (file.isReplacing ? this.#replace(file) : this.#add(file)))
      }
      await moves.drain()
    } finally {
      await moves.settle()
    }
  }

  /** Those of one depth side by side, after those above them. */
  async #makeFolders(folders: readonly NewFolder[]): Promise<void> {
    const deepest = Math.max(0, ...folders.map(({ parts }) => parts.length))
    for (let depth = 1; depth <= deepest; depth += 1) {
      const makings = new InFlight(AT_ONCE, Number.POSITIVE_INFINITY)
      try {
        for (const folder of folders) if (folder.parts.length === depth) await makings.start(0, () => this.#makeFolder(folder))
        await makings.drain()
      } finally {
        await makings.settle()
      }
    }
  }

  async #makeFolder({ parts, like }: NewFolder): Promise<void> {
    const { root, kind } = this.#request
    const path = posix.join(root, ...parts)
    try {
      await this.#disk.makeFolder(path, like)
    } catch (error) {
      // the site may have made it meanwhile
      if (!(error instanceof AppError) || error.code !== 'exists') throw error
      if ((await this.#disk.facts(path))?.kind !== 'folder') throw placeError(kind, path, 'is no folder, but one in the backup.')
    }
  }

  async #add({ path, staged }: StagedFile): Promise<void> {
    const { kind, jobId } = this.#request
    this.#counts.added += 1
    const appeared = () => placeError(kind, path, 'appeared while the backup was restored.')
    try {
      // unlike a rename, a second name never takes the place of what is there; the first one goes with its folder
      await this.#disk.server?.files.link(staged, path)
    } catch (error) {
      if (!(error instanceof AppError) || error.code === 'connection-lost') throw error
      if (error.code === 'exists' || (await this.#disk.facts(path)) !== null) throw appeared()
      await this.#disk.move(staged, path, partBeside(path, jobId))
    }
  }

  async #replace({ parts, path, staged }: StagedFile): Promise<void> {
    const { jobId, area } = this.#request
    this.#counts.replaced += 1
    const kept = posix.join(keptFolder(undoPlaces(this.#request, jobId), area), ...parts)
    await this.#makeKeptFolder(posix.dirname(kept))
    await this.#disk.keep(path, kept)
    await this.#disk.move(staged, path, partBeside(path, jobId))
  }

  #makeKeptFolder(folder: string): Promise<void> {
    const making = this.#keptFolders.get(folder) ?? this.#disk.makeFolders(folder)
    this.#keptFolders.set(folder, making)
    return making
  }

  /** @throws AppError `disk-full` before the disk is */
  #claim(size: number): void {
    this.#claimed += size
    if (this.#claimed <= this.#free) return
    const { root } = this.#request
    throw new AppError(
      'disk-full',
      `The backup’s files need more than the ${formatBytes(this.#free)} that are free in ${root} on the server.`,
      { hint: 'Free some space there, then run it again.', details: { folder: root, free: this.#free } },
    )
  }
}

async function* nothing(): AsyncGenerator<string> {}
