import { formatDuration, formatMomentLong } from '#shared/format.ts'
import type { Job } from '#shared/model/job.ts'
import type { Outcome } from '../exit.ts'
import type { Session } from '../session.ts'
import { formatTable } from '../table.ts'

export async function listJobs({ engine }: Session): Promise<Outcome> {
  const result = await engine.call('jobs.list', {})
  const rows = result.jobs.map((job) => [job.id, job.state, formatMomentLong(job.createdAt), took(job), job.title])
  return { result, text: rows.length > 0 ? formatTable(['Job', 'State', 'Started', '>Took', 'What'], rows) : 'No jobs yet.\n' }
}

export async function showJob({ engine }: Session, id: string): Promise<Outcome> {
  const result = await engine.call('jobs.show', { id })
  const { job, log } = result
  const error = job.error ? `${job.error.message}\n${job.error.hint}\n` : ''
  const items = job.items.map((item) => `  ${item.state.padEnd(9)} ${item.name}  ${item.detail}\n`).join('')
  const lines = log.map((line) => `  ${line.at.slice(11, 19)}  ${line.text}\n`).join('')
  return {
    result,
    text: `${job.title}: ${job.state}, ${formatMomentLong(job.createdAt)}, took ${took(job)}\n${error}${items}${lines}`,
  }
}

function took(job: Job): string {
  if (!job.startedAt || !job.endedAt) return '–'
  return formatDuration((Date.parse(job.endedAt) - Date.parse(job.startedAt)) / 1000)
}
