/** Making backups. */
export { type BackupRequest, type BackupResult, makeBackup, startBackup } from './create.ts'
export { freeBytes, isEnough } from './free-space.ts'
export type { BackupProblem } from './part-sources.ts'
export { openPartSources, type PartSource, type SourceOptions } from './part-sources.ts'
export { type StoredPart, writePart } from './part-writer.ts'
export { type PinRequest, type PinResult, startPin } from './pin.ts'
export { type BackupPreview, previewBackup } from './preview.ts'
export { type RemoveRequest, startRemove } from './remove.ts'
