import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { Locks } from '../locks.ts'
import { createFile, type FolderOwner } from './file-owner.ts'
import { type FilesRepository, openFilesRepository } from './files-repository.ts'
import { type LocalFiles, localFiles } from './local-files.ts'
import { partName } from './names.ts'
import { assertWritable } from './repository-files.ts'

/** A repository that is a folder: besides the contract, what putting a slot in place needs. */
export interface FolderRepository extends FilesRepository {
  readonly kind: 'folder'
  readonly files: LocalFiles
  readonly owner: FolderOwner
  readonly folder: string
  /**
   * Creates `FILENAME.ID.part` for writing, with the owner and mode of the repository. Part files of a job that died
   * are cleared away by the recovery; those of a job that holds the lease are not touched.
   * @param id the job's id
   */
  createPart(finalName: string, id: string): Promise<{ path: string; handle: FileHandle }>
}

export interface FolderOptions {
  folder: string
  owner: FolderOwner
  /** Locks between our own programs; without them a lease holds within this process only. */
  locks?: Locks
  /** Whether a job is of our home folder; files of others that may be at work here are left alone. */
  isOurJob?: (id: string) => Promise<boolean>
  /** A missing folder counts as empty and is made at the first write. */
  create?: boolean
  /** How long another computer's lease is waited for; default 2 minutes. */
  leaseWaitMs?: number
}

/** Opens a folder as a repository: the vault (`home`) or the backup folder of a server (`server`). */
export function openFolderRepository({ locks, isOurJob, leaseWaitMs, ...options }: FolderOptions): FolderRepository {
  const files = localFiles(options)
  const { owner, folder } = files
  return {
    ...openFilesRepository({ kind: 'folder', files, locks, isOurJob, leaseWaitMs }),
    kind: 'folder',
    files,
    owner,
    folder,

    async createPart(finalName, id) {
      assertWritable(finalName)
      await files.prepare()
      const file = partName(finalName, id)
      return { path: join(folder, file), handle: await createFile(folder, file, owner) }
    },
  }
}
