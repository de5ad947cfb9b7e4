import { partBeside } from './move-file.ts'
import { removeEmptied } from './remove-emptied.ts'
import { PlaceFinder, safeParts } from './safe-path.ts'
import type { SiteDisk } from './site-disk.ts'
import {
  type Area,
  areaFolder,
  diskOf,
  keptFolder,
  readUndoJournal,
  removeUndo,
  type SiteFolders,
  undoPlaces,
} from './undo-journal.ts'

export interface UndoneFiles {
  /** Files that the restore had added, and that are gone again. */
  removed: number
  /** Files that the restore had replaced, and that are back. */
  putBack: number
}

/**
 * Puts media, configuration and security files back as they were before a job restored some. May be repeated, also after a crash
 * in the middle; with nothing to undo it does nothing. A file that was changed since the restore is left alone.
 * @param folders as the site's settings have them: a journal lies where the site can write, and is not trusted with places
 */
export async function undoFiles(folders: SiteFolders, jobId: string): Promise<UndoneFiles> {
  const disk = diskOf(folders)
  const places = undoPlaces(folders, jobId)
  const finders: Record<Area, PlaceFinder> = {
    media: new PlaceFinder(areaFolder(folders, 'media'), 'media', disk),
    config: new PlaceFinder(areaFolder(folders, 'config'), 'config', disk),
    security: new PlaceFinder(areaFolder(folders, 'security'), 'config', disk),
  }
  const undone: UndoneFiles = { removed: 0, putBack: 0 }
  const made: string[] = []
  for await (const line of readUndoJournal(folders, jobId)) {
    if (line.type === 'start' || line.type === 'committing' || line.type === 'remove-folder') continue
    const finder = finders[line.area]
    const parts = safeParts(line.path.join('/'), line.area === 'media' ? 'media' : 'config')
    const path = disk.join(finder.root, ...parts)
    if (line.type === 'folder') {
      made.push(path)
      continue
    }
    const part = partBeside(path, jobId)
    const standing = await finder.look(parts)
    await disk.remove(part)
    if (line.type !== 'add') {
      // somebody has put another file there since
      if (line.type === 'remove' && standing !== 'nothing') continue
      const kept = disk.join(keptFolder(places, line.area), ...parts)
      if ((await disk.facts(kept))?.kind !== 'file') continue
      await disk.move(kept, path, part)
      undone.putBack += 1
    } else if (standing === 'file' && (await isOurs(disk, path, line))) {
      await disk.remove(path)
      undone.removed += 1
    }
  }
  await removeEmptied(made, disk)
  await removeUndo(folders, jobId)
  return undone
}

/** Whether a file is still the one that was added. After a power cut it may have lost its end, but not its time. */
async function isOurs(disk: SiteDisk, path: string, added: { size: number; seconds: number }): Promise<boolean> {
  const facts = await disk.facts(path)
  return facts !== null && facts.size <= added.size && facts.seconds === added.seconds
}
