import { Button } from '@mantine/core'
import { useState } from 'react'
import { formatDuration, formatMoment, formatNearMoment } from '#shared/format.ts'
import { isJobActive, type Job } from '#shared/model/job.ts'
import { SegmentedFilter } from '../../components/filters.tsx'
import { JobStateIcon } from '../../components/job-state.tsx'
import { Columns, Main, Scroll } from '../../components/pane.tsx'
import { ProgressBar } from '../../components/progress.tsx'
import { Empty, SkeletonRows } from '../../components/states.tsx'
import table from '../../components/table.module.css'
import { cancelJob } from '../../layout/job-bar.tsx'
import { Page, SiteTitle, ToolRow } from '../../layout/page.tsx'
import { fraction, KIND_WORD, outcomeText, STATE_WORD, tookSeconds } from '../../lib/jobs.ts'
import { useNow } from '../../stores/clock.ts'
import { useJobList, useJobs } from '../../stores/jobs.ts'
import { navigate, type Route } from '../../stores/ui.ts'
import { JobDetail } from './job-detail.tsx'
import classes from './jobs.module.css'

type JobFilter = 'all' | 'active' | 'failed'

const FILTERS: Record<JobFilter, (job: Job) => boolean> = {
  all: () => true,
  active: isJobActive,
  failed: (job) => job.state === 'failed' || job.state === 'interrupted',
}

/** What runs and what ran, of all sites or of one. */
export function JobsPage({ site, selected }: { site?: string; selected: string | null }) {
  const jobs = useJobList(site)
  const loaded = useJobs((state) => state.loaded)
  const [filter, setFilter] = useState<JobFilter>('all')
  const shown = jobs.filter(FILTERS[filter])
  const chosen = jobs.find((job) => job.id === selected) ?? null
  const at = (job?: string): Route =>
    site === undefined ? { page: 'jobs', ...(job ? { job } : {}) } : { page: 'site', site, tab: 'jobs', ...(job ? { job } : {}) }
  const count = (name: JobFilter) => jobs.filter(FILTERS[name]).length
  return (
    <Page title={site === undefined ? 'All jobs' : <SiteTitle site={site} page="Jobs" />}>
      <Columns>
        <Main>
          <ToolRow>
            <SegmentedFilter
              label="Jobs"
              value={filter}
              onChange={setFilter}
              options={[
                { value: 'all', label: 'All', count: count('all') },
                { value: 'active', label: 'Under way', count: count('active') },
                { value: 'failed', label: 'Failed', count: count('failed') },
              ]}
            />
          </ToolRow>
          <Scroll>
            {!loaded && (
              <div className={classes.loading}>
                <SkeletonRows rows={6} height={48} label="Reading the jobs" />
              </div>
            )}
            {shown.length > 0 && (
              <table
                className={`${table.table} ${table.edged} ${classes.table}`}
                aria-label="Jobs"
                data-detail={chosen !== null || undefined}
              >
                <thead>
                  <tr>
                    <th>Job</th>
                    {site === undefined && chosen === null && <th className={classes.colSite}>Site</th>}
                    <th className={classes.colStarted}>Started</th>
                    <th className={classes.colTook}>Took</th>
                    <th className={classes.colAction}>
                      <span className="visually-hidden">Cancel</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {shown.map((job) => (
                    <JobRow
                      key={job.id}
                      job={job}
                      withSite={site === undefined && chosen === null}
                      selected={job.id === selected}
                      onOpen={() => navigate(at(job.id))}
                    />
                  ))}
                </tbody>
              </table>
            )}
            {loaded && jobs.length === 0 && (
              <Empty
                title="No job has run yet"
                text="Backups, verifications, restores and decryptions are listed here while they run and afterwards."
              />
            )}
            {jobs.length > 0 && shown.length === 0 && (
              <Empty title={filter === 'active' ? 'No job is under way' : 'No job has failed'} />
            )}
          </Scroll>
        </Main>
        {chosen && <JobDetail key={chosen.id} job={chosen} onClose={() => navigate(at())} />}
      </Columns>
    </Page>
  )
}

function JobRow({ job, withSite, selected, onOpen }: { job: Job; withSite: boolean; selected: boolean; onOpen(): void }) {
  const now = useNow(1)
  const took = tookSeconds(job, now)
  return (
    <tr className={`${table.row} ${classes.row}`} data-state={job.state} aria-current={selected || undefined}>
      <td>
        <div className={classes.job}>
          <JobStateIcon job={job} />
          <div>
            <div className={classes.name}>
              <button type="button" className={`${table.open} ${classes.open}`} onClick={onOpen}>
                {job.title}
              </button>
              <span>
                {KIND_WORD[job.kind]}
                {job.state === 'done' || job.state === 'cancelled' ? '' : ` · ${STATE_WORD[job.state].toLowerCase()}`}
                {job.program === 'zbd' ? ' · from the terminal' : ''}
              </span>
            </div>
            <p className={classes.outcome}>{outcomeText(job)}</p>
            {job.state === 'running' && job.phase && (
              <div className={classes.bar}>
                <ProgressBar value={fraction(job.phase.done, job.phase.total)} label={job.title} />
              </div>
            )}
          </div>
        </div>
      </td>
      {withSite && <td>{job.site ?? '–'}</td>}
      <td title={job.startedAt ? formatMoment(job.startedAt) : undefined}>
        {job.startedAt ? formatNearMoment(job.startedAt, now) : 'not yet'}
      </td>
      <td className={classes.colTook}>{took === null ? '–' : formatDuration(took)}</td>
      <td className={classes.colAction}>
        {isJobActive(job) && (
          <Button
            className={table.above}
            data-size="inline"
            variant="subtle"
            aria-label={`Cancel ${job.title}`}
            onClick={() => cancelJob(job)}
          >
            Cancel
          </Button>
        )}
      </td>
    </tr>
  )
}
