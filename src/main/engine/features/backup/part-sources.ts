import type { Readable } from 'node:stream'
import type { PostgresConnection } from '#engine/foundation/connections/postgres.ts'
import type { PartKind } from '#shared/model/backup.ts'
import type { Site } from '#shared/model/site.ts'
import { createConfigArchive, measureConfig } from './config-archive.ts'
import { dumpSchema } from './dump/index.ts'
import { createMediaArchive, hasMedia } from './media-archive.ts'
import { serverFolders } from './server-folders.ts'
import { type ArchiveProblem, measureTree } from './tree.ts'

/** A part that is to be backed up. */
export interface PartSource {
  part: PartKind
  /** Of the job's phase: "Reading the database". */
  phase: string
  /** Uncompressed, as far as it is known beforehand. */
  bytes: number
  compression: number
  stream: Readable
}

export interface SourceOptions {
  databaseOnly: boolean
  signal: AbortSignal
  /** Uncompressed bytes read. */
  onProgress: (bytes: number) => void
  onProblem: (problem: BackupProblem) => void
  /** What the database's dump leaves to the database, for the job's log. */
  onNote: (text: string) => void
}

/** Something that is not, or not wholly, in a backup that was made. */
export interface BackupProblem extends Omit<ArchiveProblem, 'code'> {
  part: PartKind
  code: ArchiveProblem['code'] | 'media-missing' | 'config-missing'
}

/**
 * Opens what goes into a backup of a site. The database's snapshot is taken first: media that it speaks of are
 * archived after it, as the server does. Close the streams in any case.
 * @throws AppError of `dumpSchema`
 */
export async function openPartSources(site: Site, connection: PostgresConnection, options: SourceOptions): Promise<PartSource[]> {
  const { signal, onProgress } = options
  const files = await openFileSources(site, options)
  const dump = await dumpSchema({ connection, schema: site.database.schema, signal, onProgress })
  for (const note of dump.facts.notes) options.onNote(note)
  return [
    { part: 'database', phase: 'Reading the database', bytes: dump.estimate, compression: 7, stream: dump.stream },
    ...files,
  ]
}

/** Archives read nothing before their stream is read. */
async function openFileSources(site: Site, options: SourceOptions): Promise<PartSource[]> {
  const folders = serverFolders(site)
  if (!folders) return []
  const { signal } = options
  const sources: PartSource[] = []
  const archiveOptions = (part: PartKind) => ({
    signal,
    onProgress: ({ bytes }: { bytes: number }) => options.onProgress(bytes),
    onProblem: (problem: ArchiveProblem) => options.onProblem({ part, ...problem }),
  })
  const configFolders = { site: site.name, siteDir: folders.siteDir, securityDir: folders.securityDir }
  const config = await createConfigArchive(configFolders, archiveOptions('config'))
  if (config) {
    const { bytes } = await measureConfig(configFolders, signal)
    sources.push({ part: 'config', phase: 'Archiving the configuration', bytes, compression: 7, stream: config })
  } else {
    options.onProblem({
      part: 'config',
      code: 'config-missing',
      path: folders.siteDir,
      text: 'No configuration and security files were found, so the backup has none.',
    })
  }
  if (options.databaseOnly) return sources
  if (await hasMedia(folders.archiveDir)) {
    const { bytes } = await measureTree(folders.archiveDir, signal)
    const stream = createMediaArchive(folders.archiveDir, archiveOptions('files'))
    sources.push({ part: 'files', phase: 'Archiving the media files', bytes, compression: 6, stream })
  } else {
    options.onProblem({
      part: 'files',
      code: 'media-missing',
      path: folders.archiveDir,
      text: 'There is no such folder, so the backup has no media files.',
    })
  }
  return sources
}
