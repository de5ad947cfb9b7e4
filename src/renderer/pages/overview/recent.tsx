import { Button } from '@mantine/core'
import { formatAge, formatBytes, formatMoment } from '#shared/format.ts'
import { storedBytes } from '#shared/model/backup.ts'
import { KindBadge } from '../../components/badge.tsx'
import { JobStateIcon } from '../../components/job-state.tsx'
import { ErrorBox, SkeletonRows } from '../../components/states.tsx'
import { Section } from '../../layout/page.tsx'
import { outcomeText } from '../../lib/jobs.ts'
import { joinBackups } from '../../lib/join-backups.ts'
import { useBackups } from '../../queries.ts'
import { useNow } from '../../stores/clock.ts'
import { useJobList, useJobs } from '../../stores/jobs.ts'
import { navigate } from '../../stores/ui.ts'
import classes from './site-overview.module.css'

const NO_BACKUPS = { backups: [] }

export function RecentBackups({ site }: { site: string }) {
  const backups = useBackups(site)
  const now = useNow()
  const rows = joinBackups(backups.data ?? NO_BACKUPS).slice(0, 5)
  return (
    <Section
      title="Newest backups"
      aside={
        <Button variant="subtle" data-size="inline" onClick={() => navigate({ page: 'site', site, tab: 'backups' })}>
          Show all
        </Button>
      }
    >
      {backups.error && <ErrorBox error={backups.error} onRetry={() => void backups.refetch()} />}
      {backups.isPending && <SkeletonRows rows={3} height={32} label="Reading the backups" />}
      {backups.data && rows.length === 0 && (
        <p className={classes.none}>
          {backups.data.problems.length > 0
            ? 'The backups could not be listed; “Show all” says why and what to do.'
            : 'No backup yet. “Back up now” makes the first one.'}
        </p>
      )}
      <ul className={classes.rows}>
        {rows.map((row) => (
          <li key={row.key}>
            <span className={classes.rowName}>
              <b>{row.name}</b> <KindBadge kind={row.kind} />
            </span>
            <span>{formatMoment(row.timestamp)}</span>
            <span className={classes.dim}>{formatAge(row.timestamp, now)}</span>
            <span className={classes.right}>{formatBytes(storedBytes(row))}</span>
          </li>
        ))}
      </ul>
    </Section>
  )
}

export function RecentJobs({ site }: { site: string }) {
  const jobs = useJobList(site).slice(0, 5)
  const loaded = useJobs((state) => state.loaded)
  const now = useNow()
  return (
    <Section
      title="Recent jobs"
      aside={
        jobs.length > 0 && (
          <Button variant="subtle" data-size="inline" onClick={() => navigate({ page: 'site', site, tab: 'jobs' })}>
            Show all
          </Button>
        )
      }
    >
      {loaded && jobs.length === 0 && <p className={classes.none}>Nothing has run for this site yet.</p>}
      <ul className={classes.rows}>
        {jobs.map((job) => (
          <li key={job.id}>
            <span className={classes.rowName}>
              <JobStateIcon job={job} />
              <button
                type="button"
                className={classes.link}
                onClick={() => navigate({ page: 'site', site, tab: 'jobs', job: job.id })}
              >
                {job.title}
              </button>
            </span>
            <span className={classes.outcome} data-bad={job.error !== null || undefined}>
              {outcomeText(job)}
            </span>
            <span className={`${classes.dim} ${classes.right}`}>{formatAge(job.createdAt, now)}</span>
          </li>
        ))}
      </ul>
    </Section>
  )
}
