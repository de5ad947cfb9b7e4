import type { Readable } from 'node:stream'
import type { PostgresConnection } from '#engine/foundation/connections/postgres.ts'
import type { PartKind } from '#shared/model/backup.ts'
import type { DumpEngine, Site } from '#shared/model/site.ts'
import { createConfigArchive, measureConfig } from './config-archive.ts'
import { type DumpChoice, openDatabaseDump } from './database-dump.ts'
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
  stream: Readable
}

export interface PartSources {
  sources: PartSource[]
  /** Which engine reads the database. */
  dump: DumpChoice
}

export interface SourceOptions {
  databaseOnly: boolean
  engine: DumpEngine
  /** The home's folder for temporary files. */
  scratch: string
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
  code: ArchiveProblem['code'] | 'media-missing' | 'config-missing' | 'left-out'
}

/**
 * Opens what goes into a backup of a site. The database's snapshot is taken first: media that it speaks of are
 * archived after it, as the server does. Close the streams in any case.
 * @throws AppError of `openDatabaseDump`
 */
export async function openPartSources(site: Site, connection: PostgresConnection, options: SourceOptions): Promise<PartSources> {
  const { engine, scratch, signal, onProgress } = options
  const files = await openFileSources(site, options)
  const dump = await openDatabaseDump({ connection, schema: site.database.schema, engine, scratch, signal, onProgress })
  for (const note of dump.notes) options.onNote(note)
  for (const { kind, name } of dump.leftOut) {
    options.onProblem({
      part: 'database',
      code: 'left-out',
      path: `${kind} ${name}`,
      text: 'pg_dump leaves it out of the dump of one schema. Make it by hand where this backup is restored.',
    })
  }
  const phase = `Reading the database${dump.choice.engine === 'pg_dump' ? ' with pg_dump' : ''}`
  return { sources: [{ part: 'database', phase, bytes: dump.estimate, stream: dump.stream }, ...files], dump: dump.choice }
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
    sources.push({ part: 'config', phase: 'Archiving the configuration', bytes, stream: config })
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
    sources.push({ part: 'files', phase: 'Archiving the media files', bytes, stream })
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
