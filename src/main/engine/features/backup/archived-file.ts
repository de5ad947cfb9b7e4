import { constants, type Stats } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type { OwnerNames } from './owner-names.ts'
import { type TarFormat, tarHeader, tarPadding } from './tar-format.ts'
import type { TarPacker } from './tar-packer.ts'
import { type ArchiveProblem, accessProblem, type TreeEntry } from './tree.ts'

// Windows knows neither; a link that is put in the place of a file must not lead the reading elsewhere
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)
const NO_LINKS = constants.O_NOFOLLOW ?? 0
/** Up to this size a file is read whole, and before its turn. */
const SMALL_BYTES = 256 * 1024

/** How an archive reports and names things. */
export interface ArchiveOptions {
  signal?: AbortSignal
  /** Called for each entry begun (0 bytes) and for each piece of content read. */
  onProgress?: (step: { path: string; bytes: number }) => void
  /** What is not, or not wholly, in the archive. The archive itself stays readable. */
  onProblem: (problem: ArchiveProblem) => void
}

export interface PackOptions extends ArchiveOptions {
  owners: OwnerNames
  format: TarFormat
  followFileLinks?: boolean
}

/** A file that was read whole, or is not to be had. */
export type ReadFile =
  | { state: 'read'; stats: Stats; content: Buffer; failure: unknown; after: Stats | null }
  | { state: 'problem'; problem: ArchiveProblem }

type OpenedFile = ReadFile | { state: 'open'; file: FileHandle; stats: Stats }

/** Reads a small file before its turn; null: it is read piece by piece when its turn comes. */
export async function readAhead(entry: TreeEntry): Promise<ReadFile | null> {
  if (entry.kind !== 'file' || entry.stats.size > SMALL_BYTES) return null
  const opened = await openFile(entry, false)
  if (opened.state !== 'open') return opened
  // it grew just now
  await opened.file.close()
  return null
}

async function openFile(entry: TreeEntry, followFileLinks: boolean): Promise<OpenedFile> {
  let file: FileHandle
  try {
    file = await open(entry.path, OPEN_FLAGS | (followFileLinks ? 0 : NO_LINKS))
  } catch (error) {
    return { state: 'problem', problem: accessProblem(entry.shown, error) }
  }
  let isKept = false
  try {
    const stats = await file.stat()
    if (!stats.isFile()) {
      const text = 'It was replaced by something that is no plain file while the backup ran and is not in it.'
      return { state: 'problem', problem: { path: entry.shown, code: 'replaced', text } }
    }
    if (stats.size <= SMALL_BYTES) return { state: 'read', stats, ...(await readSmall(file, stats.size)) }
    isKept = true
    return { state: 'open', file, stats }
  } catch (error) {
    return { state: 'problem', problem: accessProblem(entry.shown, error) }
  } finally {
    if (!isKept) await file.close()
  }
}

async function readSmall(file: FileHandle, size: number): Promise<{ content: Buffer; failure: unknown; after: Stats | null }> {
  const content = Buffer.allocUnsafe(size)
  let count = 0
  try {
    while (count < size) {
      const { bytesRead } = await file.read(content, count, size - count, count)
      if (bytesRead === 0) break
      count += bytesRead
    }
    return { content: content.subarray(0, count), failure: null, after: await file.stat() }
  } catch (failure) {
    return { content: content.subarray(0, count), failure, after: null }
  }
}

/**
 * Packs one plain file and returns whether it is in the archive. The header has the size that the file had when it
 * was opened: one that grows meanwhile is cut there, one that shrinks is filled up with zeros; both are told.
 * @param ready what {@link readAhead} gave
 */
export async function* packFile(
  packer: TarPacker,
  entry: TreeEntry,
  name: Buffer,
  options: PackOptions,
  ready: ReadFile | null = null,
): AsyncGenerator<Buffer, boolean> {
  const opened = ready ?? (await openFile(entry, options.followFileLinks ?? false))
  if (opened.state === 'problem') {
    options.onProblem(opened.problem)
    return false
  }
  try {
    const { stats } = opened
    yield* packer.bytes(headerOf(name, 'file', stats, options))
    options.onProgress?.({ path: entry.shown, bytes: 0 })
    let position = 0
    let failure: unknown = null
    if (opened.state === 'read') {
      yield* packer.bytes(opened.content)
      position = opened.content.length
      failure = opened.failure
      options.onProgress?.({ path: entry.shown, bytes: position })
    } else {
      while (position < stats.size && failure === null) {
        options.signal?.throwIfAborted()
        const space = packer.space(stats.size - position)
        const count = await opened.file.read(space, 0, space.length, position).then(
          ({ bytesRead }) => bytesRead,
          (error: unknown) => {
            failure = error
            return 0
          },
        )
        if (count === 0) break
        position += count
        yield* packer.filled(count)
        options.onProgress?.({ path: entry.shown, bytes: count })
      }
    }
    yield* packer.zeros(stats.size - position + tarPadding(stats.size))
    const after = opened.state === 'read' ? opened.after : await opened.file.stat()
    const problem = problemOf(entry.shown, stats, after, position, failure)
    if (problem) options.onProblem(problem)
    return problem?.code !== 'unreadable'
  } finally {
    if (opened.state === 'open') await opened.file.close()
  }
}

function problemOf(path: string, stats: Stats, after: Stats | null, position: number, failure: unknown): ArchiveProblem | null {
  if (failure !== null) {
    const reason = (failure as NodeJS.ErrnoException).code ?? String(failure)
    const text = `Reading failed at byte ${position} (${reason}); the rest of it is zeros in the backup.`
    return { path, code: 'unreadable', text }
  }
  if (after && after.size === stats.size && after.mtimeMs === stats.mtimeMs && position === stats.size) return null
  const text = `It changed while it was read (${stats.size} bytes before, ${after?.size ?? position} after); its copy in the backup may be torn.`
  return { path, code: 'changed', text }
}

/** The header of a file or folder as it is on the disk. */
export function headerOf(name: Buffer, kind: 'file' | 'directory', stats: Stats, { owners, format }: PackOptions): Buffer {
  return tarHeader(
    {
      name,
      kind,
      mode: stats.mode,
      size: kind === 'file' ? stats.size : 0,
      modified: stats.mtimeMs / 1000,
      uid: stats.uid,
      gid: stats.gid,
      user: owners.user(stats.uid),
      group: owners.group(stats.gid),
    },
    format,
  )
}
