import { type TaskTable, transferring } from '#engine/foundation/worker-tasks.ts'
import { addFiles, type StageBatch, stageFiles } from './files/write-tasks.ts'

/** What worker.ts offers of this room. */
export const restoreTasks: TaskTable = {
  'restore.stage': (batch: StageBatch) => transferring(stageFiles(batch), [batch.content]),
  'restore.add': addFiles,
}
