import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { WriterRequest } from '../files/put-in-place.ts'
import { SafeWriter } from '../files/safe-writer.ts'
import { areaFolder } from '../files/undo-journal.ts'
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
  const writers = new Map<ConfigPart, SafeWriter>()
  try {
    for await (const { entry, part, parts, path, standing } of reader.files()) {
      if (standing === 'other') continue
      const writer = writers.get(part) ?? (await openWriter(request, part))
      writers.set(part, writer)
      const root = areaFolder(request.folders, part)
      const like = await likenessFor(root, path, part, entry.mode)
      await writer.file(parts, entry, like, await folderLikeness(root, path))
    }
    const { archiveSite, notes } = reader
    const result: ConfigResult = { archiveSite, notes, added: 0, replaced: 0, same: 0, bytes: 0 }
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

async function openWriter(request: RestoreConfigRequest, part: ConfigPart): Promise<SafeWriter> {
  const { folders, jobId, site, schema, workers, signal, onBytes } = request
  const root = areaFolder(folders, part)
  const above = await stat(dirname(root))
  const isRoot = process.getuid?.() === 0
  const rootLike = { mode: 0o700, owner: isRoot ? { uid: above.uid, gid: above.gid } : null }
  return SafeWriter.open({
    ...{ area: part, kind: 'config', root, filesDir: folders.filesDir, jobId, site, schema, workers, signal },
    ...(part === 'security' ? { rootLike } : {}),
    ...(onBytes ? { onBytes } : {}),
  })
}
