import { IconAlertCircle, IconBan, IconCheck, IconClock, IconHelpCircle, IconPlugConnectedX } from '@tabler/icons-react'
import type { Job } from '#shared/model/job.ts'
import { foundProblem, STATE_WORD } from '../lib/jobs.ts'
import { icon14 } from './icons.tsx'
import classes from './job-state.module.css'
import { Spinner } from './progress.tsx'

/** A job's state as a glyph; the word is there for those who do not see it. */
export function JobStateIcon({ job }: { job: Pick<Job, 'kind' | 'state' | 'items' | 'result'> }) {
  const foundBad = foundProblem(job) !== null
  const word = foundBad ? 'Done, found a problem' : STATE_WORD[job.state]
  return (
    <span className={foundBad ? classes.failed : classes[job.state]} role="img" aria-label={word} title={word}>
      {job.state === 'running' && <Spinner />}
      {job.state === 'queued' && <IconClock {...icon14} />}
      {job.state === 'waiting' && <IconHelpCircle {...icon14} />}
      {job.state === 'done' && !foundBad && <IconCheck {...icon14} />}
      {(job.state === 'failed' || foundBad) && <IconAlertCircle {...icon14} />}
      {job.state === 'cancelled' && <IconBan {...icon14} />}
      {job.state === 'interrupted' && <IconPlugConnectedX {...icon14} />}
    </span>
  )
}
