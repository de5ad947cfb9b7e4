import { access, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { serverFreeBytes } from '#engine/foundation/connections/ssh/server-disk.ts'
import type { SiteServer } from '#engine/foundation/connections/ssh/site-server.ts'
import { AppError } from '#shared/errors.ts'
import { formatBytes } from '#shared/format.ts'

/** Dumps are text that gzip takes to about 40 % (revisions in them are compressed already); media hardly shrink. */
const DATABASE_SHARE = 0.4
const MEDIA_SHARE = 0.95
/** Kept free for whatever else writes to the disk meanwhile. */
const RESERVE_BYTES = 32 * 1024 * 1024

/** Bytes that a backup will probably take on disk. All in bytes, uncompressed. */
export function estimatedBackupBytes(plain: { database: number; media: number; config: number }): number {
  return Math.ceil(plain.database * DATABASE_SHARE + plain.media * MEDIA_SHARE + plain.config)
}

/**
 * Refuses work that would fill the disk: on a server's folder, a full disk would stop the site itself.
 * @param bytes what will probably be written
 * @throws AppError `disk-full`
 */
export async function requireFreeSpace(folder: string, bytes: number): Promise<void> {
  const free = await freeBytes(folder)
  if (isEnough(bytes, free)) return
  throw new AppError(
    'disk-full',
    `The backup needs about ${formatBytes(bytes)}, but the disk of ${folder} has ${formatBytes(free)} free. It was not started; the backups there are unchanged.`,
    { hint: 'Free some space, or choose another vault folder in the site’s settings.', details: { folder, bytes, free } },
  )
}

/**
 * The same for the disk that a server keeps its backups on. One that does not tell is no reason to stop.
 * @throws AppError `disk-full`
 */
export async function requireServerSpace(server: SiteServer, bytes: number, signal: AbortSignal): Promise<void> {
  const { backupDir, filesDir } = server.settings
  const folder = backupDir ?? filesDir
  const free = await serverFreeBytes(server.connection, folder, signal)
  if (free === null || isEnough(bytes, free)) return
  throw new AppError(
    'disk-full',
    `The backup needs about ${formatBytes(bytes)}, but the disk of ${folder} on ${server.connection.place} has ${formatBytes(free)} free. It was not started; the backups there are unchanged.`,
    { hint: 'Free some space on the server, or back up into the vault.', details: { folder, bytes, free } },
  )
}

/** Whether so many bytes fit, with some left for whatever else writes to the disk. */
export function isEnough(bytes: number, free: number): boolean {
  return bytes + RESERVE_BYTES <= free
}

/** Bytes that are free on the disk of a folder, which need not be there yet. */
export async function freeBytes(folder: string): Promise<number> {
  const disk = await statfs(await existingFolder(folder))
  return disk.bavail * disk.bsize
}

/** A vault is made by its first backup: until then its disk is that of the folder it will be in. */
async function existingFolder(folder: string): Promise<string> {
  for (let path = folder; ; path = dirname(path)) {
    const found = await access(path).then(
      () => true,
      (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
    )
    if (found || path === dirname(path)) return path
  }
}
