import { lstat, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { moveFile } from './place-file.ts'
import { PlaceFinder, safeParts } from './safe-path.ts'
import { readUndoJournal, removeUndo, undoPlaces } from './undo-journal.ts'

export interface UndoneMedia {
  /** Files that the restore had added, and that are gone again. */
  removed: number
  /** Files that the restore had replaced, and that are back. */
  putBack: number
}

/**
 * Puts media back as they were before a job restored some. May be repeated, also after a crash in the middle; with
 * nothing to undo it does nothing. A file that was changed since the restore is left alone.
 * @param filesDir the site's files folder
 */
export async function undoMedia(filesDir: string, jobId: string): Promise<UndoneMedia> {
  const archive = join(filesDir, 'archive')
  const { replaced } = undoPlaces(filesDir, jobId)
  const places = new PlaceFinder(archive)
  const undone: UndoneMedia = { removed: 0, putBack: 0 }
  const folders: string[][] = []
  for await (const line of readUndoJournal(filesDir, jobId)) {
    if (line.type !== 'add' && line.type !== 'replace' && line.type !== 'folder') continue
    const parts = safeParts(line.path.join('/'))
    const path = join(archive, ...parts)
    const part = `${path}.${jobId}.part`
    if (line.type === 'folder') {
      folders.push(parts)
      continue
    }
    const standing = await places.look(parts)
    await rm(part, { force: true })
    if (line.type === 'replace') {
      const kept = join(replaced, ...parts)
      if (!(await lstat(kept).catch(() => null))?.isFile()) continue
      await moveFile(kept, path, part)
      undone.putBack += 1
    } else if (standing === 'file') {
      const facts = await lstat(path)
      if (facts.size !== line.size || Math.floor(facts.mtimeMs / 1000) !== line.seconds) continue
      await rm(path)
      undone.removed += 1
    }
  }
  for (const parts of folders.reverse()) {
    // one that holds something else by now stays
    await rmdir(join(archive, ...parts)).catch((error: NodeJS.ErrnoException) => {
      if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(error.code ?? '')) throw error
    })
  }
  await removeUndo(filesDir, jobId)
  return undone
}
