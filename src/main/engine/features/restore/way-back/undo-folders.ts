import { stat } from 'node:fs/promises'
import { AppError } from '#shared/errors.ts'
import { isCommitted, type KeptFiles, listUndoJobs, measureUndo, readUndoJournal, undoPlaces } from '../files/undo-journal.ts'

/** What one job changed in a site's files, and what it set aside so that it can be taken back. */
export interface UndoFolder extends KeptFiles {
  job: string
  site: string
  at: Date
  /** The schema that the same job replaced; null: files only. */
  schema: string | null
  /** The object that this schema was before; null: none, or not known. */
  liveOid: number | null
  /** The job whose changes it took back. */
  undoes: string | null
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
  const found = await readStart(filesDir, job)
  const folder = found && { ...found, ...(await measureUndo(filesDir, job)) }
  if (known.size >= MAX_KNOWN) known.clear()
  known.set(journal, { version, folder })
  return folder
}

async function readStart(filesDir: string, job: string): Promise<Omit<UndoFolder, keyof KeptFiles> | null> {
  let found: Omit<UndoFolder, keyof KeptFiles> | null = null
  for await (const line of readUndoJournal(filesDir, job)) {
    if (line.type === 'start') {
      found = { job, site: line.site, at: new Date(line.at), schema: line.schema, liveOid: null, undoes: line.undoes ?? null }
    } else if (line.type === 'committing' && found) found.liveOid = line.liveOid
  }
  return found
}
