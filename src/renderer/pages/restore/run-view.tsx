import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import type { ProcedureOutput } from '#shared/contract/index.ts'
import type { AppError } from '#shared/errors.ts'
import { formatDuration } from '#shared/format.ts'
import { isJobActive, type Job } from '#shared/model/job.ts'
import type { RestorePlan } from '#shared/model/plan.ts'
import { call } from '../../bridge.ts'
import { LogLines } from '../../components/log-lines.tsx'
import { ProgressBar } from '../../components/progress.tsx'
import { ErrorBox, Notice } from '../../components/states.tsx'
import { StepList } from '../../components/step-list.tsx'
import { cancelJob } from '../../layout/job-bar.tsx'
import { fraction, phaseText, timeLeftText, tookSeconds } from '../../lib/jobs.ts'
import { useMarkSeen } from '../../lib/use-mark-seen.ts'
import { useNow } from '../../stores/clock.ts'
import { navigate } from '../../stores/ui.ts'
import classes from './restore.module.css'

/** The restore while it runs, and how it ended. */
export function RunView({ site, job, plan }: { site: string; job: Job; plan: RestorePlan | null }) {
  useMarkSeen([job])
  const active = isJobActive(job)
  const now = useNow(1)
  const took = tookSeconds(job, now)
  const items =
    job.items.length > 0
      ? job.items
      : (plan?.steps ?? []).map((step) => ({ ...step, state: 'waiting' as const, done: 0, total: null }))
  return (
    <>
      <div className={classes.columns}>
        <div className={classes.left}>
          <Outcome site={site} job={job} plan={plan} took={took} />
          {active && job.phase && (
            <div className={classes.planBar}>
              <ProgressBar value={fraction(job.phase.done, job.phase.total)} label={job.title} />
              <span>
                {phaseText(job.phase)} {timeLeftText(job.phase)}
              </span>
            </div>
          )}
          <StepList items={items} />
          <Journal job={job} />
        </div>
        {plan && (
          <aside className={classes.right} aria-label="Way back">
            <h2>Way back</h2>
            <ul className={classes.wayBack}>
              {plan.wayBack.map((sentence) => (
                <li key={sentence} data-selectable>
                  {sentence}
                </li>
              ))}
            </ul>
          </aside>
        )}
      </div>
      <footer className={classes.footer}>
        {active ? (
          <Button onClick={() => cancelJob(job)}>Cancel the restore</Button>
        ) : (
          <Button
            variant={job.state === 'done' ? 'filled' : 'default'}
            onClick={() => navigate({ page: 'site', site, tab: 'backups' })}
          >
            Back to the backups
          </Button>
        )}
      </footer>
    </>
  )
}

function Outcome({ site, job, plan, took }: { site: string; job: Job; plan: RestorePlan | null; took: number | null }) {
  switch (job.state) {
    case 'done':
      return (
        <div className={classes.box}>
          <Notice tone="ok" title={`${plan?.backup.name ?? 'The backup'} is restored onto ${site}.`}>
            {took === null ? '' : `It took ${formatDuration(took)}.`}
          </Notice>
          <Notice tone="warn" title={`Restart ${site} now.`}>
            The running site still holds what it read before; until it is restarted it may show or write old data. On the server:{' '}
            <code>zotonic restartsite {site}</code>
          </Notice>
          <Undo result={job.result} />
        </div>
      )
    case 'failed':
      return <div className={classes.box}>{job.error && <ErrorBox title="The restore failed." error={job.error} />}</div>
    case 'cancelled':
      return (
        <div className={classes.box}>
          <Notice tone="info" title="Cancelled.">
            {job.error?.message ?? 'The database and the media files are as they were.'}
          </Notice>
        </div>
      )
    case 'interrupted':
      return (
        <div className={classes.box}>
          <Notice tone="warn" title="Interrupted.">
            The engine ended while the restore ran. The database is either as it was or whole as restored, never between.{' '}
            {job.error?.message}
          </Notice>
        </div>
      )
    case 'queued':
    case 'running':
    case 'waiting':
      return (
        <p className={classes.effect}>
          Restoring <b>{plan?.backup.name}</b> onto <b>{site}</b>.{' '}
          {took === null ? 'Waiting for its turn.' : `${formatDuration(took)} so far.`}
        </p>
      )
  }
}

/** How to go back, as the job itself says it. */
function Undo({ result }: { result: unknown }) {
  if (typeof result !== 'object' || result === null || !('undoHint' in result)) return null
  const { undoHint } = result
  if (typeof undoHint !== 'string' || undoHint === '') return null
  return (
    <Notice tone="info" title="To go back:">
      {undoHint}
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
