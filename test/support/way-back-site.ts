import { listKept, startWayBack, startWayBackPlan, wayBackPlanOf } from '#engine/features/restore/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { Job } from '#shared/model/job.ts'
import type { KeptState, WayBackPlan } from '#shared/model/plan.ts'
import { endOf } from './restore-site.ts'

export async function keptOf(context: EngineContext, site = 'testsite'): Promise<KeptState[]> {
  const kept = await listKept(context, await context.sites.get(site))
  return kept.map(({ state }) => state)
}

/** @param kept default: the newest */
export async function planWayBack(
  context: EngineContext,
  kind: WayBackPlan['kind'],
  kept?: string,
  site = 'testsite',
): Promise<WayBackPlan> {
  const id = kept ?? (await keptOf(context, site))[0]?.id
  if (id === undefined) throw new Error('nothing is kept')
  const { done } = await startWayBackPlan(context, kind, { site, kept: id })
  return wayBackPlanOf(context, (await done).planId)
}

export async function runWayBack(context: EngineContext, planId: string): Promise<Job> {
  const id = await startWayBack(context, planId)
  if (id === null) throw new Error('not confirmed')
  return endOf(context, id)
}
