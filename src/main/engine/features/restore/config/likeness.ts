import type { Stats } from 'node:fs'
import { lstat, readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { AppError } from '#shared/errors.ts'
import type { Likeness } from '../files/put-in-place.ts'
import type { ConfigPart } from './config-entry.ts'

const OWNER_ONLY = 0o600

/**
 * Owner and mode of a file that is to be written: those of the file in its place, else of a neighbour, else of the folder with a
 * mode that shows it to nobody new. What held no secret yesterday may hold one today, so an archive never opens a file up.
 * @param path of the file
 * @param mode in the archive
 */
export async function likenessFor(root: string, path: string, part: ConfigPart, mode: number): Promise<Likeness> {
  const present = await plainFile(path)
  if (present) return like(present, present.mode & 0o777)
  const folder = await nearestFolder(root, dirname(path))
  const neighbour = part === 'config' ? await firstFile(folder) : null
  if (neighbour) return like(neighbour, neighbour.mode & 0o666)
  return like(await stat(folder), part === 'security' ? OWNER_ONLY : (mode & 0o640) | OWNER_ONLY)
}

/** Of a folder that is to be made: as the one above it. */
export async function folderLikeness(root: string, path: string): Promise<Likeness> {
  const above = await stat(await nearestFolder(root, dirname(path)))
  return like(above, above.mode & 0o777)
}

function like({ uid, gid }: Stats, mode: number): Likeness {
  const [ownUid, ownGid] = [process.getuid?.(), process.getgid?.()]
  if (ownUid === undefined || ownUid === 0) return { mode, owner: ownUid === 0 ? { uid, gid } : null }
  if (uid === ownUid) return { mode, owner: gid === ownGid ? null : { uid, gid } }
  if ((mode & 0o040) !== 0 && process.getgroups?.().includes(gid)) return { mode, owner: { uid: ownUid, gid } }
  // a file that its reader can't read would stop the site at its next start
  throw new AppError('foreign-owner', `Configuration files belong to user ${uid}; one written here could not be read by it.`, {
    hint: 'Run Backup Desk as that user, or as root.',
    details: { uid, gid },
  })
}

async function plainFile(path: string): Promise<Stats | null> {
  const facts = await lstat(path).catch(() => null)
  return facts?.isFile() ? facts : null
}

async function firstFile(folder: string): Promise<Stats | null> {
  for (const name of (await readdir(folder)).sort()) {
    const facts = name.endsWith('.in') || name.endsWith('.part') ? null : await plainFile(join(folder, name))
    if (facts) return facts
  }
  return null
}

async function nearestFolder(root: string, folder: string): Promise<string> {
  if (folder === root || folder.length <= root.length) return root
  const facts = await lstat(folder).catch(() => null)
  return facts?.isDirectory() ? folder : nearestFolder(root, dirname(folder))
}
