import type { Readable } from 'node:stream'
import type { PartKind } from '#shared/model/backup.ts'
import type { IndexDocument } from './backup-index.ts'

/** What a file looked like when it was listed; `version` changes whenever the content may have changed. */
export interface FileStat {
  name: string
  size: number
  /** Folder: size + mtime in ns + inode; SFTP: size + mtime; S3: the ETag. */
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

/** One backup on its way into a repository. */
export interface IncomingSlot {
  /** `transferId` of names.ts: the same backup from the same source has the same id again, and goes on where it was stopped. */
  id: string
  name: string
  /** Unix seconds. */
  timestamp: number
  isEncrypted: boolean
  parts: { kind: PartKind; size: number }[]
  /** What the entry shall say of the filestore. */
  isFilestoreUploaded: boolean
  /** Keys of the source's entry that this program does not know. */
  unknownKeys: Record<string, unknown>
  /** What the slot has of the same moment is known to be damaged: it is replaced also where its index says nothing of that. */
  mends?: boolean
}

/** What may be told while a part is written. */
export interface WriteHearing {
  /** So many bytes of the body were there already and were not sent. */
  onSkipped?: (bytes: number) => void
  /** A chunk of the body is not needed there any more; not every repository tells. */
  onWritten?: ((chunk: Uint8Array) => void) | undefined
}

/** The parts of a backup being stored, unseen by anybody until they are put in place together. */
export interface SlotWriting {
  /** Bytes that an earlier try has stored of a part, from its start; 0: none. */
  storedBytes(kind: PartKind): Promise<number>
  /**
   * What an earlier try stored, to be hashed again. null: it can't be read back (an upload to S3 that is not completed). Then
   * the part is written from 0 on, and of what is stored already nothing is sent again whose checksum fits.
   */
  readStored(kind: PartKind, length: number, signal: AbortSignal): Promise<Readable | null>
  /**
   * Stores the rest of a part from `offset` on: 0 to begin anew, or what `storedBytes` said. What was stored when it rejects
   * stays for the next try.
   */
  write(kind: PartKind, body: Readable, offset: number, signal: AbortSignal, hearing?: WriteHearing): Promise<void>
  /**
   * Puts the parts in place, in the server's order: database, configuration, media, then the index entry, merged into what the index
   * says by then; then removes files that only the replaced entry named. From the first part that is put in place on it is
   * only finished, never taken back.
   * @param hashes lower-case hex SHA-256 of each part as stored
   * @returns the entry as the index has it now
   * @throws AppError `slot-newer`, `slot-not-rotation`, `index-corrupt`, `index-busy`, `slot-part-differs`: nothing was changed;
   *   `slot-index-pending`: to be repeated
   */
  putInPlace(hashes: Partial<Record<PartKind, string>>, signal: AbortSignal): Promise<IndexEntry>
  /** Forgets what was stored. */
  discard(): Promise<void>
}

export type RepositoryKind = 'folder' | 'sftp' | 's3'

/** Anything that holds backup.json and files. Names are plain file names, never paths. */
export interface Repository {
  readonly kind: RepositoryKind
  /** For messages: the folder's path, `sftp://USER@HOST/FOLDER`, `s3://BUCKET/PREFIX`. */
  readonly place: string
  readonly capabilities: { rename: boolean; conditionalPut: boolean; ranges: boolean; append: boolean }
  /** Every plain file, ours for the making (`.part`, intent records, leases) left out. */
  list(signal?: AbortSignal): Promise<FileStat[]>
  /** null: no such file. */
  stat(name: string): Promise<FileStat | null>
  read(name: string, options?: ReadOptions): Promise<Readable>
  /** Atomic when it resolves; nothing is left behind when it rejects. */
  put(name: string, body: Readable, options?: PutOptions): Promise<FileStat>
  remove(name: string): Promise<void>
  /** A missing index is empty; a corrupt one throws `index-corrupt` and is never overwritten. */
  readIndex(): Promise<BackupIndex>
  /** The index with its unusable entries and problems. @throws AppError `index-corrupt` */
  readIndexDocument(): Promise<IndexDocument>
  /** Reads, lets `change` alter the map, writes atomically; retried when the index changed meanwhile. */
  updateIndex(change: (index: BackupIndex) => void): Promise<void>
  /** Keeps our own programs, on this computer and on others, from writing here at the same time. */
  lease(signal?: AbortSignal): Promise<Lease>
  /** Begins to store a backup, or goes on with it. The caller holds the lease until it is put in place or given up. */
  openSlot(slot: IncomingSlot): Promise<SlotWriting>
  /** Removes a rotation slot: its index entry first, then the files that only this entry named. The caller holds the lease. */
  removeSlot(slot: { name: string; timestamp: number }): Promise<void>
}
