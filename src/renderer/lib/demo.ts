import { create } from 'zustand'
import type { ProcedureName } from '#shared/contract/index.ts'
import type { AppError } from '#shared/errors.ts'
import type { Job } from '#shared/model/job.ts'
import { call, desk, readError } from '../bridge.ts'
import { callUnlocking, queryClient, useDemoState } from '../queries.ts'
import { jobEnd, useActiveJobs } from '../stores/jobs.ts'
import { navigate, useUi } from '../stores/ui.ts'

interface DemoState {
  error: Pick<AppError, 'code' | 'message' | 'hint'> | null
}

const useDemo = create<DemoState>()(() => ({ error: null }))

type DemoAction = Extract<ProcedureName, `demo.${'start' | 'stop' | 'reset' | 'remove'}`>

/** Runs one of the demo's actions to its end; null when it was not confirmed or failed (the error is kept for the page). */
export async function runDemo(action: DemoAction): Promise<Job | null> {
  useDemo.setState({ error: null })
  try {
    const { jobId } = await callUnlocking(action, {})
    if (jobId === null) return null
    const job = await jobEnd(jobId)
    for (const key of ['demo', 'sites', 'overview', 'backups']) await queryClient.invalidateQueries({ queryKey: [key] })
    if (job.state === 'done') return job
    useDemo.setState({ error: job.error })
  } catch (error) {
    useDemo.setState({ error: readError(error) })
  }
  return null
}

/**
 * Starts the demo site and shows it as soon as it is there (a new one goes on encrypting its newest backups then),
 * unless the operator went elsewhere meanwhile.
 */
export async function openDemo(): Promise<void> {
  const from = useUi.getState().route
  const show = (site: string) => {
    if (useUi.getState().route === from) navigate({ page: 'site', site, tab: 'overview' })
  }
  const stop = desk.subscribe((event) => {
    if (event.type === 'sites-changed') void listedDemo().then((site) => site !== null && show(site))
  })
  const job = await runDemo('demo.start').finally(stop)
  const site = job && siteOfResult(job.result)
  if (site) show(site)
}

/** The demo's name once it is among the sites. What cannot be read now is shown at the end of the job. */
async function listedDemo(): Promise<string | null> {
  try {
    const { sites } = await call('sites.list', {})
    return sites.find((view) => view.isDemo)?.site.name ?? null
  } catch {
    return null
  }
}

function siteOfResult(result: unknown): string | null {
  return typeof result === 'object' && result !== null && 'site' in result && typeof result.site === 'string' ? result.site : null
}

/** The demo's job under way, and why the last one failed. */
export function useDemoJob(): { job: Job | null; error: DemoState['error'] } {
  const error = useDemo((state) => state.error)
  const job = useActiveJobs().find(({ kind }) => kind.startsWith('demo-')) ?? null
  return { job, error }
}

/** True for the demo site while its database is stopped: whatever asks it would only fail to connect. */
export function useIsStoppedDemo(site: string): boolean {
  const demo = useDemoState().data
  return demo?.site === site && demo.state === 'stopped'
}
