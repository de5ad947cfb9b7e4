import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import type { ProcedureOutput } from '#shared/contract/index.ts'
import type { AppError } from '#shared/errors.ts'
import { formatDuration, formatMomentLong } from '#shared/format.ts'
import { isJobActive, type Job } from '#shared/model/job.ts'
import { call } from '../../bridge.ts'
import { DemoStopped } from '../../components/demo-stopped.tsx'
import { DrillReportView } from '../../components/drill-report.tsx'
import { CopyButton } from '../../components/kbd.tsx'
import { LogLines } from '../../components/log-lines.tsx'
import { Pane } from '../../components/pane.tsx'
import { ProgressBar } from '../../components/progress.tsx'
import { ErrorBox, Notice } from '../../components/states.tsx'
import { StepList } from '../../components/step-list.tsx'
import { cancelJob } from '../../layout/job-bar.tsx'
import { drillReportOf, fraction, KIND_WORD, phaseText, STATE_WORD, timeLeftText, tookSeconds } from '../../lib/jobs.ts'
import { useMarkSeen } from '../../lib/use-mark-seen.ts'
import { useNow } from '../../stores/clock.ts'
import { navigate } from '../../stores/ui.ts'
import { BackupResult } from './backup-result.tsx'
import classes from './jobs.module.css'
import { ServerResults } from './server-results.tsx'

const INTERRUPTED =
  'The program ended while this job ran: it was closed, killed, or the computer stopped. What it had not finished was put back or removed when the program started again; run it once more if it is still wanted.'

/** One job: what it did, step by step, how it ended, and its log. Looking at a failure takes it out of the job bar. */
export function JobDetail({ job, onClose }: { job: Job; onClose(): void }) {
  const now = useNow(1)
  const took = tookSeconds(job, now)
  useMarkSeen([job])
  const report = drillReportOf(job)
  return (
    <Pane label={job.title} width={400} narrowWidth={320} title={job.title} close={{ label: 'Close the job', onClose }}>
      <div className={classes.detailBody}>
        <dl>
          <dt>State</dt>
          <dd>
            {STATE_WORD[job.state]}
            {job.state === 'waiting' && job.question !== null ? `: ${job.question}` : ''}
          </dd>
          <dt>Kind</dt>
          <dd>
            {KIND_WORD[job.kind]}
            {job.program === 'zbd' ? ', from the terminal' : ''}
          </dd>
          {job.site !== null && (
            <>
              <dt>Site</dt>
              <dd>{job.site}</dd>
            </>
          )}
          <dt>Started</dt>
          <dd>{job.startedAt ? formatMomentLong(job.startedAt) : 'not yet'}</dd>
          <dt>Took</dt>
          <dd>{took === null ? '–' : formatDuration(took)}</dd>
          <dt>Id</dt>
          <dd className={classes.id}>
            <code>{job.id}</code>
            <CopyButton text={job.id} label="Copy the job’s id" />
          </dd>
        </dl>
        {isJobActive(job) && job.phase && (
          <div className={classes.phase}>
            <div>
              <span>{phaseText(job.phase)}</span>
              <span>{timeLeftText(job.phase)}</span>
            </div>
            <ProgressBar value={fraction(job.phase.done, job.phase.total)} label={job.title} />
          </div>
        )}
        {job.error && job.state !== 'cancelled' && <ErrorBox error={job.error} />}
        {job.state === 'interrupted' && !job.error && (
          <Notice tone="warn" title="Interrupted.">
            {INTERRUPTED}
          </Notice>
        )}
        {job.error && job.site !== null && <DemoStopped site={job.site} />}
        {report && (
          <div className={classes.part}>
            <h3>Report</h3>
            <DrillReportView report={report} />
          </div>
        )}
        <BackupResult job={job} />
        <ServerResults job={job} />
        {job.items.length > 0 && <StepList items={job.items} numbered={job.kind === 'restore'} />}
        <div className={classes.buttons}>
          {isJobActive(job) && (
            <Button data-size="small" onClick={() => cancelJob(job)}>
              Cancel this job
            </Button>
          )}
          {job.kind === 'decrypt' && isJobActive(job) && (
            <Button data-size="small" onClick={() => navigate({ page: 'decrypt' })}>
              Show the files
            </Button>
          )}
        </div>
        <Log job={job} />
      </div>
    </Pane>
  )
}

function Log({ job }: { job: Job }) {
  const active = isJobActive(job)
  const shown = useQuery<ProcedureOutput<'jobs.show'>, AppError>({
    queryKey: ['job', job.id, job.state],
    queryFn: () => call('jobs.show', { id: job.id }),
    refetchInterval: active ? 1000 : false,
    placeholderData: (previous) => previous,
  })
  if (shown.error) return <ErrorBox title="The log could not be read." error={shown.error} onRetry={() => void shown.refetch()} />
  const lines = shown.data?.log ?? []
  if (lines.length === 0) return null
  return (
    <>
      <h3>Log</h3>
      <LogLines lines={lines} label="Log" />
    </>
  )
}
