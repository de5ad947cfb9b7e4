import { useMemo } from 'react'
import { create } from 'zustand'
import { isJobActive, type Job } from '#shared/model/job.ts'
import { newestFirst } from '../lib/jobs.ts'

interface JobsState {
  jobs: ReadonlyMap<string, Job>
  loaded: boolean
  upsert(job: Job): void
  load(jobs: readonly Job[]): void
}

/** Every job the engine told of, by id. */
export const useJobs = create<JobsState>()((set) => ({
  jobs: new Map(),
  loaded: false,
  upsert: (job) => set((state) => ({ jobs: new Map(state.jobs).set(job.id, job) })),
  load: (jobs) =>
    set((state) => {
      const next = new Map(state.jobs)
      for (const job of jobs) next.set(job.id, job)
      return { jobs: next, loaded: true }
    }),
}))

export function useJob(id: string | null): Job | null {
  return useJobs((state) => (id === null ? null : (state.jobs.get(id) ?? null)))
}

/** Newest first; of one site when it is named. */
export function useJobList(site?: string): Job[] {
  const jobs = useJobs((state) => state.jobs)
  return useMemo(() => newestFirst(jobs.values()).filter((job) => site === undefined || job.site === site), [jobs, site])
}

/** How many jobs are under way; of one site when it is named. */
export function useActiveJobs(site?: string): Job[] {
  return useJobList(site).filter(isJobActive)
}

/** Resolves when a job has ended, with its last state. */
export function jobEnd(id: string): Promise<Job> {
  return new Promise((resolve) => {
    const ended = (job: Job | undefined) => {
      if (!job || isJobActive(job)) return false
      resolve(job)
      return true
    }
    if (ended(useJobs.getState().jobs.get(id))) return
    const stop = useJobs.subscribe((state) => {
      if (ended(state.jobs.get(id))) stop()
    })
  })
}
