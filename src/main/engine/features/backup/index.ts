/** Making backups. */
export { type BackupRequest, type BackupResult, startBackup } from './create.ts'
export type { BackupProblem } from './part-sources.ts'
