export { examineBackup, type ProvenFile, type VerifyLevel, type VerifyOptions, verifyBackup } from './verify.ts'
export { startVerify, startVerifyFolder, type VerifyFolderRequest, type VerifyRequest, type VerifyResult } from './verify-job.ts'
