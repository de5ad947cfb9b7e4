import { AppError, isCancelled, toAppError } from '#shared/errors.ts'
import type { Job, JobItem, JobUnit } from '#shared/model/job.ts'
import type { JournalLine, JournalWriter } from './journal.ts'
import { createRateMeter, type RateMeter } from './rate-meter.ts'
import type { JobContext } from './types.ts'

/** Progress goes out at most this often. */
const EMIT_MS = 100
/** For other programs that look at the journal: how far a long job is. */
const JOURNAL_PROGRESS_MS = 3000

/** A job of this process: its state, and the context that its work is given. */
export interface RunningJob {
  readonly job: Job
  readonly context: JobContext
  start(): Promise<void>
  finish(outcome: { result: unknown } | { error: unknown }): Promise<void>
}

export function createRunningJob(job: Job, journal: JournalWriter, signal: AbortSignal, emit: (job: Job) => void): RunningJob {
  let meter: RateMeter = createRateMeter()
  let lastEmit = 0
  let lastJournal = Date.now()
  let timer: NodeJS.Timeout | null = null

  const now = () => new Date().toISOString()
  const write = (line: JournalLine, sync: boolean) => journal.append(line, sync)
  // a full disk must not stop work that is about to free it; the next synced line reports it
  const writeSoon = (line: JournalLine) => void write(line, false).catch(() => {})

  function publish(): void {
    if (timer) clearTimeout(timer)
    timer = null
    lastEmit = Date.now()
    if (job.phase) {
      job.phase.rate = meter.rate()
      const left = job.phase.total === null ? null : job.phase.total - job.phase.done
      job.phase.secondsLeft = left !== null && job.phase.rate ? Math.max(0, left / job.phase.rate) : null
    }
    emit(structuredClone(job))
    if (Date.now() - lastJournal > JOURNAL_PROGRESS_MS) {
      lastJournal = Date.now()
      writeSoon({ type: 'job', at: now(), job })
    }
  }

  function changed(): void {
    if (timer) return
    timer = setTimeout(publish, Math.max(0, EMIT_MS - (Date.now() - lastEmit)))
  }

  function itemOf(id: string): JobItem {
    let item = job.items.find((entry) => entry.id === id)
    if (!item) {
      item = { id, name: id, state: 'waiting', detail: '', done: 0, total: null, facts: {} }
      job.items.push(item)
    }
    return item
  }

  async function setState(state: Job['state']): Promise<void> {
    job.state = state
    await write({ type: 'job', at: now(), job }, true)
    publish()
  }

  const context: JobContext = {
    id: job.id,
    signal,
    phase(name: string, total: number | null = null, unit: JobUnit = 'bytes') {
      meter = createRateMeter()
      job.phase = { name, done: 0, total, unit, rate: null, secondsLeft: null }
      writeSoon({ type: 'log', at: now(), text: name })
      changed()
    },
    advance(amount: number) {
      if (!job.phase) return
      job.phase.done += amount
      meter.add(amount)
      changed()
    },
    setTotal(total: number | null) {
      if (job.phase) job.phase.total = total
      changed()
    },
    log(text: string) {
      writeSoon({ type: 'log', at: now(), text })
    },
    item(id, change) {
      Object.assign(itemOf(id), change)
      changed()
    },
    async step(id, name, action) {
      signal.throwIfAborted()
      const item = itemOf(id)
      Object.assign(item, { name, state: 'running' })
      publish()
      const started = Date.now()
      await write({ type: 'step', at: now(), step: id, name, event: 'started' }, true)
      try {
        const result = await action()
        item.state = 'done'
        item.facts = { ...item.facts, seconds: (Date.now() - started) / 1000 }
        await write({ type: 'step', at: now(), step: id, name, event: 'done' }, true)
        publish()
        return result
      } catch (error) {
        item.state = 'failed'
        item.detail = toAppError(error).message
        await write({ type: 'step', at: now(), step: id, name, event: 'failed' }, true)
        publish()
        throw error
      }
    },
    waitFor(question) {
      job.question = question
      job.state = question === null ? 'running' : 'waiting'
      writeSoon({ type: 'job', at: now(), job })
      publish()
    },
  }

  return {
    job,
    context,
    async start() {
      job.startedAt = now()
      await setState('running')
    },
    async finish(outcome) {
      job.endedAt = now()
      job.question = null
      if ('result' in outcome) {
        job.result = outcome.result ?? null
        job.phase = null
        await setState('done')
      } else {
        const cancelled = isCancelled(outcome.error) || (signal.aborted && !(outcome.error instanceof AppError))
        job.error = cancelled ? null : toAppError(outcome.error).toData()
        job.seen = cancelled
        for (const item of job.items) if (item.state === 'running') item.state = cancelled ? 'skipped' : 'failed'
        await setState(cancelled ? 'cancelled' : 'failed')
      }
      if (timer) clearTimeout(timer)
      timer = null
      await journal.close()
    },
  }
}
