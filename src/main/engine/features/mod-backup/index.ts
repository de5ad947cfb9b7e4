export { takePassword } from './take-password.ts'
export { backupSettings, updateBackupSettings } from './update.ts'
