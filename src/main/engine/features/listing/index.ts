export { findBackups, isOfSite, type SiteBackup, unknownBackup, type WantedBackup } from './find.ts'
export { listBackups, listFolder, recentIndex } from './list.ts'
export { whatFailed, withDrill } from './merge-proofs.ts'
export { overview } from './overview.ts'
export {
  type DrillRecord,
  forgetKeptFolder,
  isProven,
  knownDamage,
  type ProofRecord,
  readProofs,
  recordProof,
} from './proof-store.ts'
export { type RepositoryWatch, watchRepositories } from './watch.ts'
