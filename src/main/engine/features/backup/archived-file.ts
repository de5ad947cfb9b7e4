import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type { OwnerNames } from './owner-names.ts'
import { tarHeader, tarPadding } from './tar-format.ts'
import type { TarPacker } from './tar-packer.ts'
import { type ArchiveProblem, accessProblem, type TreeEntry } from './tree.ts'

// Windows knows neither; a link that is put in the place of a file must not lead the reading elsewhere
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)
const NO_LINKS = constants.O_NOFOLLOW ?? 0

/** How an archive reports and names things. */
export interface ArchiveOptions {
  signal?: AbortSignal
  /** Called for each entry begun (0 bytes) and for each piece of content read. */
  onProgress?: (step: { path: string; bytes: number }) => void
  /** What is not, or not wholly, in the archive. The archive itself stays readable. */
  onProblem: (problem: ArchiveProblem) => void
}

/**
 * Packs one plain file and returns whether it is in the archive. The header has the size that the file had when it
 * was opened: one that grows meanwhile is cut there, one that shrinks is filled up with zeros; both are told.
 */
export async function* packFile(
  packer: TarPacker,
  entry: TreeEntry,
  name: Buffer,
  owners: OwnerNames,
  options: ArchiveOptions & { followFileLinks?: boolean },
): AsyncGenerator<Buffer, boolean> {
  let file: FileHandle
  try {
    file = await open(entry.path, OPEN_FLAGS | (options.followFileLinks ? 0 : NO_LINKS))
  } catch (error) {
    options.onProblem(accessProblem(entry.shown, error))
    return false
  }
  try {
    const stats = await file.stat()
    if (!stats.isFile()) {
      options.onProblem({
        path: entry.shown,
        code: 'replaced',
        text: 'It was replaced by something that is no plain file while the backup ran and is not in it.',
      })
      return false
    }
    yield* packer.bytes(
      tarHeader({
        name,
        kind: 'file',
        mode: stats.mode,
        size: stats.size,
        modified: stats.mtimeMs / 1000,
        uid: stats.uid,
        gid: stats.gid,
        user: owners.user(stats.uid),
        group: owners.group(stats.gid),
      }),
    )
    options.onProgress?.({ path: entry.shown, bytes: 0 })
    let position = 0
    let failure: unknown = null
    while (position < stats.size && failure === null) {
      options.signal?.throwIfAborted()
      const space = packer.space(stats.size - position)
      const count = await file.read(space, 0, space.length, position).then(
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
    yield* packer.zeros(stats.size - position + tarPadding(stats.size))
    if (failure !== null) {
      options.onProblem({
        path: entry.shown,
        code: 'unreadable',
        text: `Reading failed at byte ${position} (${(failure as NodeJS.ErrnoException).code ?? String(failure)}); the rest of it is zeros in the backup.`,
      })
      return false
    }
    const after = await file.stat()
    if (after.size !== stats.size || after.mtimeMs !== stats.mtimeMs || position < stats.size) {
      options.onProblem({
        path: entry.shown,
        code: 'changed',
        text: `It changed while it was read (${stats.size} bytes before, ${after.size} after); its copy in the backup may be torn.`,
      })
    }
    return true
  } finally {
    await file.close()
  }
}
