import { z } from 'zod'
import { formatMoment } from '#shared/format.ts'
import type { Job } from '#shared/model/job.ts'
import { type Transferred, transferResultSchema } from '#shared/model/transfer.ts'
import { OutcomeIcon } from '../../components/check-list.tsx'
import { discoveryOf, foundText } from '../../lib/discovery.ts'
import { transferSpeed, transferSummary } from '../../lib/transfers.ts'
import classes from './jobs.module.css'

/** What a job on servers and between repositories brought: copied backups, the server's own backup, a command's output, sites. */
export function ServerResults({ job }: { job: Job }) {
  switch (job.kind) {
    case 'transfer':
      return <TransferOutcome job={job} />
    case 'server-backup':
      return <ServerBackup job={job} />
    case 'server-command':
      return (
        <div className={classes.part}>
          <ServerOutput job={job} />
        </div>
      )
    case 'discover':
      return <FoundSites job={job} />
    default:
      return null
  }
}

const OUTCOME: Record<Transferred['outcome'], 'passed' | 'failed' | 'untried' | 'warning'> = {
  copied: 'passed',
  same: 'untried',
  failed: 'failed',
  deleted: 'warning',
}

function TransferOutcome({ job }: { job: Job }) {
  // what a transfer could do before it failed stands in its error
  const result = transferResultSchema.safeParse(job.result ?? job.error?.details.result)
  if (!result.success) return null
  return (
    <div className={classes.part}>
      <h3>{transferSummary(result.data)}</h3>
      <p>{transferSpeed(result.data)}</p>
      <ul className={classes.copied}>
        {result.data.backups.map((backup) => (
          <li key={`${backup.name} ${backup.timestamp}`} data-outcome={backup.outcome}>
            <OutcomeIcon outcome={OUTCOME[backup.outcome]} />
            <b>{backup.name}</b>
            <span>{formatMoment(backup.timestamp)}</span>
            <p data-selectable>{backup.text === '' ? backup.outcome : backup.text}</p>
          </li>
        ))}
      </ul>
    </div>
  )
}

const serverBackupSchema = z.object({ name: z.string(), timestamp: z.string() })

function ServerBackup({ job }: { job: Job }) {
  const result = serverBackupSchema.safeParse(job.result)
  if (!result.success) return null
  return (
    <div className={classes.part}>
      <h3>{result.data.name}</h3>
      <p>Made by the server: {formatMoment(result.data.timestamp)} UTC. It stands in the server’s own folder.</p>
    </div>
  )
}

const outputSchema = z.object({ output: z.string() })

/** What a command printed on the server. */
export function ServerOutput({ job }: { job: Job }) {
  const result = outputSchema.safeParse(job.result)
  if (!result.success || result.data.output.trim() === '') return null
  return (
    <pre className={classes.output} data-selectable>
      {result.data.output.trim()}
    </pre>
  )
}

function FoundSites({ job }: { job: Job }) {
  const discovery = discoveryOf(job)
  if (!discovery) return null
  return (
    <div className={classes.part}>
      <h3>Sites found by {discovery.command}</h3>
      <dl>
        {discovery.sites.map((site) => (
          <div key={site.name}>
            <dt>{site.name}</dt>
            <dd>
              {site.state}; {foundText(site)}
            </dd>
          </div>
        ))}
      </dl>
    </div>
  )
}
