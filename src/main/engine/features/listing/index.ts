export { listBackups, listFolder } from './list.ts'
export { whatFailed, withDrill } from './merge-proofs.ts'
export { overview } from './overview.ts'
export { type DrillRecord, forgetKeptFolder, type ProofRecord, readProofs, recordProof } from './proof-store.ts'
