import { useEffect } from 'react'
import type { Job } from '#shared/model/job.ts'
import { call } from '../bridge.ts'
import { useJobs } from '../stores/jobs.ts'
import { showError } from './show-error.ts'

/** Takes failures out of the job bar: the page that calls this shows why they failed. */
export function useMarkSeen(jobs: readonly (Job | null)[]): void {
  const unseen = jobs.flatMap((job) =>
    job && !job.seen && (job.state === 'failed' || job.state === 'interrupted') ? job.id : [],
  )
  const ids = unseen.join(' ')
  useEffect(() => {
    for (const id of ids.split(' ')) if (id !== '') markSeen(id)
  }, [ids])
}

function markSeen(id: string): void {
  call('jobs.markSeen', { id }).then(() => {
    const { jobs, upsert } = useJobs.getState()
    const known = jobs.get(id)
    if (known) upsert({ ...known, seen: true })
  }, showError)
}
