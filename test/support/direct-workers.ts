import { restoreTasks } from '#engine/features/restore/tasks.ts'
import { sshTasks } from '#engine/foundation/connections/ssh/tasks.ts'
import { resultOf } from '#engine/foundation/worker-tasks.ts'
import type { Workers } from '#engine/foundation/workers.ts'

/** Runs the real tasks of restores and of SSH in this thread: for tests that have hundreds of small ones. */
export const directWorkers: Workers = {
  size: 1,
  async run<R>(task: string, payload: unknown): Promise<R> {
    const work = { ...restoreTasks, ...sshTasks }[task]
    if (!work) throw new Error(`no task ${task}`)
    return resultOf(await work(payload as never)) as R
  },
  async close() {},
}
