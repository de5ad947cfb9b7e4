/** Restoring a backup onto its site: plan, run, undo. */
export { gunzip } from './gunzip.ts'
export { type LoadProgress, type LoadRequest, type LoadResult, loadDump } from './load.ts'
export { undoMedia } from './media/undo-media.ts'
export { type RestorePlanRequest, startRestorePlan } from './plan/make-plan.ts'
export { planOf } from './plan/stored-plan.ts'
export { recoverInterruptedRestores } from './recover.ts'
export { type RestoreResult, startRestore } from './run-restore.ts'
