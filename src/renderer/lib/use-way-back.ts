import { useCallback, useEffect } from 'react'
import type { WayBackPlan } from '#shared/model/plan.ts'
import { call } from '../bridge.ts'
import { callUnlocking } from '../queries.ts'
import { type PlanKind, usePlannedRun } from './use-planned-run.ts'

/** Going back to what a restore set aside, or deleting that for good. */
export interface WayBackTarget {
  site: string
  kind: WayBackPlan['kind']
  /** Id of the kept state. */
  kept: string
}

const WAY_BACK: PlanKind<WayBackPlan> = {
  read: (planId) => call('restore.getWayBackPlan', { planId }),
  run: (planId) => callUnlocking('restore.runWayBack', { planId }),
}

export function useWayBack({ site, kind, kept }: WayBackTarget) {
  const planned = usePlannedRun(WAY_BACK)
  const { makePlan } = planned
  const replan = useCallback(
    () => void makePlan(() => callUnlocking(kind === 'undo' ? 'restore.planUndo' : 'restore.planDrop', { site, kept })),
    [makePlan, site, kind, kept],
  )
  useEffect(replan, [replan])
  return { ...planned, replan }
}
