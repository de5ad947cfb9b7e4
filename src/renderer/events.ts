import type { EngineEvent } from '#shared/contract/events.ts'
import { isJobActive, type Job } from '#shared/model/job.ts'
import { call, desk } from './bridge.ts'
import { foundProblem, outcomeText } from './lib/jobs.ts'
import { queryClient } from './queries.ts'
import { useDecrypt } from './stores/decrypt.ts'
import { useJobs } from './stores/jobs.ts'
import { type Route, useUi } from './stores/ui.ts'

/** Feeds the stores and the lists from what the engine tells. Returns the way to stop. */
export function connectEvents(): () => void {
  const stop = desk.subscribe(onEvent)
  loadJobs()
  return stop
}

function loadJobs(): void {
  call('jobs.list', {})
    .then(({ jobs }) => {
      useJobs.getState().load(jobs)
      for (const job of jobs) if (job.kind === 'decrypt' && isJobActive(job)) useDecrypt.getState().addJob(job.id)
    })
    .catch((error: Error) => {
      useJobs.getState().load([])
      useUi.getState().toast({ tone: 'bad', text: `The list of jobs could not be read: ${error.message}` })
    })
}

function onEvent(event: EngineEvent): void {
  switch (event.type) {
    case 'job':
      onJob(event.job)
      break
    case 'sites-changed':
      for (const key of ['sites', 'overview', 'demo', 'schedule']) queryClient.invalidateQueries({ queryKey: [key] })
      break
    case 'backups-changed':
      queryClient.invalidateQueries({ queryKey: event.site === null ? ['backups'] : ['backups', event.site] })
      for (const key of ['overview', 'coming-nights']) queryClient.invalidateQueries({ queryKey: [key] })
      // Also told when the engine was started again: its jobs are interrupted now.
      if (event.site === null) loadJobs()
      break
    case 'secrets-changed':
      queryClient.setQueryData(['secrets'], event.state)
      // What was refused for want of a password is tried again.
      if (event.state.state === 'unlocked') queryClient.invalidateQueries()
      break
    case 'schedule-changed':
      // which night replaces a backup is part of the lists
      for (const key of ['schedule', 'coming-nights', 'backups', 'overview']) queryClient.invalidateQueries({ queryKey: [key] })
      break
    case 'preferences-changed':
      queryClient.invalidateQueries({ queryKey: ['settings'] })
      break
  }
}

function onJob(job: Job): void {
  const before = useJobs.getState().jobs.get(job.id)
  useJobs.getState().upsert(job)
  const ended = before !== undefined && isJobActive(before) && !isJobActive(job)
  if (!ended) return
  if (job.kind === 'restore' || job.kind === 'undo' || job.kind === 'drop')
    queryClient.invalidateQueries({ queryKey: ['kept', job.site] })
  // Also what no page shows just now: Preferences must not open with the state of before.
  if (job.kind.startsWith('demo-'))
    for (const key of ['demo', 'sites', 'overview']) queryClient.invalidateQueries({ queryKey: [key], refetchType: 'all' })
  announce(job)
}

/** A toast when a job ended while the operator looked at another page; the page itself shows it in its row. */
function announce(job: Job): void {
  if (job.kind.endsWith('-plan') || job.kind === 'discover' || job.kind.startsWith('demo-') || job.state === 'cancelled') return
  const { route, toast } = useUi.getState()
  const home = homeOf(job)
  if (route.page === 'jobs' || isAt(route, home)) return
  if (foundProblem(job) !== null) toast({ tone: 'bad', text: `${job.title}: ${outcomeText(job)}`, show: home })
  else if (job.state === 'done') toast({ tone: 'ok', text: `${job.title}: done`, show: home })
  else if (job.state === 'failed')
    toast({ tone: 'bad', text: `${job.title}: ${outcomeText(job)}`, show: { page: 'jobs', job: job.id } })
}

function homeOf(job: Job): Route {
  if (job.kind === 'decrypt') return { page: 'decrypt' }
  if (job.kind === 'server-command' && job.site !== null)
    return { page: 'site', site: job.site, tab: 'settings', section: 'server' }
  return job.site === null ? { page: 'jobs', job: job.id } : { page: 'site', site: job.site, tab: 'backups' }
}

function isAt(route: Route, home: Route): boolean {
  if (route.page === 'restore' || route.page === 'way-back' || route.page === 'transfer')
    return home.page === 'site' && home.site === route.site
  if (route.page === 'site' && home.page === 'site')
    return route.site === home.site && (route.tab === home.tab || route.tab === 'jobs')
  return route.page === home.page
}
