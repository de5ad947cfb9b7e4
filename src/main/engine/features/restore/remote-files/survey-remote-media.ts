import { createHash } from 'node:crypto'
import { posix } from 'node:path'
import type { SshConnection } from '#engine/foundation/connections/ssh/types.ts'
import { placeError } from '../files/archive-error.ts'
import { checkedEntries } from '../files/checked-entries.ts'
import { MEDIA_LIMITS } from '../media/limits.ts'
import type { MediaSurvey } from '../media/survey-media.ts'
import { RemoteTree, remoteSums } from './remote-tree.ts'

/** SHA-256 by path below the media folder. */
export type MediaSums = ReadonlyMap<string, string>

/** What restoring media onto a server would do. */
export interface RemoteMediaSurvey extends MediaSurvey {
  /** Files that are there with the backup's content. */
  sums: MediaSums
}

/**
 * What restoring a media archive onto a server would do, file by file: a file of the same size is compared by its SHA-256, which is
 * made there. Writes nothing.
 * @throws AppError `media-place`, `server-tool-failed`, `connection-lost`, `cancelled`, and those of `checkedEntries`
 */
export async function surveyRemoteMedia(
  tar: AsyncIterable<Buffer>,
  server: SshConnection,
  filesDir: string,
  signal: AbortSignal,
): Promise<RemoteMediaSurvey> {
  const archive = posix.join(filesDir, 'archive')
  const tree = await RemoteTree.read(server, archive, 'media', signal)
  const survey: MediaSurvey = { entries: 0, bytes: 0, added: 0, replaced: 0, same: 0, stay: 0, bytesToWrite: 0 }
  const write = (size: number) => {
    survey.bytesToWrite += size
  }
  /** Of the archive's files that have the size of what is there. */
  const wanted = new Map<string, { sum: string; size: number }>()
  for await (const { entry, parts } of checkedEntries(tar, { kind: 'media', limits: MEDIA_LIMITS, platform: 'linux' })) {
    signal.throwIfAborted()
    if (parts.length === 0) continue
    const standing = await tree.look(parts)
    if (standing !== 'nothing' && standing !== entry.kind) {
      const found = standing === 'other' ? 'link or device' : standing
      throw placeError('media', posix.join(archive, ...parts), `is a ${found}, but a ${entry.kind} in the backup.`)
    }
    if (entry.kind === 'folder') continue
    survey.entries += 1
    survey.bytes += entry.size
    if (standing === 'nothing') {
      survey.added += 1
      write(entry.size)
    } else if (tree.sizeOf(parts) !== entry.size) {
      survey.replaced += 1
      write(entry.size)
    } else {
      const hash = createHash('sha256')
      for await (const chunk of entry.content) hash.update(chunk)
      wanted.set(parts.join('/'), { sum: hash.digest('hex'), size: entry.size })
    }
  }
  const there = await remoteSums(server, archive, wanted.keys(), signal)
  const sums = new Map<string, string>()
  for (const [path, { sum, size }] of wanted) {
    if (there.get(path) === sum) sums.set(path, sum)
    else {
      survey.replaced += 1
      write(size)
    }
  }
  survey.same = sums.size
  survey.stay = tree.files - survey.same - survey.replaced
  return { ...survey, sums }
}

/** Those of the files whose content is still there. */
export async function stillSame(
  server: SshConnection,
  filesDir: string,
  sums: MediaSums,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const now = await remoteSums(server, posix.join(filesDir, 'archive'), sums.keys(), signal)
  return new Set([...sums].flatMap(([path, sum]) => (now.get(path) === sum ? [path] : [])))
}
