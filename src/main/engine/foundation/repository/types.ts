import type { Readable } from 'node:stream'

/** What a file looked like when it was listed; `version` changes whenever the content may have changed. */
export interface FileStat {
  name: string
  size: number
  /** Folder: size + mtime in ns + inode; S3: the ETag. */
  version: string
  modified: Date
}

export interface ReadOptions {
  /** First byte; default 0. */
  offset?: number
  /** Number of bytes; default to the end. */
  length?: number
  /** Fails with `changed-while-reading` when the file is no longer this version. */
  ifVersion?: string
  signal?: AbortSignal
}

export interface PutOptions {
  /** Fails with `exists` when there is a file of that name. */
  ifAbsent?: boolean
  /** Fails with `changed-meanwhile` when the present file is not this version. */
  ifVersion?: string
  /** Lower-case hex; a stream with another hash is not put in place (`hash-differs`). */
  sha256?: string
  signal?: AbortSignal
}

/** An entry of backup.json as stored; unknown keys are kept. */
export interface IndexEntry {
  timestamp: number
  database?: string | null
  database_hash?: string | null
  config_files?: string | null
  config_files_hash?: string | null
  files?: string | null
  files_hash?: string | null
  is_filestore_uploaded?: boolean
  is_encrypted?: boolean
  [unknownKey: string]: unknown
}

/** backup.json: NAME → entry. */
export type BackupIndex = Map<string, IndexEntry>

export interface Lease {
  release(): Promise<void>
}

/** Anything that holds backup.json and files. Names are plain file names, never paths. */
export interface Repository {
  readonly kind: 'folder'
  /** For messages: the folder's path. */
  readonly place: string
  readonly capabilities: { rename: boolean; conditionalPut: boolean; ranges: boolean; append: boolean }
  /** Every plain file, ours for the making (`.part`, intent records) left out. */
  list(signal?: AbortSignal): Promise<FileStat[]>
  /** null: no such file. */
  stat(name: string): Promise<FileStat | null>
  read(name: string, options?: ReadOptions): Promise<Readable>
  /** Atomic when it resolves; nothing is left behind when it rejects. */
  put(name: string, body: Readable, options?: PutOptions): Promise<FileStat>
  remove(name: string): Promise<void>
  /** A missing index is empty; a corrupt one throws `index-corrupt` and is never overwritten. */
  readIndex(): Promise<BackupIndex>
  /** Reads, lets `change` alter the map, writes atomically; retried when the index changed meanwhile. */
  updateIndex(change: (index: BackupIndex) => void): Promise<void>
  /** Keeps our own programs from writing here at the same time. */
  lease(signal?: AbortSignal): Promise<Lease>
}
