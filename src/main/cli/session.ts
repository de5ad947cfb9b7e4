import { createEngine, type Engine } from '#engine/create-engine.ts'
import { defaultHomePath } from '#engine/foundation/home.ts'
import { contract } from '#shared/contract/index.ts'
import { AppError, cancelledError, throwIfCancelled } from '#shared/errors.ts'
import { formatBytes, formatCount, formatDuration, formatRate } from '#shared/format.ts'
import { isJobActive, type Job } from '#shared/model/job.ts'
import { type PasswordSources, passwordSources } from './passwords.ts'
import type { Terminal } from './terminal.ts'

/** Options that every command takes. */
export interface CommonOptions {
  home?: string
  json?: boolean
  passphraseFile?: string
  passwordFile?: string[]
}

/** An engine for the time of one command, and what the command needs to follow its jobs. */
export interface Session {
  readonly engine: Engine
  readonly terminal: Terminal
  readonly sources: PasswordSources
  /** Follows a job to its end, progress on stderr. @throws AppError of a job that failed or was cancelled */
  follow(jobId: string, onWaiting?: (job: Job) => Promise<void>): Promise<Job>
  /** Shows the progress of all jobs while something runs; an interrupt cancels them. */
  watch<T>(work: Promise<T>): Promise<T>
  /** Ends with the interrupt, for what only asks; a job is cancelled instead. @throws AppError `cancelled` */
  readonly interrupted: AbortSignal
  close(): Promise<void>
}

const LINE_MS = 200

/** @param confirmedName what `--confirm` named, if anything; null lets pass what the command itself names */
export async function openSession(
  terminal: Terminal,
  options: CommonOptions,
  version: string,
  confirmedName: string | null,
  interrupted: AbortSignal,
): Promise<Session> {
  const sources = passwordSources(terminal, options)
  const latest = new Map<string, Job>()
  const listeners = new Set<(job: Job) => void>()
  const opened = await createEngine({
    homePath: options.home ?? defaultHomePath(terminal.env),
    program: 'zbd',
    version,
    confirm: async (confirmation) => confirmedName === null || confirmation.typedName === confirmedName,
    askPassphrase: (purpose) => sources.passphrase(purpose),
    emit(event) {
      if (event.type !== 'job') return
      latest.set(event.job.id, event.job)
      for (const listener of listeners) listener(event.job)
    },
  })
  await opened.recovered
  const engine: Engine = {
    ...opened,
    // what changes a server or deletes something is not left half-way: it ends by itself, or as a job
    async call(name, input) {
      throwIfCancelled(interrupted)
      const { effect } = contract[name]
      const answer = opened.call(name, input)
      return effect === 'read' || effect === 'local' ? orInterrupted(answer, interrupted) : answer
    },
  }

  async function follow(jobId: string, onWaiting?: (job: Job) => Promise<void>): Promise<Job> {
    const show = progressPrinter(terminal)
    const cancel = () => void engine.context.jobs.cancel(jobId)
    interrupted.addEventListener('abort', cancel)
    if (interrupted.aborted) cancel()
    let asking = false
    try {
      const ended = await new Promise<Job>((resolve, reject) => {
        const look = (job: Job) => {
          if (job.id !== jobId) return
          show.update(job)
          if (!isJobActive(job)) return resolve(job)
          if (job.state === 'waiting' && onWaiting && !asking) {
            asking = true
            onWaiting(job)
              .catch(reject)
              .finally(() => {
                asking = false
              })
          }
        }
        listeners.add(look)
        const known = latest.get(jobId)
        if (known) look(known)
      })
      if (ended.state === 'cancelled') throw cancelledError()
      if (ended.error) throw AppError.fromData(ended.error)
      return ended
    } finally {
      show.end()
      listeners.clear()
      interrupted.removeEventListener('abort', cancel)
    }
  }

  async function watch<T>(work: Promise<T>): Promise<T> {
    const show = progressPrinter(terminal)
    const cancel = () => {
      for (const job of latest.values()) if (isJobActive(job)) void engine.context.jobs.cancel(job.id)
    }
    const look = (job: Job) => {
      show.update(job)
      // one that starts after the interrupt
      if (interrupted.aborted) cancel()
    }
    interrupted.addEventListener('abort', cancel)
    listeners.add(look)
    try {
      return await work
    } finally {
      show.end()
      listeners.delete(look)
      interrupted.removeEventListener('abort', cancel)
    }
  }

  return { engine, terminal, sources, follow, watch, interrupted, close: () => engine.close() }
}

/** @throws AppError `cancelled` as soon as it is interrupted, whatever goes on */
async function orInterrupted<T>(work: Promise<T>, interrupted: AbortSignal): Promise<T> {
  let stop = () => {}
  const interrupt = new Promise<never>((_, reject) => {
    stop = () => reject(cancelledError())
    interrupted.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([work, interrupt])
  } finally {
    interrupted.removeEventListener('abort', stop)
  }
}

/** On a terminal one line that is written over; in a file or pipe a line for each phase. */
function progressPrinter(terminal: Terminal): { update(job: Job): void; end(): void } {
  let lastPhase = ''
  let lastAt = 0
  let open = false
  return {
    update(job) {
      const phase = job.phase
      if (!phase) return
      if (terminal.isErrTty) {
        if (Date.now() - lastAt < LINE_MS) return
        lastAt = Date.now()
        open = true
        terminal.err(`\r\x1b[K${job.title}: ${phaseText(phase)}`)
      } else if (phase.name !== lastPhase) {
        terminal.err(`${phase.name}\n`)
      }
      lastPhase = phase.name
    },
    end() {
      if (open) terminal.err('\r\x1b[K')
      open = false
    },
  }
}

function phaseText(phase: NonNullable<Job['phase']>): string {
  const amount = (value: number) => (phase.unit === 'bytes' ? formatBytes(value) : `${formatCount(value)} ${phase.unit}`)
  const done = phase.total === null ? amount(phase.done) : `${amount(phase.done)} of ${amount(phase.total)}`
  const rate = phase.rate ? ` · ${formatRate(phase.rate, phase.unit)}` : ''
  const left = phase.secondsLeft === null ? '' : ` · ${formatDuration(phase.secondsLeft)} left`
  return `${phase.name} · ${done}${rate}${left}`
}
