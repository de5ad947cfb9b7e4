import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import type { ProcedureOutput } from '#shared/contract/index.ts'
import type { AppError } from '#shared/errors.ts'
import { formatDuration } from '#shared/format.ts'
import { isJobActive, type Job } from '#shared/model/job.ts'
import type { PlanStep } from '#shared/model/plan.ts'
import { call } from '../../bridge.ts'
import { LogLines } from '../../components/log-lines.tsx'
import { Columns, Scroll } from '../../components/pane.tsx'
import { ProgressBar } from '../../components/progress.tsx'
import { ErrorBox, Notice } from '../../components/states.tsx'
import { StepList } from '../../components/step-list.tsx'
import { cancelJob } from '../../layout/job-bar.tsx'
import { fraction, phaseText, timeLeftText, tookSeconds } from '../../lib/jobs.ts'
import { useMarkSeen } from '../../lib/use-mark-seen.ts'
import { useNow } from '../../stores/clock.ts'
import { WayBackPane } from './plan-view.tsx'
import classes from './restore.module.css'

/** What is said of one kind of run. */
export interface RunWords {
  /** While it runs, before the time it took: "Restoring testsite-6 onto testsite." */
  doing: ReactNode
  /** "The restore failed." */
  failed: string
  cancelled: string
  interrupted: string
  /** "Cancel the restore" */
  cancel: string
  back: string
}

/** A confirmed plan while it runs, and how it ended. */
export function RunView(props: {
  job: Job
  plan: { steps: readonly PlanStep[]; wayBack: readonly string[] } | null
  words: RunWords
  /** Shown when it went well. */
  done: ReactNode
  onBack(): void
}) {
  const { job, plan, words } = props
  useMarkSeen([job])
  const active = isJobActive(job)
  const took = tookSeconds(job, useNow(1))
  const items =
    job.items.length > 0
      ? job.items
      : (plan?.steps ?? []).map((step) => ({ ...step, state: 'waiting' as const, done: 0, total: null }))
  return (
    <>
      <Columns>
        <Scroll padded>
          {active ? (
            <p className={classes.effect}>
              {words.doing} {took === null ? 'Waiting for its turn.' : `${formatDuration(took)} so far.`}
            </p>
          ) : (
            <div className={classes.box}>{job.state === 'done' ? props.done : <Stopped job={job} words={words} />}</div>
          )}
          {active && job.phase && (
            <div className={classes.planBar}>
              <ProgressBar value={fraction(job.phase.done, job.phase.total)} label={job.title} />
              <span>{[phaseText(job.phase), timeLeftText(job.phase)].filter((text) => text !== '').join(' · ')}</span>
            </div>
          )}
          <StepList items={items} />
          <Journal job={job} />
        </Scroll>
        {plan && <WayBackPane plan={{ wayBack: plan.wayBack }} />}
      </Columns>
      <footer className={classes.footer}>
        {active ? (
          <Button onClick={() => cancelJob(job)}>{words.cancel}</Button>
        ) : (
          <Button variant={job.state === 'done' ? 'filled' : 'default'} onClick={props.onBack}>
            {words.back}
          </Button>
        )}
      </footer>
    </>
  )
}

function Stopped({ job, words }: { job: Job; words: RunWords }) {
  if (job.state === 'failed') return job.error && <ErrorBox title={words.failed} error={job.error} />
  if (job.state === 'cancelled') {
    return (
      <Notice tone="info" title="Cancelled.">
        {job.error?.message ?? words.cancelled}
      </Notice>
    )
  }
  return (
    <Notice tone="warn" title="Interrupted.">
      {words.interrupted} {job.error?.message}
    </Notice>
  )
}

function Journal({ job }: { job: Job }) {
  const shown = useQuery<ProcedureOutput<'jobs.show'>, AppError>({
    queryKey: ['job', job.id, job.state],
    queryFn: () => call('jobs.show', { id: job.id }),
    refetchInterval: isJobActive(job) ? 1000 : false,
    placeholderData: (previous) => previous,
  })
  const lines = shown.data?.log ?? []
  if (lines.length === 0) return null
  return (
    <div className={classes.journal}>
      <LogLines lines={lines} label="Journal" />
    </div>
  )
}
