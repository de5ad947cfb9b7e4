import { useCallback, useEffect, useRef, useState } from 'react'
import { AppError } from '#shared/errors.ts'
import type { Job } from '#shared/model/job.ts'
import { call, readError } from '../bridge.ts'
import { jobEnd, useJob } from '../stores/jobs.ts'
import { useUi } from '../stores/ui.ts'

const WAITING = 'Waiting for your confirmation of this plan'

/** How one kind of plan is read and run. Made once, outside of components. */
export interface PlanKind<P> {
  read(planId: string): Promise<P>
  /** `jobId` null: not confirmed, nothing done. */
  run(planId: string): Promise<{ jobId: string | null }>
}

/** A change to a server on its way: making the plan, the shell's confirmation, the run. */
export function usePlannedRun<P extends { id: string }>(kind: PlanKind<P>) {
  const [plan, setPlan] = useState<P | null>(null)
  const [error, setError] = useState<AppError | null>(null)
  const [planning, setPlanning] = useState(true)
  const [planJobId, setPlanJobId] = useState<string | null>(null)
  const [confirming, setConfirming] = useState(false)
  const [notConfirmed, setNotConfirmed] = useState(false)
  const [runJobId, setRunJobId] = useState<string | null>(null)
  const latest = useRef<{ turn: number; job: string | null }>({ turn: 0, job: null })

  /** Starts the job that makes the plan; a plan that is being made is given up for it. */
  const makePlan = useCallback(
    async (start: () => Promise<{ jobId: string }>) => {
      const turn = ++latest.current.turn
      const isLatest = () => turn === latest.current.turn
      cancelQuietly(latest.current.job)
      latest.current.job = null
      setPlanning(true)
      setError(null)
      setNotConfirmed(false)
      try {
        const started = await start()
        if (!isLatest()) return cancelQuietly(started.jobId)
        latest.current.job = started.jobId
        setPlanJobId(started.jobId)
        const made = await kind.read(planIdOf(await jobEnd(started.jobId)))
        if (isLatest()) setPlan(made)
      } catch (thrown) {
        if (isLatest()) setError(readError(thrown))
      }
      if (isLatest()) {
        latest.current.job = null
        setPlanning(false)
      }
    },
    [kind],
  )

  useEffect(() => {
    const state = latest.current
    return () => {
      state.turn += 1
      cancelQuietly(state.job)
      state.job = null
    }
  }, [])

  const run = useCallback(async () => {
    if (!plan) return
    const { setAwaitingConfirmation } = useUi.getState()
    setConfirming(true)
    setNotConfirmed(false)
    setError(null)
    setAwaitingConfirmation(WAITING)
    try {
      const { jobId } = await kind.run(plan.id)
      if (jobId === null) setNotConfirmed(true)
      else setRunJobId(jobId)
    } catch (thrown) {
      setError(readError(thrown))
    }
    setAwaitingConfirmation(null)
    setConfirming(false)
  }, [plan, kind])

  return {
    plan,
    error,
    planning,
    planJob: useJob(planJobId),
    confirming,
    notConfirmed,
    job: useJob(runJobId),
    makePlan,
    run,
  }
}

export type PlannedRun<P extends { id: string }> = ReturnType<typeof usePlannedRun<P>>

/** The plan that a job made. @throws AppError why it made none */
export function planIdOf(job: Job): string {
  const { result } = job
  if (
    job.state === 'done' &&
    typeof result === 'object' &&
    result !== null &&
    'planId' in result &&
    typeof result.planId === 'string'
  )
    return result.planId
  if (job.error) throw AppError.fromData(job.error)
  throw new AppError('no-plan', 'The plan was not made. Nothing has been changed.')
}

/** A plan that nobody waits for any more; that it may have ended by itself is no matter. */
function cancelQuietly(jobId: string | null): void {
  if (jobId !== null) call('jobs.cancel', { id: jobId }).catch(() => {})
}
