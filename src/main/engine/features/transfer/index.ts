/** Backups from one repository of a site to another. */
export { startTransferPlan, type TransferRequest, transferPlanOf } from './make-plan.ts'
export { startTransfer } from './run-transfer.ts'
