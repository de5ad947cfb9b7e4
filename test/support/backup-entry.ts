import type { BackupEntry, BackupPart } from '#shared/model/backup.ts'

export const DATABASE_PART: BackupPart = {
  part: 'database',
  file: 'testsite-1.sql.gz',
  size: 48,
  hash: 'aa',
  isEncrypted: false,
  trouble: null,
}

/** A daily backup of the database alone, as a list has it. */
export function backupEntry(change: Partial<BackupEntry> & Pick<BackupEntry, 'repository' | 'timestamp'>): BackupEntry {
  return {
    name: 'testsite-1',
    is_encrypted: false,
    is_database_present: true,
    is_files_present: false,
    is_config_files_present: false,
    is_filestore_uploaded: false,
    slot: '1',
    kind: 'daily',
    kept: { reason: 'day', text: '', replacedOn: null },
    parts: [DATABASE_PART],
    proof: null,
    ...change,
  }
}
