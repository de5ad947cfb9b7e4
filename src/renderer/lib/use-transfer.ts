import { useCallback, useEffect, useRef, useState } from 'react'
import type { RepositoryName } from '#shared/model/backup.ts'
import type { TransferPlan } from '#shared/model/transfer.ts'
import { call } from '../bridge.ts'
import { callUnlocking } from '../queries.ts'
import { type PlanKind, usePlannedRun } from './use-planned-run.ts'

/** What the operator may choose before the plan is confirmed. */
export interface TransferChoice {
  from: RepositoryName
  to: RepositoryName
  /** Deletes rotation slots of the target that the source does not have. */
  deleteOthers: boolean
}

/** What is copied: one backup, or all that the target lacks. */
export interface TransferSubject {
  site: string
  backup: { name: string; timestamp: string } | null
}

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

  const change = useCallback(
    (changed: Partial<TransferChoice>) => {
      const next = withoutLoop(latest.current, changed)
      latest.current = next
      setChoice(next)
      void makePlan(() =>
        callUnlocking('transfer.plan', { site, ...next, ...(name === undefined ? {} : { names: [name], timestamp }) }),
      )
    },
    [makePlan, site, name, timestamp],
  )
  useEffect(() => change({}), [change])
  return { ...planned, choice, change }
}

/** A place is not copied onto itself: choosing the other end's place turns the direction round. */
export function withoutLoop(before: TransferChoice, changed: Partial<TransferChoice>): TransferChoice {
  const next = { ...before, ...changed }
  if (next.from !== next.to) return next
  return { ...next, from: before.to, to: before.from }
}

/** The same transfer from a terminal. */
export function transferCommand(
  { site, backup }: TransferSubject,
  { from, to, deleteOthers }: TransferChoice,
  confirm: boolean,
): string {
  const what = backup ? `zbd copy ${site} ${backup.name}` : `zbd sync ${site}`
  return [what, `--from ${from}`, `--to ${to}`, deleteOthers ? '--delete' : '', confirm ? `--confirm ${site}` : '']
    .filter((word) => word !== '')
    .join(' ')
}
