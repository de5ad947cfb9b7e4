import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  futimesSync,
  lstatSync,
  openSync,
  readSync,
  renameSync,
  type Stats,
  writeSync,
} from 'node:fs'
import type { Likeness } from './put-in-place.ts'

/*
 * Small files are written in worker threads by calls that wait: handing every single call to a thread and back takes
 * longer than the call.
 */

/** A small file that is to be compared, and made ready when it differs. */
export interface SmallFile {
  /** Where it belongs. */
  path: string
  staged: string
  /** Of its content in the batch's buffer. */
  offset: number
  size: number
  like: Likeness
  /** Unix seconds. */
  modified: number
  /** False: nothing can be at its place. */
  mayBeThere: boolean
}

/** What is to be done with a small file: nothing, it is ready to be added or to replace one, or its place is taken. */
export type SmallOutcome = 'same' | 'add' | 'replace' | 'folder' | 'other'

export interface StageBatch {
  files: SmallFile[]
  content: ArrayBuffer
}

export interface StagedBatch {
  outcomes: SmallOutcome[]
  /** To be filled again. */
  content: ArrayBuffer
}

/** A complete file that goes where nothing was. */
export interface AddedFile {
  path: string
  staged: string
}

/** `there`: something appeared meanwhile. `other-disk`: it can't be renamed to there. */
export type AddOutcome = 'done' | 'there' | 'other-disk'

/** Compares a batch of small files with what is in their places, and makes those ready that differ. */
export function stageFiles({ files, content }: StageBatch): StagedBatch {
  const bytes = Buffer.from(content)
  return { outcomes: files.map((file) => stageFile(file, bytes.subarray(file.offset, file.offset + file.size))), content }
}

/** Renames complete files to where nothing was. */
export function addFiles(files: AddedFile[]): AddOutcome[] {
  return files.map(({ path, staged }) => {
    // the journal says that nothing was there
    if (factsOf(path)) return 'there'
    try {
      renameSync(staged, path)
      return 'done'
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EXDEV') return 'other-disk'
      throw error
    }
  })
}

function stageFile(file: SmallFile, content: Buffer): SmallOutcome {
  const facts = file.mayBeThere ? factsOf(file.path) : null
  if (facts?.isDirectory()) return 'folder'
  if (facts && !facts.isFile()) return 'other'
  if (facts && isSame(file.path, content)) return 'same'
  const { mode, owner } = file.like
  const handle = openSync(file.staged, 'wx', mode)
  try {
    const made = fstatSync(handle)
    if (owner && (owner.uid !== made.uid || owner.gid !== made.gid)) fchownSync(handle, owner.uid, owner.gid)
    if ((made.mode & 0o7777) !== mode) fchmodSync(handle, mode)
    for (let at = 0; at < content.length; ) at += writeSync(handle, content, at)
    futimesSync(handle, file.modified, file.modified)
  } finally {
    closeSync(handle)
  }
  return facts ? 'replace' : 'add'
}

function factsOf(path: string): Stats | null {
  try {
    return lstatSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

function isSame(path: string, content: Buffer): boolean {
  const handle = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0))
  try {
    if (fstatSync(handle).size !== content.length) return false
    const found = Buffer.allocUnsafe(content.length)
    let at = 0
    while (at < found.length) {
      const read = readSync(handle, found, at, found.length - at, at)
      if (read === 0) return false
      at += read
    }
    return found.equals(content)
  } finally {
    closeSync(handle)
  }
}
