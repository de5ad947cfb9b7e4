import type { MessagePort } from 'node:worker_threads'
import { AppError, type AppErrorData, toAppError } from '#shared/errors.ts'

/**
 * The worker thread's side of the pool in workers.ts. A task is a plain function; it is called with the
 * payload as it was cloned or transferred, and may return a promise. To hand buffers back without a copy,
 * return {@link transferring}.
 */
export type WorkerTask = (payload: never) => unknown

/** Tasks by name: `feature.action`. */
export type TaskTable = Readonly<Record<string, WorkerTask>>

/** What the pool sends to a thread: one task at a time. */
export interface TaskRequest {
  task: string
  payload: unknown
}

/** What a thread answers. */
export type TaskAnswer = { ok: true; result: unknown } | { ok: false; error: AppErrorData }

class Transferring {
  readonly value: unknown
  readonly buffers: ArrayBuffer[]

  constructor(value: unknown, buffers: ArrayBuffer[]) {
    this.value = value
    this.buffers = buffers
  }
}

/** A task's result whose buffers move to the caller instead of being copied. */
export function transferring(value: unknown, buffers: ArrayBuffer[]): unknown {
  return new Transferring(value, buffers)
}

/** The plain result of a task that is called directly, as unit tests do. */
export function resultOf(returned: unknown): unknown {
  return returned instanceof Transferring ? returned.value : returned
}

/** Answers every request on `port` by the function of that name. */
export function serveTasks(port: MessagePort, tasks: TaskTable): void {
  port.on('message', async (request: TaskRequest) => {
    try {
      const task = Object.hasOwn(tasks, request.task) ? tasks[request.task] : undefined
      if (!task) throw new AppError('internal', `The worker has no task "${request.task}".`)
      const returned = await task(request.payload as never)
      const answer: TaskAnswer = { ok: true, result: resultOf(returned) }
      port.postMessage(answer, returned instanceof Transferring ? returned.buffers : [])
    } catch (error) {
      const answer: TaskAnswer = { ok: false, error: toAppError(error).toData() }
      port.postMessage(answer)
    }
  })
}
