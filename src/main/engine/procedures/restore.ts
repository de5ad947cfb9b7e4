import type { restore as area } from '#shared/contract/restore.ts'
import { planOf, startRestore, startRestorePlan } from '../features/restore/index.ts'
import type { EngineContext } from '../foundation/context.ts'
import type { Handlers } from '../router.ts'

export function restoreProcedures(context: EngineContext): Handlers<typeof area> {
  return {
    'restore.plan': async (request) => ({ jobId: (await startRestorePlan(context, request)).id }),
    'restore.getPlan': async ({ planId }) => planOf(context, planId).plan,
    'restore.run': async ({ planId }) => ({ jobId: await startRestore(context, planId) }),
  }
}
