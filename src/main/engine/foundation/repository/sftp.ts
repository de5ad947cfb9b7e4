import type { SshConnection } from '../connections/ssh/types.ts'
import type { Locks } from '../locks.ts'
import { type FilesRepository, openFilesRepository } from './files-repository.ts'
import { sftpFiles } from './sftp-files.ts'

export interface SftpOptions {
  connection: SshConnection
  /** The folder there, a full path. */
  folder: string
  /** Locks between our own programs on this computer; without them a lease holds within this process only. */
  locks?: Locks
  isOurJob?: (id: string) => Promise<boolean>
  /** How long another computer's lease is waited for; default 2 minutes. */
  leaseWaitMs?: number
}

/** Opens a folder of a server as a repository: its owner is always the server's. Nothing is asked of it yet. */
export function openSftpRepository({ connection, folder, locks, isOurJob, leaseWaitMs }: SftpOptions): FilesRepository {
  return openFilesRepository({ kind: 'sftp', files: sftpFiles({ connection, folder }), locks, isOurJob, leaseWaitMs })
}
