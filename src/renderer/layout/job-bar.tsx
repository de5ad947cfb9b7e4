import { Button } from '@mantine/core'
import { IconAlertCircle, IconCircleCheck, IconClock, IconHelpCircle } from '@tabler/icons-react'
import { formatClock, formatComing, formatPlural, formatWeekdayDay } from '#shared/format.ts'
import type { Job } from '#shared/model/job.ts'
import { call } from '../bridge.ts'
import { icon14 } from '../components/icons.tsx'
import { ProgressBar, Spinner } from '../components/progress.tsx'
import { fraction, jobBarSubject, outcomeText, phaseText, timeLeftText } from '../lib/jobs.ts'
import { firstNight } from '../lib/next-night.ts'
import { showError } from '../lib/show-error.ts'
import { useNights } from '../queries.ts'
import { useNow } from '../stores/clock.ts'
import { useJobList } from '../stores/jobs.ts'
import { navigate, useUi } from '../stores/ui.ts'
import classes from './job-bar.module.css'

/** Always there: what runs now, or the failure that nobody looked at yet, or that all is quiet. */
export function JobBar() {
  const subject = jobBarSubject(useJobList())
  const now = useNow(5)
  return (
    <section className={classes.bar} aria-label="Jobs">
      {subject ? <Subject job={subject.job} /> : <Idle />}
      <div className={classes.right}>
        {subject !== null && subject.queued > 0 && (
          <>
            <span>{formatPlural(subject.queued, 'job')} queued</span>
            <span aria-hidden="true">·</span>
          </>
        )}
        <time dateTime={now.toISOString()}>
          {formatWeekdayDay(now)} {formatClock(now)} UTC
        </time>
      </div>
    </section>
  )
}

function Idle() {
  const awaiting = useUi((state) => state.awaitingConfirmation)
  const first = firstNight(useNights().data?.sites ?? [])
  const now = useNow()
  return (
    <div className={classes.left}>
      <IconCircleCheck {...icon14} className={classes.quiet} />
      <span>No jobs running</span>
      {awaiting === null && first !== null && (
        <>
          <span aria-hidden="true">·</span>
          <span className={classes.detail}>
            Next: {first.site} {formatComing(first.at, now)} UTC
          </span>
        </>
      )}
      {awaiting !== null && (
        <>
          <span aria-hidden="true">·</span>
          <span className={classes.detail}>{awaiting}</span>
        </>
      )}
    </div>
  )
}

function Subject({ job }: { job: Job }) {
  if (job.state === 'failed' || job.state === 'interrupted') return <Failed job={job} />
  return (
    <div className={classes.left}>
      <StateIcon job={job} />
      <b>{job.title}</b>
      <span className={classes.detail}>
        {job.state === 'waiting'
          ? (job.question ?? 'waits for an answer')
          : job.phase
            ? phaseText(job.phase)
            : job.state === 'queued'
              ? 'waits for its turn'
              : ''}
      </span>
      {job.state === 'running' && job.phase && (
        <>
          <span className={classes.progress}>
            <ProgressBar value={fraction(job.phase.done, job.phase.total)} label={job.title} />
          </span>
          <span className={classes.timeLeft}>{timeLeftText(job.phase)}</span>
        </>
      )}
      {job.state === 'waiting' && (
        <Button data-size="inline" variant="subtle" onClick={() => showJob(job)}>
          Show
        </Button>
      )}
      <Button data-size="inline" variant="subtle" onClick={() => cancelJob(job)}>
        Cancel
      </Button>
    </div>
  )
}

function StateIcon({ job }: { job: Job }) {
  if (job.state === 'running') return <Spinner />
  return job.state === 'waiting' ? <IconHelpCircle {...icon14} /> : <IconClock {...icon14} />
}

function Failed({ job }: { job: Job }) {
  return (
    <div className={`${classes.left} ${classes.failed}`} role="alert">
      <IconAlertCircle {...icon14} />
      <b>
        {job.title}: {job.state === 'failed' ? 'failed' : 'interrupted'}
      </b>
      <span className={classes.detail}>{outcomeText(job)}</span>
      <Button data-size="inline" variant="danger" onClick={() => showJob(job)}>
        Show
      </Button>
    </div>
  )
}

function showJob(job: Job): void {
  navigate(job.kind === 'decrypt' && job.state === 'waiting' ? { page: 'decrypt' } : { page: 'jobs', job: job.id })
}

export function cancelJob(job: Job): void {
  call('jobs.cancel', { id: job.id }).catch(showError)
}
