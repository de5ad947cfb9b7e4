import { PlanShelf } from '#engine/foundation/plans/plan-shelf.ts'
import type { IndexEntry } from '#engine/foundation/repository/types.ts'
import type { TransferPlan } from '#shared/model/transfer.ts'

/** A plan and what must still be so when it is run. */
export interface StoredTransferPlan {
  plan: TransferPlan
  /** SHA-256 of the site's settings. */
  settings: string
  /** By NAME: the source's entry, and the Unix seconds of what the target's slot had; null: nothing. */
  backups: ReadonlyMap<string, { entry: IndexEntry; present: number | null }>
  isUsed: boolean
}

export const transferPlans = new PlanShelf<StoredTransferPlan>()
