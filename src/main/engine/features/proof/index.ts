export { clearKeptDrills } from './drill/kept-drills.ts'
export { removeFetchedOf } from './fetch-backup.ts'
export type { ProofLevel } from './prove.ts'
export { type NightlyProof, type NightlyProofOptions, type NightlyProofs, proveOldest } from './prove-oldest.ts'
export { examineBackup, type ProvenFile, type VerifyLevel, type VerifyOptions, verifyBackup } from './verify.ts'
export {
  type DrillResult,
  startDrill,
  startVerify,
  startVerifyFolder,
  type VerifyFolderRequest,
  type VerifyRequest,
  type VerifyResult,
} from './verify-job.ts'
