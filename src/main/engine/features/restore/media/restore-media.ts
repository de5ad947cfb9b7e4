import { AppError } from '#shared/errors.ts'
import { type ArchiveLimits, checkedEntries } from '../files/checked-entries.ts'
import { openFileWriter } from '../files/file-writer.ts'
import type { WriterRequest } from '../files/put-in-place.ts'
import type { WriteCounts } from '../files/safe-writer.ts'
import { localDisk, type SiteDisk } from '../files/site-disk.ts'
import { MEDIA_LIMITS } from './limits.ts'

/** `filesDir` is the site's files folder: media are in `archive` below it. */
export interface RestoreMediaRequest
  extends Pick<WriterRequest, 'filesDir' | 'disk' | 'same' | 'jobId' | 'site' | 'schema' | 'workers' | 'signal' | 'onBytes'> {
  /** Plain tar bytes. */
  tar: AsyncIterable<Buffer>
  limits?: ArchiveLimits
  /** The system whose names count; default: this one. */
  platform?: string
}

export type MediaResult = WriteCounts

/**
 * Adds a backup's media to a site's. Equal files stay, different ones are first moved to `backup-desk-undo/JOB/`, and
 * everything is in the journal there before it is done, so that `undoFiles` can put it back, also after a crash.
 * On an error what was done so far stays, to be undone. Source: docs/formats.md, "Restoring files".
 * @throws AppError `no-media-folder`, `disk-full`, `cancelled` and those of `checkedEntries`
 */
export async function restoreMedia(request: RestoreMediaRequest): Promise<MediaResult> {
  const { tar, filesDir, signal, platform, limits = MEDIA_LIMITS } = request
  const disk = request.disk ?? localDisk
  const root = disk.join(filesDir, 'archive')
  const owner = await ownerOf(disk, root)
  const writer = await openFileWriter({ ...request, area: 'media', kind: 'media', root })
  try {
    for await (const { entry, parts } of checkedEntries(tar, { kind: 'media', limits, ...(platform ? { platform } : {}) })) {
      signal.throwIfAborted()
      if (parts.length === 0) continue
      if (entry.kind === 'folder') await writer.folder(parts, { mode: (entry.mode & 0o755) | 0o700, owner })
      else await writer.file(parts, entry, { mode: (entry.mode & 0o644) | 0o600, owner }, { mode: 0o755, owner })
    }
    return await writer.finish()
  } finally {
    await writer.close()
  }
}

/** The owner that media have; null: that of whoever writes there, who may give files to nobody else. */
async function ownerOf(disk: SiteDisk, folder: string): Promise<{ uid: number; gid: number } | null> {
  const facts = await disk.target(folder)
  if (!facts) {
    throw new AppError('no-media-folder', `There is no folder ${folder}. No media were restored.`, {
      hint: 'Check the files folder in the site’s settings.',
      details: { folder },
    })
  }
  // root's files would be closed to the server
  return (await disk.user())?.uid === 0 ? { uid: facts.uid, gid: facts.gid } : null
}
