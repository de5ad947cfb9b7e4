import { execFile } from 'node:child_process'
import { open } from 'node:fs/promises'
import { promisify } from 'node:util'
import { isCancelled } from '#shared/errors.ts'
import { InFlight } from './in-flight.ts'

const AT_ONCE = 12

/**
 * Returns when files that were written are on the disk. New files are not synced one by one while they are written, which takes
 * longer than writing them: until the whole restore is marked as done, its undo takes back whatever a power cut tore.
 * Before that mark, and before the database's COMMIT, they must be safe: one call to the system for all of them,
 * or, where there is no such call, file by file.
 */
export async function makeDurable(folder: string, files: AsyncIterable<string>, signal: AbortSignal): Promise<void> {
  if (await syncFileSystem(folder, signal)) return
  const syncs = new InFlight(AT_ONCE, Number.POSITIVE_INFINITY)
  try {
    for await (const file of files) await syncs.start(0, () => syncFile(file))
    await syncs.drain()
  } finally {
    await syncs.settle()
  }
}

/** False: this system has no command for it. */
async function syncFileSystem(folder: string, signal: AbortSignal): Promise<boolean> {
  if (process.platform !== 'linux') return false
  try {
    await promisify(execFile)('sync', ['-f', folder], { signal })
    return true
  } catch (error) {
    if (isCancelled(error)) throw error
    return false
  }
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r+')
  try {
    await handle.datasync()
  } finally {
    await handle.close()
  }
}
