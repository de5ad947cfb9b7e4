import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { copyFile, link, open, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** Where a file grows that comes from another disk. Its own name may be as long as names can be. */
export function partBeside(path: string, jobId: string): string {
  const short = createHash('sha1').update(basename(path)).digest('hex').slice(0, 16)
  return join(dirname(path), `.${short}.${jobId}.part`)
}

/** Moves a file, also onto another disk. Whoever looks at `to` sees nothing, what was there, or the whole file. */
export async function moveFile(from: string, to: string, part: string): Promise<void> {
  try {
    await rename(from, to)
    return
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error
  }
  await copyWhole(from, to, part)
  await rm(from)
}

/** Keeps what is at `path` at `kept` as well, so that nobody finds `path` missing before something new is moved there. */
export async function keepFile(path: string, kept: string): Promise<void> {
  try {
    await link(path, kept)
  } catch (error) {
    // some file systems have no second names for a file, and some systems give none to a stranger's
    if ((error as NodeJS.ErrnoException).code === 'EXDEV') await copyWhole(path, kept, partBeside(kept, 'kept'))
    else await rename(path, kept)
  }
}

/** Copies a file onto the disk with its mode, time and, where that is allowed, its owner. */
export async function copyWhole(from: string, to: string, part: string): Promise<void> {
  await rm(part, { force: true })
  await copyFile(from, part, constants.COPYFILE_EXCL)
  const facts = await stat(from)
  const handle = await open(part, 'r+')
  try {
    await handle.chown(facts.uid, facts.gid).catch(() => {})
    await handle.chmod(facts.mode & 0o7777)
    await handle.utimes(facts.atime, facts.mtime)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(part, to)
}
