import { randomBytes } from 'node:crypto'
import { link, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Makes a rename or removal in a folder survive a power cut. Not every system can sync a folder; those that can't need not. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** A name beside `path` that no reader takes for the file itself. */
export function partName(path: string, id: string = randomBytes(6).toString('hex')): string {
  return `${path}.${id}.part`
}

/**
 * Writes a whole small file: readers see the old content or the new one, also after a crash.
 * @param options.mode file mode, default 0600
 * @param options.ifAbsent throws an error with code EEXIST when the file is there already
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array,
  options: { mode?: number; ifAbsent?: boolean } = {},
): Promise<void> {
  const part = partName(path)
  try {
    const handle = await open(part, 'wx', options.mode ?? 0o600)
    try {
      await handle.writeFile(data)
      await handle.sync()
    } finally {
      await handle.close()
    }
    if (options.ifAbsent) {
      await link(part, path)
      await rm(part)
    } else {
      await rename(part, path)
    }
  } catch (error) {
    await rm(part, { force: true })
    throw error
  }
  await syncFolder(dirname(path))
}
