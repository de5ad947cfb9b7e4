import type { Stats } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '#shared/errors.ts'
import { INDEX_FILE, isOurs } from './names.ts'

/**
 * Whose a repository's files are. `home`: this program's own (0600, folders 0700). `server`: another program's,
 * so that new files take owner and mode of their neighbours.
 */
export type FolderOwner = 'home' | 'server'

/** Creates a new file of a repository, for writing, with the owner and mode that its readers need. */
export async function createFile(folder: string, file: string, owner: FolderOwner): Promise<FileHandle> {
  const path = join(folder, file)
  if (owner === 'home' || process.platform === 'win32') return open(path, 'wx', 0o600)
  const like = await neighbour(folder)
  const handle = await open(path, 'wx', 0o600)
  try {
    await take(handle, like, folder)
    return handle
  } catch (error) {
    await handle.close()
    await rm(path, { force: true })
    throw error
  }
}

/** Makes the folder of a vault. */
export async function makeHomeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
}

/** What a new file takes from its neighbours. */
export interface Likeness {
  uid: number
  gid: number
  mode: number
}

async function neighbour(folder: string): Promise<Likeness> {
  const index = await lstat(join(folder, INDEX_FILE)).catch(() => null)
  if (index?.isFile()) return likeness(index)
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isFile() || isOurs(entry.name)) continue
    const facts = await lstat(join(folder, entry.name)).catch(() => null)
    if (facts?.isFile()) return likeness(facts)
  }
  return likeness(await stat(folder))
}

export function likeness(facts: Pick<Stats, 'uid' | 'gid' | 'mode'>): Likeness {
  return { uid: facts.uid, gid: facts.gid, mode: (facts.mode & 0o666) | 0o600 }
}

async function take(handle: FileHandle, like: Likeness, folder: string): Promise<void> {
  const own = await handle.stat()
  if (own.uid !== like.uid || own.gid !== like.gid) {
    await handle.chown(like.uid, like.gid).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPERM') throw error
      // without root a file can't be given away; it still can be given to the group that shares the folder
      await handle.chown(own.uid, like.gid).catch(() => {})
    })
  }
  await handle.chmod(like.mode)
  assertReadable(await handle.stat(), like, folder)
}

/** @throws AppError `foreign-owner`: the neighbours' owner could not read such a file */
export function assertReadable(now: Pick<Stats, 'uid' | 'gid'>, like: Likeness, folder: string): void {
  const readable = now.uid === like.uid || (now.gid === like.gid && (like.mode & 0o040) !== 0) || (like.mode & 0o004) !== 0
  if (readable) return
  throw new AppError(
    'foreign-owner',
    `Files in ${folder} belong to user ${like.uid}; a file made here could not be read by it.`,
    {
      hint: 'Run Backup Desk as that user, or let the folder’s files be readable for a group that you are in. Nothing was changed.',
      details: { folder, uid: like.uid, gid: like.gid },
    },
  )
}
