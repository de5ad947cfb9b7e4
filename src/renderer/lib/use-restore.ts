import { useCallback, useEffect, useRef, useState } from 'react'
import { AppError } from '#shared/errors.ts'
import type { RepositoryName } from '#shared/model/backup.ts'
import type { Job } from '#shared/model/job.ts'
import type { RestorePart, RestorePlan } from '#shared/model/plan.ts'
import { call, readError } from '../bridge.ts'
import { callUnlocking } from '../queries.ts'
import { jobEnd, useJob } from '../stores/jobs.ts'
import { useUi } from '../stores/ui.ts'

export interface RestoreTarget {
  site: string
  name: string
  timestamp: string
  from?: RepositoryName
}

const WAITING = 'Waiting for your confirmation of this plan'

/** A restore on its way: making the plan, the shell's confirmation, the run. */
export function useRestore(target: RestoreTarget) {
  const { site, name, timestamp, from } = target
  const [parts, setParts] = useState<RestorePart[]>(['database', 'files'])
  const [plan, setPlan] = useState<RestorePlan | null>(null)
  const [error, setError] = useState<AppError | null>(null)
  const [planning, setPlanning] = useState(true)
  const [planJobId, setPlanJobId] = useState<string | null>(null)
  const [confirming, setConfirming] = useState(false)
  const [notConfirmed, setNotConfirmed] = useState(false)
  const [runJobId, setRunJobId] = useState<string | null>(null)
  const latest = useRef<{ turn: number; job: string | null }>({ turn: 0, job: null })

  const makePlan = useCallback(
    async (nextParts: RestorePart[], passwords: string[] = []) => {
      const turn = ++latest.current.turn
      const isLatest = () => turn === latest.current.turn
      cancelQuietly(latest.current.job)
      latest.current.job = null
      setParts(nextParts)
      setPlanning(true)
      setError(null)
      setNotConfirmed(false)
      try {
        const started = await callUnlocking('restore.plan', {
          site,
          name,
          timestamp,
          parts: nextParts,
          passwords,
          ...(from ? { from } : {}),
        })
        if (!isLatest()) return cancelQuietly(started.jobId)
        latest.current.job = started.jobId
        setPlanJobId(started.jobId)
        const made = await call('restore.getPlan', { planId: planIdOf(await jobEnd(started.jobId)) })
        if (isLatest()) setPlan(made)
      } catch (thrown) {
        if (isLatest()) setError(readError(thrown))
      }
      if (isLatest()) {
        latest.current.job = null
        setPlanning(false)
      }
    },
    [site, name, timestamp, from],
  )

  useEffect(() => {
    const state = latest.current
    void makePlan(['database', 'files'])
    return () => {
      state.turn += 1
      cancelQuietly(state.job)
      state.job = null
    }
  }, [makePlan])

  const run = useCallback(async () => {
    if (!plan) return
    const { setAwaitingConfirmation } = useUi.getState()
    setConfirming(true)
    setNotConfirmed(false)
    setError(null)
    setAwaitingConfirmation(WAITING)
    try {
      const { jobId } = await callUnlocking('restore.run', { planId: plan.id })
      if (jobId === null) setNotConfirmed(true)
      else setRunJobId(jobId)
    } catch (thrown) {
      setError(readError(thrown))
    }
    setAwaitingConfirmation(null)
    setConfirming(false)
  }, [plan])

  return {
    parts,
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

function planIdOf(job: Job): string {
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
