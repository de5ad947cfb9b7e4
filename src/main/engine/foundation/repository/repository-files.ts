import type { Readable } from 'node:stream'
import { AppError } from '#shared/errors.ts'
import type { FolderOwner } from './file-owner.ts'
import { assertPlainName, INDEX_FILE, isOurs, SERVER_INDEX_TEMPORARY, showName } from './names.ts'
import type { FileStat, ReadOptions } from './types.ts'

/** A small file as it was read. */
export interface TextFile {
  text: string
  /** As in {@link FileStat}. */
  version: string
}

export interface WriteOptions {
  offset?: number
  signal?: AbortSignal | undefined
  /** Called when a server has all bytes, right before it syncs them, with the end of what was written. */
  onTaken?: (end: number) => void
  /** Told of each chunk that is not needed here any more, where that is known. */
  onWritten?: ((chunk: Uint8Array) => void) | undefined
}

/**
 * The files of a repository that is a folder, on this computer or on a server. Only plain files count: links are never
 * followed, folders and devices are not seen. Names are plain file names; they are checked by who takes them from outside.
 */
export interface RepositoryFiles {
  /** For messages: the folder's path, or `sftp://USER@HOST/FOLDER`. */
  readonly place: string
  /** `server`: another program writes here too, and new files take owner and mode of their neighbours. */
  readonly owner: FolderOwner
  /** Whether what was written went over a network, so that it is hashed again there before it counts. */
  readonly isRemote: boolean
  /** How much of a file's beginning is sure when writing it was cut off at this size. */
  sureBytes(size: number): number
  /** @throws AppError `repository-unreachable`; a vault that is not made yet is `not-yet` */
  reach(): Promise<'there' | 'not-yet'>
  /** Makes the folder of a vault. @throws AppError `repository-unreachable` */
  prepare(): Promise<void>
  /** Every plain file, ours too; of a folder that is not there: none. */
  list(signal?: AbortSignal): Promise<FileStat[]>
  /** null: no such plain file. */
  stat(name: string): Promise<FileStat | null>
  /** @throws AppError `not-found`, `not-a-file`, `changed-while-reading` */
  read(name: string, options?: ReadOptions): Promise<Readable>
  /** The first `maxBytes` of a file, one state of it; null: there is none. @throws AppError `not-a-file`, `changed-while-reading` */
  readText(name: string, maxBytes: number): Promise<TextFile | null>
  /**
   * Writes a stream, synced when it resolves. From an `offset` on: into a file that is there, which is cut there first.
   * @returns the file's size
   */
  write(name: string, body: Readable, options: WriteOptions): Promise<number>
  /** A new file, whole and synced when it resolves; when it rejects, there is none. @throws AppError `exists` */
  create(name: string, text: string): Promise<void>
  /** Renews the time of change of a file of `size` bytes that ends in a line end; never makes one. @throws AppError `not-found` */
  touch(name: string, size: number): Promise<void>
  /** In place of what is there. @throws AppError `not-found` */
  rename(from: string, to: string): Promise<void>
  /** A second name, or where there are no such, a rename that replaces nothing. @throws AppError `exists`, `not-found` */
  link(from: string, to: string): Promise<void>
  /** Also what is not there. */
  remove(name: string): Promise<void>
  /**
   * Renames `part` to backup.json unless that is no longer `expected` (null: not there) or the server is writing its own.
   * False: it was not done.
   */
  replaceIndex(part: string, expected: TextFile | null): Promise<boolean>
  /** Lower-case hex SHA-256. @throws AppError `not-found` */
  hash(name: string, signal?: AbortSignal): Promise<string>
  /** Makes renames and removals, and the content of `names`, survive a power cut, where that can be asked for. */
  sync(names?: readonly string[]): Promise<void>
  /** Unix milliseconds by the clock that dates the files. */
  now(): Promise<number>
}

/** The index is written by updateIndex alone, and files of ours by nobody but their maker. @throws AppError `reserved-name` */
export function assertWritable(name: string): void {
  assertPlainName(name)
  if (name !== INDEX_FILE && name !== SERVER_INDEX_TEMPORARY && !isOurs(name)) return
  throw new AppError('reserved-name', `${showName(name)} is a name with a meaning of its own. Nothing was written.`, {
    hint: 'Use another name.',
    details: { name },
  })
}

/** Whether an error is an AppError of that code. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof AppError && error.code === code
}

/** What a file that can't be read as one state ends in. */
export function changedWhileReading(name: string, place: string): AppError {
  return new AppError('changed-while-reading', `${name} was changed while it was read. What was read does not count.`, {
    hint: 'A backup is probably being written there: try again when it is done.',
    details: { name, place },
  })
}

export function notFound(name: string, place: string): AppError {
  return new AppError('not-found', `There is no file ${showName(name)} in ${place}.`, {
    hint: 'It was removed meanwhile, or the index names a file that never came. Look at the list again.',
    details: { name, place },
  })
}

export function existsAlready(name: string, place: string): AppError {
  return new AppError('exists', `${name} exists already in ${place}. It was left as it is.`, { details: { name } })
}

export function notAFile(path: string): AppError {
  return new AppError('not-a-file', `${path} is not a plain file. It was not opened.`, {
    hint: 'A link, folder or device can’t be part of a backup. Put the file itself there.',
    details: { path },
  })
}
