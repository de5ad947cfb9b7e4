import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { AppError, cancelledError } from '#shared/errors.ts'
import type { TaskAnswer, TaskRequest } from './worker-tasks.ts'

/** CPU work off the event loop. */
export interface Workers {
  /**
   * Runs a task of the worker file by name in a worker thread and resolves with its result.
   * `transfer` moves buffers to the thread instead of copying them. An abort rejects with `cancelled` at
   * once and ends the thread, whatever it is doing.
   * @throws AppError `cancelled`, `worker-crashed`, or what the task threw
   */
  run<R>(task: string, payload: unknown, options?: { transfer?: ArrayBuffer[]; signal?: AbortSignal }): Promise<R>
  /** How many tasks run at the same time. */
  readonly size: number
  /** Ends all threads; what still runs or waits is rejected with `cancelled`. */
  close(): Promise<void>
}

export interface WorkersOptions {
  /** The worker entry: `out/main/worker.js`, or worker.ts where Node strips types. */
  file: URL | string
  /** Threads at most; default: one per core, up to {@link maxThreads}. */
  size?: number
  /** An idle thread ends after this many milliseconds; default 5000. */
  idleMs?: number
}

const YOUNG_GENERATION_MB = 6

interface Assignment {
  request: TaskRequest
  transfer: ArrayBuffer[]
  resolve(result: unknown): void
  reject(error: Error): void
}

/**
 * Where buffers can be given back at once (V8 11.4, so not plain Node 20), a thread costs some 10 MB; elsewhere the
 * garbage of each grows to 60 MB, and four of them would not leave enough of our 300.
 */
function maxThreads(): number {
  return 'transfer' in ArrayBuffer.prototype ? 4 : 2
}

/** A pool of worker threads, started when they are needed and ended when they idle. */
export function createWorkers(options: WorkersOptions): Workers {
  return new WorkerPool(options)
}

class WorkerPool implements Workers {
  readonly size: number
  readonly #file: URL | string
  readonly #idleMs: number
  readonly #queue: Assignment[] = []
  readonly #threads = new Set<PoolThread>()
  #closed = false

  constructor(options: WorkersOptions) {
    this.size = options.size ?? Math.min(maxThreads(), availableParallelism())
    this.#file = options.file
    this.#idleMs = options.idleMs ?? 5000
  }

  run<R>(task: string, payload: unknown, options: { transfer?: ArrayBuffer[]; signal?: AbortSignal } = {}): Promise<R> {
    const { transfer = [], signal } = options
    if (this.#closed || signal?.aborted) return Promise.reject(cancelledError())
    return new Promise<R>((resolve, reject) => {
      const onAbort = () => {
        this.#drop(assignment)
        assignment.reject(cancelledError())
      }
      const assignment: Assignment = {
        request: { task, payload },
        transfer,
        resolve: (result) => {
          signal?.removeEventListener('abort', onAbort)
          resolve(result as R)
        },
        reject: (error) => {
          signal?.removeEventListener('abort', onAbort)
          reject(error)
        },
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#queue.push(assignment)
      this.#assign()
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const waiting of this.#queue.splice(0)) waiting.reject(cancelledError())
    await Promise.all([...this.#threads].map((thread) => thread.end(cancelledError())))
  }

  /** Hands waiting tasks to idle threads, starting new ones up to `size`. */
  #assign(): void {
    while (this.#queue.length > 0) {
      let thread = [...this.#threads].find((candidate) => candidate.isIdle)
      if (!thread) {
        if (this.#threads.size >= this.size) return
        const started = new PoolThread(this.#file, this.#idleMs, {
          idle: () => this.#assign(),
          // a thread that is gone makes room for another one
          gone: () => {
            this.#threads.delete(started)
            this.#assign()
          },
        })
        this.#threads.add(started)
        thread = started
      }
      const next = this.#queue.shift()
      if (next) thread.start(next)
    }
  }

  /** Takes a cancelled task out of the queue, or ends the thread that is at it. */
  #drop(assignment: Assignment): void {
    const position = this.#queue.indexOf(assignment)
    if (position >= 0) {
      this.#queue.splice(position, 1)
      return
    }
    for (const thread of this.#threads) {
      if (thread.current === assignment) void thread.end(cancelledError())
    }
  }
}

class PoolThread {
  current: Assignment | null = null
  readonly #worker: Worker
  readonly #events: { idle(): void; gone(): void }
  readonly #idleMs: number
  #idleTimer: NodeJS.Timeout | undefined
  #isEnding = false

  constructor(file: URL | string, idleMs: number, events: { idle(): void; gone(): void }) {
    this.#events = events
    this.#idleMs = idleMs
    this.#worker = new Worker(file, {
      // without the parent's flags: a loader or inspector of the program is none of the worker's
      execArgv: [],
      // tasks make buffers by the gigabyte and hardly an object: a small young generation is collected after a few
      // megabytes of them, where the default lets each thread gather 100 MB first
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    })
    this.#worker.unref()
    this.#worker.on('message', (answer: TaskAnswer) => this.#settle(answer))
    this.#worker.on('messageerror', (error) => this.#crashed(error.message))
    this.#worker.on('error', (error) => this.#crashed(error instanceof Error ? error.message : String(error)))
    this.#worker.on('exit', () => this.#crashed('it ended by itself'))
  }

  get isIdle(): boolean {
    return !this.current && !this.#isEnding
  }

  start(assignment: Assignment): void {
    clearTimeout(this.#idleTimer)
    this.current = assignment
    // a running task keeps the program alive, an idle thread does not
    this.#worker.ref()
    try {
      this.#worker.postMessage(assignment.request, assignment.transfer)
    } catch (error) {
      this.#rest()
      assignment.reject(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** Ends the thread; its task, if any, is rejected with `reason`. */
  async end(reason: AppError): Promise<void> {
    clearTimeout(this.#idleTimer)
    this.#isEnding = true
    const task = this.current
    this.current = null
    this.#events.gone()
    task?.reject(reason)
    await this.#worker.terminate()
  }

  #settle(answer: TaskAnswer): void {
    const task = this.current
    if (!task) return
    this.#rest()
    if (answer.ok) task.resolve(answer.result)
    else task.reject(AppError.fromData(answer.error))
    this.#events.idle()
  }

  #rest(): void {
    this.current = null
    this.#worker.unref()
    this.#idleTimer = setTimeout(() => void this.end(cancelledError()), this.#idleMs)
    this.#idleTimer.unref()
  }

  #crashed(reason: string): void {
    if (this.#isEnding) return
    void this.end(
      new AppError('worker-crashed', `A worker thread of the program stopped: ${reason}.`, {
        hint: 'Run it again. If it happens again, the log of this day has the details.',
      }),
    )
  }
}
