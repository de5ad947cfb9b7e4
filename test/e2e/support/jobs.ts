import { expect } from '@playwright/test'
import type { Preferences } from '#shared/contract/settings.ts'
import type { Job, JobState } from '#shared/model/job.ts'
import type { Desk } from './desk.ts'

/** The jobs as the window knows them, newest first. */
export async function jobs(desk: Desk): Promise<Job[]> {
  return desk.window.evaluate(async () => (await window.desk.invoke('jobs.list', {})).jobs)
}

/** The preferences as the engine has them. */
export async function preferences(desk: Desk): Promise<Preferences> {
  return desk.window.evaluate(async () => (await window.desk.invoke('settings.get', {})).preferences)
}

/** Changes preferences, as their page would. */
export async function setPreferences(desk: Desk, preferences: Partial<Preferences>): Promise<void> {
  await desk.window.evaluate((changed) => window.desk.invoke('settings.update', { preferences: changed }), preferences)
}

/** Does what starts a job and returns the job's id as soon as it is known. */
export async function startedBy(desk: Desk, action: () => Promise<unknown>): Promise<string> {
  const before = new Set((await jobs(desk)).map(({ id }) => id))
  await action()
  let id: string | undefined
  await expect
    .poll(async () => {
      id = (await jobs(desk)).find((job) => !before.has(job.id))?.id
      return id
    })
    .toBeDefined()
  return id ?? ''
}

/** Waits until a job is in a state, and returns it. */
export async function jobIs(desk: Desk, id: string, state: JobState, timeout = 60_000): Promise<Job> {
  // an engine that was killed answers again when it was started anew
  const show = () =>
    desk.window.evaluate(
      (id) =>
        window.desk.invoke('jobs.show', { id }).then(
          ({ job }) => job,
          () => null,
        ),
      id,
    )
  await expect
    .poll(
      async () => {
        const job = await show()
        if (!job) return 'no answer'
        const { state: now, error } = job
        // an end that was not meant is told at once
        if (!['queued', 'running', 'waiting', state].includes(now)) throw new Error(`The job is ${now}. ${error?.message ?? ''}`)
        return now
      },
      { timeout, intervals: [200] },
    )
    .toBe(state)
  const job = await show()
  if (!job) throw new Error(`There is no job ${id}.`)
  return job
}

/** Kills the engine as a crash would. */
export async function killEngine(desk: Desk): Promise<void> {
  const pid = await desk.app.electron.evaluate(
    ({ app }) => app.getAppMetrics().find((entry) => entry.name === 'Backup Desk engine')?.pid,
  )
  if (pid === undefined) throw new Error('There is no engine.')
  process.kill(pid, 'SIGKILL')
}
