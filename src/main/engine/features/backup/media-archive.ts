import { stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { AppError } from '#shared/errors.ts'
import { ahead } from './ahead.ts'
import { type ArchiveOptions, headerOf, packFile, readAhead } from './archived-file.ts'
import { readOwnerNames } from './owner-names.ts'
import { TarPacker } from './tar-packer.ts'
import { walkTree } from './tree.ts'

const STREAM_BUFFER = 256 * 1024
/** Small files that are read before their turn: most of the time for a small file goes into waiting for the disk. */
const FILES_AHEAD = 12

/** Whether there is a media folder to archive. @throws the system's error when that cannot be seen */
export async function hasMedia(archiveDir: string): Promise<boolean> {
  try {
    return (await stat(archiveDir)).isDirectory()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return false
    throw error
  }
}

/**
 * The media of a site as uncompressed tar bytes, laid out as `tar -C ARCHIVE_DIR -c .` does, in the order of the
 * names' bytes. Memory does not grow with the number or size of the files. Source: docs/formats.md, "Media archive".
 *
 * Files that vanish, change or cannot be read while it runs are told by `onProblem`; the archive stays valid.
 * The stream fails with AppError `media-unreadable` when there are files and not one could be read.
 */
export function createMediaArchive(archiveDir: string, options: ArchiveOptions): Readable {
  return Readable.from(packMedia(archiveDir, options), { objectMode: false, highWaterMark: STREAM_BUFFER })
}

async function* packMedia(archiveDir: string, options: ArchiveOptions): AsyncGenerator<Buffer> {
  const packer = new TarPacker()
  let entries = 0
  let packed = 0
  let unreadable = 0
  const onProblem: ArchiveOptions['onProblem'] = (problem) => {
    if (problem.code === 'unreadable') unreadable += 1
    options.onProblem(problem)
  }
  // no file of the site's: it does not count with those
  const owners = await readOwnerNames(options.onProblem)
  const packing = { ...options, onProblem, owners, format: 'gnu' as const }
  const tree = walkTree(archiveDir, { ...options, onProblem })
  for await (const { entry, ready } of ahead(tree, FILES_AHEAD, async (entry) => ({ entry, ready: await readAhead(entry) }))) {
    entries += 1
    if (entry.kind === 'file') {
      const name = Buffer.concat([Buffer.from('./'), entry.relative])
      if (yield* packFile(packer, entry, name, packing, ready)) packed += 1
      continue
    }
    const name = ['./', entry.relative, entry.relative.length > 0 ? '/' : ''].map((piece) => Buffer.from(piece))
    yield* packer.bytes(headerOf(Buffer.concat(name), 'directory', entry.stats, packing))
    options.onProgress?.({ path: entry.shown, bytes: 0 })
  }
  // without even the folder itself, an empty archive would look like a site without media
  if (entries === 0 || (packed === 0 && unreadable > 0)) {
    throw new AppError('media-unreadable', `None of the media files in ${archiveDir} could be read. No backup was made.`, {
      hint: 'Check owner and mode of the folder and its files, and as whom this program runs.',
      details: { folder: archiveDir, unreadable },
    })
  }
  yield* packer.end()
}
