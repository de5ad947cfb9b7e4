export { backupConfirmation, restartConfirmation } from './confirmations.ts'
export { flushSite, restartSite, type ServerCommandResult, startServerCommand, wordsOf } from './run-command.ts'
export { type ServerBackupResult, startServerBackup } from './server-backup.ts'
