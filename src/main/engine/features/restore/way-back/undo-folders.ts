import { AppError } from '#shared/errors.ts'
import {
  diskOf,
  isCommitted,
  type KeptFiles,
  listUndoJobs,
  measureUndo,
  readCommitting,
  readUndoStart,
  type UndoRoot,
  type UndoStart,
  undoPlaces,
} from '../files/undo-journal.ts'

/** What one job changed in a site's files, and what it set aside so that it can be taken back. */
export interface UndoFolder extends UndoStart, KeptFiles {
  job: string
  /** The object that the replaced schema was before; null: none, or not known. */
  liveOid: number | null
}

/** A folder does not change once its job is done, and its journal may have millions of lines. */
const known = new Map<string, { version: string; folder: UndoFolder | null }>()
const MAX_KNOWN = 200

/**
 * The folders that whole restores and undos of a site left in its files folder, oldest first.
 * @throws AppError `files-unreachable`
 */
export async function readUndoFolders(root: UndoRoot, site: string): Promise<UndoFolder[]> {
  const { filesDir } = root
  if ((await diskOf(root).target(filesDir).catch(unlessRemote(root)))?.kind !== 'folder') {
    throw new AppError('files-unreachable', `The files folder ${filesDir} of ${site} can’t be reached.`, {
      hint: 'Is its disk there, and does the path in the site’s settings fit?',
      details: { folder: filesDir },
    })
  }
  const folders: UndoFolder[] = []
  for (const job of await listUndoJobs(root)) {
    if (!(await isCommitted(root, job))) continue
    const folder = await readUndoFolder(root, job)
    // a files folder may be shared by sites
    if (folder?.site === site) folders.push(folder)
  }
  return folders
}

async function readUndoFolder(root: UndoRoot, job: string): Promise<UndoFolder | null> {
  const disk = diskOf(root)
  const { journal } = undoPlaces(root, job)
  const facts = await disk.facts(journal)
  if (!facts) return null
  const version = `${facts.size}:${facts.seconds}`
  const key = `${disk.server?.place ?? ''}:${journal}`
  const remembered = known.get(key)
  if (remembered?.version === version) return remembered.folder
  const start = await readUndoStart(root, job)
  const liveOid = (await readCommitting(root, job))?.liveOid ?? null
  const folder = start && { job, ...start, liveOid, ...(await measureUndo(root, job)) }
  if (known.size >= MAX_KNOWN) known.clear()
  known.set(key, { version, folder })
  return folder
}

/** Why a server can't be asked is told by itself. */
function unlessRemote(root: UndoRoot): (error: unknown) => null {
  return (error) => {
    if (diskOf(root).server) throw error
    return null
  }
}
