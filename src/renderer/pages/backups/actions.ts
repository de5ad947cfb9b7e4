import type { BackupRow } from '../../lib/join-backups.ts'
import { showError } from '../../lib/show-error.ts'
import { callUnlocking } from '../../queries.ts'
import { navigate } from '../../stores/ui.ts'

/** Starts verifying every copy of a backup to its end. */
export async function verifyBackup(site: string, row: BackupRow): Promise<void> {
  try {
    await callUnlocking('backups.verify', { site, name: row.name, timestamp: row.timestamp, from: 'all', level: 2 })
  } catch (error) {
    showError(error)
  }
}

/** Opens the plan; nothing is changed by it. */
export function planRestore(site: string, row: BackupRow): void {
  navigate({ page: 'restore', site, name: row.name, timestamp: row.timestamp })
}
