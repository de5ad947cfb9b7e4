import type { Job, JobItem, JobKind, JobUnit } from '#shared/model/job.ts'

/** What a running job uses to tell how far it is. Nothing here may carry a secret: it is journalled. */
export interface JobContext {
  readonly id: string
  /** Aborted when the operator cancels or the engine shuts down; reaches down to sockets and workers. */
  readonly signal: AbortSignal
  /** Starts the next phase, e.g. `phase('Reading the database', 48_000_000, 'bytes')`; total null: not known. */
  phase(name: string, total?: number | null, unit?: JobUnit): void
  /** Adds to the amount done in the current phase. Cheap: may be called for every chunk. */
  advance(amount: number): void
  /** Corrects the current phase's total. */
  setTotal(total: number | null): void
  /** One line of the job's log, for people. */
  log(text: string): void
  /** Creates or changes an item (a file, a step); given fields are merged. */
  item(id: string, change: Partial<Omit<JobItem, 'id'>>): void
  /** A journalled step: written and synced to disk before and after. Its item is shown with its state. */
  step<T>(id: string, name: string, action: () => Promise<T>): Promise<T>
  /** Waiting for the operator (a question), or running again (null). */
  waitFor(question: string | null): void
}

export interface JobSpec<R> {
  kind: JobKind
  /** "Backing up testsite". */
  title: string
  site?: string
  /** `site:NAME`, `file:PATH`; taken in sorted order before `run` starts, held until it ends. */
  holds: string[]
  run(job: JobContext): Promise<R>
}

export interface JobHandle<R> {
  readonly id: string
  /** Settles when the job ended; rejects with an AppError when it failed or was cancelled. */
  readonly done: Promise<R>
}

export interface Jobs {
  start<R>(spec: JobSpec<R>): JobHandle<R>
  list(filter?: { site?: string; limit?: number }): Promise<Job[]>
  show(id: string): Promise<{ job: Job; log: { at: string; text: string }[] }>
  cancel(id: string): Promise<boolean>
  markSeen(id: string): Promise<void>
}
