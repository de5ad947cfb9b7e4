import { IconAlertCircle, IconBan, IconCheck, IconKey } from '@tabler/icons-react'
import type { JobItem } from '#shared/model/job.ts'
import { fraction } from '../lib/jobs.ts'
import { icon14 } from './icons.tsx'
import { ProgressBar, Spinner } from './progress.tsx'
import classes from './step-list.module.css'

/** Steps or parts of a job: done = green check, running = highlighted with a bar, waiting = its number, failed = red. */
export function StepList({
  items,
  numbered = true,
}: {
  items: readonly Pick<JobItem, 'id' | 'name' | 'state' | 'detail' | 'done' | 'total'>[]
  numbered?: boolean
}) {
  return (
    <ol className={classes.steps}>
      {items.map((item, index) => (
        <li key={item.id} className={classes.step} data-state={item.state}>
          <span className={classes.bullet}>
            <Bullet state={item.state} number={numbered ? index + 1 : null} />
          </span>
          <div>
            <div className={classes.name}>{item.name}</div>
            {item.detail !== '' && (
              <p className={classes.text} data-selectable>
                {item.detail}
              </p>
            )}
            {item.state === 'running' && (
              <div className={classes.bar}>
                <ProgressBar value={fraction(item.done, item.total)} label={item.name} />
              </div>
            )}
          </div>
        </li>
      ))}
    </ol>
  )
}

function Bullet({ state, number }: { state: JobItem['state']; number: number | null }) {
  switch (state) {
    case 'done':
      return <IconCheck {...icon14} aria-hidden={false} aria-label="done" role="img" />
    case 'running':
      return <Spinner size={14} />
    case 'failed':
    case 'refused':
      return <IconAlertCircle {...icon14} aria-hidden={false} aria-label="failed" role="img" />
    case 'needs-password':
      return <IconKey {...icon14} aria-hidden={false} aria-label="needs a password" role="img" />
    case 'skipped':
      return <IconBan {...icon14} aria-hidden={false} aria-label="skipped" role="img" />
    case 'waiting':
      return number === null ? <i /> : number
  }
}
