import { opendir } from 'node:fs/promises'
import { join } from 'node:path'
import { compareContent, type MediaLimits, visitMedia } from './visit.ts'

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
 * @throws AppError those of `visitMedia`, `cancelled`
 */
export async function surveyMedia(
  tar: AsyncIterable<Buffer>,
  filesDir: string,
  options: { signal: AbortSignal; limits?: MediaLimits },
): Promise<MediaSurvey> {
  const archive = join(filesDir, 'archive')
  const survey: MediaSurvey = { entries: 0, bytes: 0, added: 0, replaced: 0, same: 0, stay: 0, bytesToWrite: 0 }
  for await (const { entry, path, isThere } of visitMedia(tar, archive, options.limits)) {
    options.signal.throwIfAborted()
    if (entry.kind === 'folder') continue
    survey.entries += 1
    survey.bytes += entry.size
    if (!isThere) survey.added += 1
    else if ((await compareContent(path, entry, () => {})).isSame) {
      survey.same += 1
      continue
    } else survey.replaced += 1
    survey.bytesToWrite += entry.size
  }
  survey.stay = (await countFiles(archive, options.signal)) - survey.same - survey.replaced
  return survey
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
