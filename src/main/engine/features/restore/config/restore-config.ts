import { wholeContent } from '#engine/foundation/content/read-tar.ts'
import { type FileWriter, openFileWriter } from '../files/file-writer.ts'
import type { WriterRequest } from '../files/put-in-place.ts'
import { areaFolder, diskOf } from '../files/undo-journal.ts'
import { ConfigReader, type ConfigRequest } from './config-archive.ts'
import type { ConfigPart } from './config-entry.ts'
import { folderLikeness, likenessFor } from './likeness.ts'

export type RestoreConfigRequest = ConfigRequest & Pick<WriterRequest, 'jobId' | 'workers' | 'schema' | 'onBytes'>

export interface ConfigResult {
  /** Whose configuration it was. */
  archiveSite: string
  added: number
  replaced: number
  same: number
  bytes: number
  /** Plain sentences: what an operator should know. */
  notes: string[]
}

/**
 * Writes a backup's configuration files, its security files, or both, as {@link surveyConfig} said. Files that the backup does
 * not have stay. What is replaced goes to the same `backup-desk-undo/JOB/` as media do, in the journal before it is done, for
 * `undoFiles`. A file keeps the owner and mode that it has; a new one is as its neighbours are, a new security file 0600.
 * On an error what was done so far stays, to be undone. Source: docs/formats.md, "Configuration archive".
 * @throws AppError `foreign-owner`, `disk-full`, `cancelled` and those of `ConfigReader`
 */
export async function restoreConfig(request: RestoreConfigRequest): Promise<ConfigResult> {
  const reader = new ConfigReader(request)
  const disk = diskOf(request.folders)
  let same = 0
  const writers = new Map<ConfigPart, FileWriter>()
  try {
    for await (const { entry, part, parts, path, standing } of reader.files()) {
      if (standing === 'other') continue
      const writer = writers.get(part) ?? (await openWriter(request, part))
      writers.set(part, writer)
      const root = areaFolder(request.folders, part)
      let file = entry
      if (disk.server) {
        const content = await wholeContent(entry)
        if (standing === 'file' && (await disk.hasContent(path, content))) {
          same += 1
          continue
        }
        file = { ...entry, content: once(content) }
      }
      const like = await likenessFor(disk, root, path, part, entry.mode)
      await writer.file(parts, file, like, await folderLikeness(disk, root, path))
    }
    const { archiveSite, notes } = reader
    const result: ConfigResult = { archiveSite, notes, added: 0, replaced: 0, same, bytes: 0 }
    for (const writer of writers.values()) {
      const { added, replaced, same, bytes } = await writer.finish()
      result.added += added
      result.replaced += replaced
      result.same += same
      result.bytes += bytes
    }
    return result
  } finally {
    for (const writer of writers.values()) await writer.close()
  }
}

async function openWriter(request: RestoreConfigRequest, part: ConfigPart): Promise<FileWriter> {
  const { folders, jobId, site, schema, workers, signal, onBytes } = request
  const root = areaFolder(folders, part)
  const disk = diskOf(folders)
  const above = await disk.target(disk.join(root, '..'))
  const isRoot = (await disk.user())?.uid === 0
  const rootLike = { mode: 0o700, owner: isRoot && above ? { uid: above.uid, gid: above.gid } : null }
  return openFileWriter({
    ...{ area: part, kind: 'config', root, filesDir: folders.filesDir, disk, jobId, site, schema, workers, signal },
    ...(part === 'security' ? { rootLike } : {}),
    ...(onBytes ? { onBytes } : {}),
  })
}

async function* once(content: Buffer): AsyncGenerator<Buffer, void, void> {
  yield content
}
