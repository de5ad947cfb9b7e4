import { AppError } from '#shared/errors.ts'
import type { Likeness } from '../files/put-in-place.ts'
import type { DiskFacts, SiteDisk } from '../files/site-disk.ts'
import type { ConfigPart } from './config-entry.ts'

const OWNER_ONLY = 0o600

/**
 * Owner and mode of a file that is to be written: those of the file in its place, else of a neighbour, else of the folder with a
 * mode that shows it to nobody new. What held no secret yesterday may hold one today, so an archive never opens a file up.
 * @param path of the file
 * @param mode in the archive
 */
export async function likenessFor(disk: SiteDisk, root: string, path: string, part: ConfigPart, mode: number): Promise<Likeness> {
  const present = await plainFile(disk, path)
  if (present) return like(disk, present, present.mode & 0o777)
  const folder = await nearestFolder(disk, root, disk.join(path, '..'))
  const neighbour = part === 'config' ? await firstFile(disk, folder) : null
  if (neighbour) return like(disk, neighbour, neighbour.mode & 0o666)
  return like(disk, await disk.target(folder), part === 'security' ? OWNER_ONLY : (mode & 0o640) | OWNER_ONLY)
}

/** Of a folder that is to be made: as the one above it. */
export async function folderLikeness(disk: SiteDisk, root: string, path: string): Promise<Likeness> {
  const above = await disk.target(await nearestFolder(disk, root, disk.join(path, '..')))
  return like(disk, above, (above?.mode ?? 0o700) & 0o777)
}

async function like(disk: SiteDisk, facts: DiskFacts | null, mode: number): Promise<Likeness> {
  const user = await disk.user()
  if (!facts || !user) return { mode, owner: null }
  const { uid, gid } = facts
  if (user.uid === 0) return { mode, owner: { uid, gid } }
  if (uid === user.uid) return { mode, owner: gid === user.gid ? null : { uid, gid } }
  if ((mode & 0o040) !== 0 && user.groups.includes(gid)) return { mode, owner: { uid: user.uid, gid } }
  // a file that its reader can't read would stop the site at its next start
  throw new AppError('foreign-owner', `Configuration files belong to user ${uid}; one written here could not be read by it.`, {
    hint: disk.server ? 'Log in to the server as that user.' : 'Run Backup Desk as that user, or as root.',
    details: { uid, gid },
  })
}

async function plainFile(disk: SiteDisk, path: string): Promise<DiskFacts | null> {
  const facts = await disk.facts(path)
  return facts?.kind === 'file' ? facts : null
}

async function firstFile(disk: SiteDisk, folder: string): Promise<DiskFacts | null> {
  for (const name of (await disk.names(folder)).sort()) {
    const facts = name.endsWith('.in') || name.endsWith('.part') ? null : await plainFile(disk, disk.join(folder, name))
    if (facts) return facts
  }
  return null
}

async function nearestFolder(disk: SiteDisk, root: string, folder: string): Promise<string> {
  if (folder === root || folder.length <= root.length) return root
  const facts = await disk.facts(folder)
  return facts?.kind === 'folder' ? folder : nearestFolder(disk, root, disk.join(folder, '..'))
}
