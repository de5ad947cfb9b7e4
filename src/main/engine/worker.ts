import { parentPort } from 'node:worker_threads'
import { encryptionTasks } from '#engine/features/encryption/tasks.ts'
import { restoreTasks } from '#engine/features/restore/tasks.ts'
import { sshTasks } from '#engine/foundation/connections/ssh/tasks.ts'
import { serveTasks, type TaskTable } from '#engine/foundation/worker-tasks.ts'

/** The one worker entry. Every task that may run in a worker thread, by name. */
const tasks: TaskTable = {
  ...encryptionTasks,
  ...restoreTasks,
  ...sshTasks,
}

if (parentPort) serveTasks(parentPort, tasks)
