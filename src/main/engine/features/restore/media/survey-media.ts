import { opendir } from 'node:fs/promises'
import { join } from 'node:path'
import { wholeContent } from '#engine/foundation/content/read-tar.ts'
import { placeError } from '../files/archive-error.ts'
import { type ArchiveLimits, type CheckedEntry, checkedEntries } from '../files/checked-entries.ts'
import { compareContent, hasContent } from '../files/compare.ts'
import { InFlight } from '../files/in-flight.ts'
import { PlaceFinder } from '../files/safe-path.ts'
import { MEDIA_LIMITS } from './limits.ts'

const SMALL_BYTES = 1024 * 1024
const READS_AT_ONCE = 12
const BYTES_AT_ONCE = 16 * 1024 * 1024

export interface MediaSurvey {
  /** Files in the backup. */
  entries: number
  /** Of all files in the backup. */
  bytes: number
  added: number
  replaced: number
  same: number
  /** Files that the site has and the backup has not. */
  stay: number
  /** Of the files that would be written. */
  bytesToWrite: number
}

/**
 * What restoring a media archive would do, file by file. Writes nothing.
 * @throws AppError `media-place`, `cancelled`, and those of `checkedEntries`
 */
export async function surveyMedia(
  tar: AsyncIterable<Buffer>,
  filesDir: string,
  options: { signal: AbortSignal; limits?: ArchiveLimits; platform?: string },
): Promise<MediaSurvey> {
  const archive = join(filesDir, 'archive')
  const { signal, platform, limits = MEDIA_LIMITS } = options
  const survey: MediaSurvey = { entries: 0, bytes: 0, added: 0, replaced: 0, same: 0, stay: 0, bytesToWrite: 0 }
  const finder = new PlaceFinder(archive, 'media')
  const reads = new InFlight(READS_AT_ONCE, BYTES_AT_ONCE)
  try {
    for await (const checked of checkedEntries(tar, { kind: 'media', limits, ...(platform ? { platform } : {}) })) {
      signal.throwIfAborted()
      await surveyEntry(checked, finder, reads, survey)
    }
    await reads.drain()
  } finally {
    await reads.settle()
  }
  survey.stay = (await countFiles(archive, signal)) - survey.same - survey.replaced
  return survey
}

async function surveyEntry(
  { entry, parts }: CheckedEntry,
  finder: PlaceFinder,
  reads: InFlight,
  survey: MediaSurvey,
): Promise<void> {
  if (parts.length === 0) return
  const path = join(finder.root, ...parts)
  const standing = await finder.look(parts)
  if (standing !== 'nothing' && standing !== entry.kind) {
    const found = standing === 'other' ? 'link or device' : standing
    throw placeError('media', path, `is a ${found}, but a ${entry.kind} in the backup.`)
  }
  if (entry.kind === 'folder') return
  survey.entries += 1
  survey.bytes += entry.size
  const { size } = entry
  const found = (isSame: boolean) => {
    if (isSame) survey.same += 1
    else {
      survey.replaced += 1
      survey.bytesToWrite += size
    }
  }
  if (standing === 'nothing') {
    survey.added += 1
    survey.bytesToWrite += size
  } else if (size > SMALL_BYTES) {
    found((await compareContent(path, entry, () => {})).isSame)
  } else {
    const content = await wholeContent(entry)
    await reads.start(size, async () => found(await hasContent(path, content)))
  }
}

async function countFiles(folder: string, signal: AbortSignal): Promise<number> {
  signal.throwIfAborted()
  let count = 0
  const names: string[] = []
  const entries = await opendir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (!entries) return 0
  for await (const entry of entries) {
    if (entry.isFile()) count += 1
    else if (entry.isDirectory()) names.push(entry.name)
  }
  for (const name of names) count += await countFiles(join(folder, name), signal)
  return count
}
