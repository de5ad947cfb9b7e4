import { constants } from 'node:fs'
import { copyFile, open, rename, rm } from 'node:fs/promises'

/** Moves a file, also onto another disk. Whoever looks at `to` sees nothing, what was there, or the whole file. */
export async function moveFile(from: string, to: string, part: string): Promise<void> {
  try {
    await rename(from, to)
    return
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error
  }
  await rm(part, { force: true })
  await copyFile(from, part, constants.COPYFILE_EXCL)
  await syncFile(part)
  await rename(part, to)
  await rm(from)
}

export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r+')
  try {
    await handle.datasync()
  } finally {
    await handle.close()
  }
}
