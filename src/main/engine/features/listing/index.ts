export { listBackups, listFolder } from './list.ts'
export { overview } from './overview.ts'
export { type ProofRecord, recordProof } from './proof-store.ts'
