import {
  listKept,
  planOf,
  startRestore,
  startRestorePlan,
  startWayBack,
  startWayBackPlan,
  wayBackPlanOf,
} from '#engine/features/restore/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { Handlers } from '#engine/router.ts'
import type { restore as area } from '#shared/contract/restore.ts'

export function restoreProcedures(context: EngineContext): Handlers<typeof area> {
  return {
    'restore.plan': async (request) => ({ jobId: (await startRestorePlan(context, request)).id }),
    'restore.getPlan': async ({ planId }) => planOf(context, planId).plan,
    'restore.run': async ({ planId }) => ({ jobId: await startRestore(context, planId) }),
    'restore.kept': async ({ site }) => {
      const kept = await listKept(context, await context.sites.get(site))
      return { kept: kept.map(({ state }) => state) }
    },
    'restore.planUndo': async (request) => ({ jobId: (await startWayBackPlan(context, 'undo', request)).id }),
    'restore.planDrop': async (request) => ({ jobId: (await startWayBackPlan(context, 'drop', request)).id }),
    'restore.getWayBackPlan': async ({ planId }) => wayBackPlanOf(context, planId),
    'restore.runWayBack': async ({ planId }) => ({ jobId: await startWayBack(context, planId) }),
  }
}
