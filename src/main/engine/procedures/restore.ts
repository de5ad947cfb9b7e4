import { planOf, startRestore, startRestorePlan } from '#engine/features/restore/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { Handlers } from '#engine/router.ts'
import type { restore as area } from '#shared/contract/restore.ts'
import { beingBuilt } from './being-built.ts'

export function restoreProcedures(context: EngineContext): Handlers<typeof area> {
  return {
    'restore.plan': async (request) => ({ jobId: (await startRestorePlan(context, request)).id }),
    'restore.getPlan': async ({ planId }) => planOf(context, planId).plan,
    'restore.run': async ({ planId }) => ({ jobId: await startRestore(context, planId) }),
    'restore.kept': beingBuilt,
    'restore.planUndo': beingBuilt,
    'restore.planDrop': beingBuilt,
    'restore.getWayBackPlan': beingBuilt,
    'restore.runWayBack': beingBuilt,
  }
}
