import { chmod, chown, mkdir, open, rm, stat, utimes } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { AppError } from '#shared/errors.ts'
import { moveFile, syncFile } from './place-file.ts'
import { createUndoJournal, removeUndo, type UndoJournal, type UndoLine, undoPlaces } from './undo-journal.ts'
import { compareContent, MEDIA_LIMITS, type MediaLimits, type MediaVisit, visitMedia } from './visit.ts'

/** Files that are made ready before they are put in place together, which takes one sync of the journal. */
const BATCH_FILES = 200
const BATCH_BYTES = 64 * 1024 * 1024
const SYNCS_AT_ONCE = 8

export interface RestoreMediaRequest {
  /** Plain tar bytes. */
  tar: AsyncIterable<Buffer>
  /** The site's files folder: media are in `archive` below it. */
  filesDir: string
  jobId: string
  site: string
  /** The schema that the same job replaces; null: media only. */
  schema: string | null
  signal: AbortSignal
  limits?: MediaLimits
  onBytes?: (bytes: number) => void
}

export interface MediaResult {
  added: number
  replaced: number
  same: number
  bytes: number
}

interface Staged {
  parts: string[]
  path: string
  staged: string
  part: string
  isReplacing: boolean
  size: number
  seconds: number
}

/**
 * Adds a backup's media to a site's. Equal files stay, different ones are first moved to `backup-desk-undo/JOB/`, and
 * everything is in the journal there before it is done, so that {@link undoMedia} can put it back, also after a crash.
 * On an error what was done so far stays, to be undone. Source: docs/formats.md, "Restoring media".
 * @throws AppError `cancelled` and those of `visitMedia`
 */
export async function restoreMedia(request: RestoreMediaRequest): Promise<MediaResult> {
  const writer = await MediaWriter.open(request)
  try {
    for await (const visit of visitMedia(request.tar, join(request.filesDir, 'archive'), request.limits ?? MEDIA_LIMITS)) {
      request.signal.throwIfAborted()
      await writer.take(visit)
    }
    return await writer.finish()
  } finally {
    await writer.close()
  }
}

class MediaWriter {
  readonly #request: RestoreMediaRequest
  readonly #journal: UndoJournal
  readonly #owner: { uid: number; gid: number } | null
  readonly #result: MediaResult = { added: 0, replaced: 0, same: 0, bytes: 0 }
  #folders = new Map<string, { parts: string[]; mode: number }>()
  #batch: Staged[] = []
  #batchBytes = 0
  #number = 0
  #madeFolders = 0

  private constructor(request: RestoreMediaRequest, journal: UndoJournal, owner: { uid: number; gid: number } | null) {
    this.#request = request
    this.#journal = journal
    this.#owner = owner
  }

