import { startTransfer, startTransferPlan, transferPlanOf } from '#engine/features/transfer/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { Handlers } from '#engine/router.ts'
import type { transfer as area } from '#shared/contract/transfer.ts'

export function transferProcedures(context: EngineContext): Handlers<typeof area> {
  return {
    'transfer.plan': async (request) => ({ jobId: (await startTransferPlan(context, request)).id }),
    'transfer.getPlan': async ({ planId }) => transferPlanOf(context, planId),
    'transfer.run': async ({ planId }) => ({ jobId: await startTransfer(context, planId) }),
  }
}
