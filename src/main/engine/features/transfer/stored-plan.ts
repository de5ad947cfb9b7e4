import { PlanShelf } from '#engine/foundation/plans/plan-shelf.ts'
import type { IndexEntry } from '#engine/foundation/repository/types.ts'
import type { TransferPlan } from '#shared/model/transfer.ts'

/** A plan and what must still be so when it is run. */
export interface StoredTransferPlan {
  plan: TransferPlan
  /** SHA-256 of the site's settings. */
  settings: string
  /** The source's entries of what is copied, by NAME. */
  entries: ReadonlyMap<string, IndexEntry>
  isUsed: boolean
}

export const transferPlans = new PlanShelf<StoredTransferPlan>()