  static async open(request: RestoreMediaRequest): Promise<MediaWriter> {
    const { filesDir, jobId, site, schema } = request
    const archive = join(filesDir, 'archive')
    const facts = await stat(archive).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
      throw new AppError('no-media-folder', `There is no folder ${archive}. No media were restored.`, {
        hint: 'Check the files folder in the site’s settings.',
        details: { folder: archive },
      })
    })
    const start = { type: 'start', version: 1, job: jobId, site, at: new Date().toISOString(), schema } as const
    const journal = await createUndoJournal(filesDir, start)
    // root's files would be closed to the server
    const isRoot = process.getuid?.() === 0
    return new MediaWriter(request, journal, isRoot ? { uid: facts.uid, gid: facts.gid } : null)
  }

  async take(visit: MediaVisit): Promise<void> {
    const { entry, parts, isThere } = visit
    if (entry.kind === 'folder') {
      if (!isThere) this.#needFolder(parts, entry.mode)
    } else {
      await this.#takeFile(visit)
    }
    const isFull = this.#batch.length + this.#folders.size >= BATCH_FILES || this.#batchBytes >= BATCH_BYTES
    if (isFull) await this.#flush()
  }

  async finish(): Promise<MediaResult> {
    await this.#flush()
    const { filesDir, jobId } = this.#request
    await rm(undoPlaces(filesDir, jobId).staged, { recursive: true, force: true })
    return this.#result
  }

  /** With nothing changed there is nothing to undo. */
  async close(): Promise<void> {
    await this.#journal.close()
    const { filesDir, jobId } = this.#request
    const { added, replaced } = this.#result
    if (added + replaced + this.#madeFolders === 0) await removeUndo(filesDir, jobId)
  }

  async #takeFile({ entry, parts, path, isThere, places }: MediaVisit): Promise<void> {
    const onBytes = (bytes: number) => {
      this.#result.bytes += bytes
      this.#request.onBytes?.(bytes)
    }
    const comparison = isThere ? await compareContent(path, entry, onBytes) : null
    if (comparison?.isSame) {
      this.#result.same += 1
      return
    }
    const { staged } = undoPlaces(this.#request.filesDir, this.#request.jobId)
    this.#number += 1
    const stagedFile = join(staged, String(this.#number))
    const file = await open(stagedFile, 'wx', 0o600)
    try {
      // what is equal at the beginning was read already; it is taken from the file itself
      if (comparison && comparison.equalBytes > 0) await copyStart(path, file, comparison.equalBytes)
      if (comparison?.next) {
        await file.writeFile(comparison.next)
        onBytes(comparison.next.length)
      }
      for (let next = await entry.content.next(); !next.done; next = await entry.content.next()) {
        this.#request.signal.throwIfAborted()
        await file.writeFile(next.value)
        onBytes(next.value.length)
      }
      await file.chmod((entry.mode & 0o644) | 0o600)
      if (this.#owner) await file.chown(this.#owner.uid, this.#owner.gid)
      await file.utimes(entry.modified, entry.modified)
      const { size } = await file.stat()
      if (size !== entry.size) throw new AppError('media-changed', `${path} changed while it was compared.`)
    } finally {
      await file.close()
    }
    if (!isThere) {
      for (let depth = 1; depth < parts.length; depth += 1) {
        const above = parts.slice(0, depth)
        if ((await places.look(above)) === 'nothing') this.#needFolder(above, 0o755)
      }
    }
    const part = `${path}.${this.#request.jobId}.part`
    const seconds = Math.floor(entry.modified.getTime() / 1000)
    this.#batch.push({ parts, path, staged: stagedFile, part, isReplacing: isThere, size: entry.size, seconds })
    this.#batchBytes += entry.size
  }

  #needFolder(parts: string[], mode: number): void {
    const key = parts.join('/')
    if (!this.#folders.has(key)) this.#folders.set(key, { parts, mode })
  }

  /** Puts in place what is ready: first the content is on the disk, then the journal, then it happens. */
  async #flush(): Promise<void> {
    if (this.#batch.length + this.#folders.size === 0) return
    for (let at = 0; at < this.#batch.length; at += SYNCS_AT_ONCE) {
      await Promise.all(this.#batch.slice(at, at + SYNCS_AT_ONCE).map(({ staged }) => syncFile(staged)))
    }
    await this.#journal.append([
      ...[...this.#folders.values()].map(({ parts }): UndoLine => ({ type: 'folder', path: parts })),
      ...this.#batch.map(
        ({ parts, isReplacing, size, seconds }): UndoLine =>
          isReplacing ? { type: 'replace', path: parts } : { type: 'add', path: parts, size, seconds },
      ),
    ])
    const { filesDir } = this.#request
    for (const { parts, mode } of this.#folders.values()) {
      const folder = join(filesDir, 'archive', ...parts)
      this.#madeFolders += 1
      await mkdir(folder, { mode: 0o755 })
      await chmod(folder, (mode & 0o755) | 0o700)
      if (this.#owner) await chown(folder, this.#owner.uid, this.#owner.gid)
    }
    for (const file of this.#batch) await this.#put(file)
    this.#folders = new Map()
    this.#batch = []
    this.#batchBytes = 0
  }

  async #put({ parts, path, staged, part, isReplacing, seconds }: Staged): Promise<void> {
    this.#request.signal.throwIfAborted()
    if (isReplacing) {
      const { replaced } = undoPlaces(this.#request.filesDir, this.#request.jobId)
      const kept = join(replaced, ...parts)
      await mkdir(dirname(kept), { recursive: true, mode: 0o700 })
      this.#result.replaced += 1
      await moveFile(path, kept, `${kept}.part`)
    } else this.#result.added += 1
    await moveFile(staged, path, part)
    // a move onto another disk makes a new file
    await utimes(path, seconds, seconds)
  }
}

async function copyStart(path: string, to: Awaited<ReturnType<typeof open>>, bytes: number): Promise<void> {
  const from = await open(path, 'r')
  try {
    const buffer = Buffer.allocUnsafe(Math.min(bytes, 256 * 1024))
    for (let at = 0; at < bytes; ) {
      const { bytesRead } = await from.read(buffer, 0, Math.min(buffer.length, bytes - at), at)
      if (bytesRead === 0) throw new AppError('media-changed', `${path} changed while it was compared.`)
      await to.writeFile(buffer.subarray(0, bytesRead))
      at += bytesRead
    }
  } finally {
    await from.close()
  }
}
