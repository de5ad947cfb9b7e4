import { stat } from 'node:fs/promises'
import { AppError } from '#shared/errors.ts'
import {
  isCommitted,
  type KeptFiles,
  listUndoJobs,
  measureUndo,
  readCommitting,
  readUndoStart,
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
export async function readUndoFolders(filesDir: string, site: string): Promise<UndoFolder[]> {
  if (!(await stat(filesDir).catch(() => null))?.isDirectory()) {
    throw new AppError('files-unreachable', `The files folder ${filesDir} of ${site} can’t be reached.`, {
      hint: 'Is its disk there, and does the path in the site’s settings fit?',
      details: { folder: filesDir },
    })
  }
  const folders: UndoFolder[] = []
  for (const job of await listUndoJobs(filesDir)) {
    if (!isCommitted(filesDir, job)) continue
    const folder = await readUndoFolder(filesDir, job)
    // a files folder may be shared by sites
    if (folder?.site === site) folders.push(folder)
  }
  return folders
}

async function readUndoFolder(filesDir: string, job: string): Promise<UndoFolder | null> {
  const { journal } = undoPlaces(filesDir, job)
  const facts = await stat(journal)
  const version = `${facts.size}:${facts.mtimeMs}`
  const remembered = known.get(journal)
  if (remembered?.version === version) return remembered.folder
  const start = await readUndoStart(filesDir, job)
  const liveOid = (await readCommitting(filesDir, job))?.liveOid ?? null
  const folder = start && { job, ...start, liveOid, ...(await measureUndo(filesDir, job)) }
  if (known.size >= MAX_KNOWN) known.clear()
  known.set(journal, { version, folder })
  return folder
}
