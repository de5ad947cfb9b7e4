import { randomBytes } from 'node:crypto'
import { access, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, cancelledError, toAppError } from '#shared/errors.ts'
import { isJobActive, type Job } from '#shared/model/job.ts'
import { writeFileAtomic } from '../files/atomic.ts'
import type { Lock, Locks } from '../locks.ts'
import type { Logger } from '../log.ts'
import { isAlive, ownIdentity } from '../process-identity.ts'
import {
  appendToJournal,
  createJournal,
  type JournalContent,
  journalPath,
  listJournals,
  pruneJournals,
  readJournal,
} from './journal.ts'
import { createRunningJob, type RunningJob } from './running-job.ts'
import type { JobHandle, JobSpec, Jobs } from './types.ts'

/** How often a job looks for a cancel that another program asked for. */
const CANCEL_POLL_MS = 1000

export interface JobQueue extends Jobs {
  /** Marks jobs whose program is gone as interrupted; returns them. */
  sweep(): Promise<Job[]>
  /** Cancels what runs and waits until it ended. */
  close(): Promise<void>
}

/** The jobs of one engine, and a view on those of the other programs that share the home folder. */
export function openJobs(options: {
  folder: string
  locks: Locks
  log: Logger
  program: string
  emit: (job: Job) => void
}): JobQueue {
  const { folder, locks, log, program, emit } = options
  const running = new Map<string, { job: RunningJob; abort: AbortController; done: Promise<unknown> }>()
  /** Jobs that are over change no more, but for being looked at: no need to read 500 journals for each list. */
  const read = new Map<string, { version: string; content: JournalContent }>()
  const cancelFile = (id: string) => join(folder, `${id}.cancel`)

  async function takeHolds(running: RunningJob, holds: string[], signal: AbortSignal): Promise<Lock[]> {
    const taken: Lock[] = []
    try {
      for (const resource of [...new Set(holds)].sort()) {
        let told = false
        const onWait = () => {
          if (!told) running.context.log(`Waiting for ${resource}, which another job holds.`)
          told = true
        }
        taken.push(await locks.acquire(resource, { signal, onWait }))
      }
      return taken
    } catch (error) {
      for (const lock of taken) await lock.release()
      throw error
    }
  }

  function start<R>(spec: JobSpec<R>): JobHandle<R> {
    const id = newJobId()
    const abort = new AbortController()
    const job: Job = {
      id,
      kind: spec.kind,
      title: spec.title,
      site: spec.site ?? null,
      state: 'queued',
      createdAt: new Date().toISOString(),
      startedAt: null,
      endedAt: null,
      phase: null,
      items: [],
      question: null,
      holds: spec.holds,
      result: null,
      error: null,
      program,
      seen: true,
    }
    const done = run(job, spec, abort)
    // whoever does not wait for the outcome finds it in the job itself
    done.catch(() => {})
    return { id, done }
  }

  async function run<R>(job: Job, spec: JobSpec<R>, abort: AbortController): Promise<R> {
    const { promise, resolve } = withResolvers()
    const journal = await createJournal(folder, job.id).catch((error) => {
      Object.assign(job, { state: 'failed', endedAt: job.createdAt, error: toAppError(error).toData(), seen: false })
      emit(job)
      throw toAppError(error)
    })
    const runningJob = createRunningJob(job, journal, abort.signal, emit)
    running.set(job.id, { job: runningJob, abort, done: promise })
    const poll = setInterval(() => {
      access(cancelFile(job.id)).then(
        () => abort.abort(cancelledError()),
        () => {},
      )
    }, CANCEL_POLL_MS)
    poll.unref()
    let holds: Lock[] = []
    try {
      await journal.append({ type: 'created', at: job.createdAt, owner: ownIdentity(), job }, true)
      emit(structuredClone(job))
      holds = await takeHolds(runningJob, spec.holds, abort.signal)
      await runningJob.start()
      log.info('job started', { job: job.id, kind: job.kind, site: job.site })
      const result = await spec.run(runningJob.context)
      await runningJob.finish({ result })
      log.info('job done', { job: job.id, kind: job.kind })
      return result
    } catch (error) {
      await runningJob
        .finish({ error })
        .catch((cause) => log.error('a job’s end could not be journalled', { job: job.id, cause }))
      log.warn('job ended', { job: job.id, kind: job.kind, state: job.state, error })
      throw job.state === 'cancelled' ? cancelledError() : toAppError(error)
    } finally {
      clearInterval(poll)
      for (const lock of holds.reverse()) await lock.release()
      await rm(cancelFile(job.id), { force: true })
      running.delete(job.id)
      resolve()
    }
  }

  async function sweep(): Promise<Job[]> {
    await pruneJournals(folder)
    const interrupted: Job[] = []
    for (const id of await listJournals(folder)) {
      if (running.has(id)) continue
      const content = await readJournal(folder, id)
      if (!content || !isJobActive(content.job) || isAlive(content.owner)) continue
      const job = asInterrupted(content)
      await appendToJournal(folder, id, { type: 'job', at: new Date().toISOString(), job })
      interrupted.push(job)
      emit(job)
    }
    return interrupted
  }

  async function readCached(id: string): Promise<JournalContent | null> {
    const facts = await stat(journalPath(folder, id)).catch(() => null)
    if (!facts) return null
    const version = `${facts.size}:${facts.mtimeMs}`
    const known = read.get(id)
    if (known?.version === version) return structuredClone(known.content)
    const content = await readJournal(folder, id)
    if (content && !isJobActive(content.job)) read.set(id, { version, content: structuredClone(content) })
    return content
  }

  /** A job whose owner died since the last sweep is shown as what it is. */
  async function load(id: string): Promise<JournalContent | null> {
    const live = running.get(id)
    const content = await readCached(id)
    if (content && live) content.job = structuredClone(live.job.job)
    else if (content && isJobActive(content.job) && !isAlive(content.owner)) content.job = asInterrupted(content)
    return content
  }

  return {
    start,
    sweep,
    async list({ site, limit = 200 } = {}) {
      const jobs: Job[] = []
      for (const id of await listJournals(folder)) {
        if (jobs.length >= limit) break
        const job = (await load(id))?.job
        if (job && (site === undefined || job.site === site)) jobs.push(job)
      }
      return jobs
    },
    async show(id) {
      const content = await load(id).catch(() => null)
      if (!content) throw new AppError('unknown-job', `There is no job "${id.slice(0, 64)}".`, { hint: 'See the list of jobs.' })
      return { job: content.job, log: content.log }
    },
    async cancel(id) {
      const live = running.get(id)
      if (live) {
        live.abort.abort(cancelledError())
        return true
      }
      const content = await load(id).catch(() => null)
      if (!content || !isJobActive(content.job)) return false
      await writeFileAtomic(cancelFile(id), '')
      return true
    },
    async markSeen(id) {
      const content = await load(id).catch(() => null)
      if (!content || isJobActive(content.job)) return
      const job = { ...content.job, seen: true }
      await appendToJournal(folder, id, { type: 'job', at: new Date().toISOString(), job })
      emit(job)
    },
    async close() {
      const open = [...running.values()]
      for (const { abort } of open) abort.abort(cancelledError())
      await Promise.all(open.map(({ done }) => done))
    },
  }
}

function asInterrupted(content: JournalContent): Job {
  const job = structuredClone(content.job)
  job.state = 'interrupted'
  job.endedAt = new Date().toISOString()
  job.seen = false
  job.question = null
  for (const item of job.items) if (item.state === 'running') item.state = 'failed'
  job.error = new AppError('interrupted', `${job.title} was interrupted: the program that ran it ended.`, {
    hint: 'What was half-made was cleared away; what was there before is as it was. Run it again.',
  }).toData()
  return job
}

/** Sorts by time of creation. */
function newJobId(): string {
  const stamp = new Date().toISOString().replace(/[-:.]/g, '').slice(0, 18)
  return `${stamp}-${randomBytes(4).toString('hex')}`
}

/** Promise.withResolvers, which Node 20 lacks. */
function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => {}
  const promise = new Promise<void>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
