import { useCallback, useEffect, useRef, useState } from 'react'
import type { TransferPlan } from '#shared/model/transfer.ts'
import { call } from '../bridge.ts'
import { callUnlocking } from '../queries.ts'
import { type TransferChoice, type TransferSubject, withoutLoop } from './transfer-choice.ts'
import { type PlanKind, usePlannedRun } from './use-planned-run.ts'

const TRANSFER: PlanKind<TransferPlan> = {
  read: (planId) => call('transfer.getPlan', { planId }),
  run: (planId) => callUnlocking('transfer.run', { planId }),
}

/** A transfer on its way; every change of a choice makes the plan again. */
export function useTransfer({ site, backup }: TransferSubject, first: Pick<TransferChoice, 'from' | 'to'>) {
  const planned = usePlannedRun(TRANSFER)
  const { makePlan } = planned
  const [choice, setChoice] = useState<TransferChoice>({ ...first, deleteOthers: false })
  const latest = useRef(choice)
  const name = backup?.name
  const timestamp = backup?.timestamp
  const replaceOther = backup?.replaceOther ?? false

  const change = useCallback(
    (changed: Partial<TransferChoice>) => {
      const next = withoutLoop(latest.current, changed)
      latest.current = next
      setChoice(next)
      void makePlan(() =>
        callUnlocking('transfer.plan', {
          site,
          ...next,
          ...(name === undefined ? {} : { names: [name], timestamp, replaceOther }),
        }),
      )
    },
    [makePlan, site, name, timestamp, replaceOther],
  )
  useEffect(() => change({}), [change])
  return { ...planned, choice, change }
}
