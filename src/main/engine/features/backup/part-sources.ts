import { Readable } from 'node:stream'
import type { PostgresConnection } from '#engine/foundation/connections/postgres.ts'
import { connectSiteServer } from '#engine/foundation/connections/ssh/site-server.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import { limited, type RateLimit } from '#engine/foundation/rate-limit.ts'
import type { PartKind } from '#shared/model/backup.ts'
import type { DumpEngine, Site } from '#shared/model/site.ts'
import { createConfigArchive, measureConfig } from './config-archive.ts'
import { type DumpChoice, openDatabaseDump } from './database-dump.ts'
import { createMediaArchive, hasMedia } from './media-archive.ts'
import { readingPrefix } from './remote/reading-as.ts'
import { createRemoteConfigArchive } from './remote/remote-config.ts'
import {
  createRemoteMediaArchive,
  hasRemoteMedia,
  measureRemoteTree,
  mediaFolder,
  type RemoteFolder,
} from './remote/remote-media.ts'
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
  /** Set when the stream is gzip already: how many bytes came so far, unpacked. */
  plainBytes?: (() => number) | undefined
}

export interface PartSources {
  sources: PartSource[]
  /** Which engine reads the database. */
  dump: DumpChoice
}

export interface SourceOptions {
  databaseOnly: boolean
  engine: DumpEngine
  /** gzip level of a dump that is compressed on the server. */
  compression: number
  /** Default: that of the site's settings. */
  connection?: PostgresConnection
  /** The home's folder for temporary files. */
  scratch: string
  /** What is read of a server by SSH may take so much of the line. */
  limit: RateLimit
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

/** What is read of a site: the folders of this computer, or those of a server. */
interface FileReader {
  /** For messages. */
  siteDir: string
  archiveDir: string
  config(onProblem: (problem: ArchiveProblem) => void): Promise<{ stream: Readable; bytes: number } | null>
  media(onProblem: (problem: ArchiveProblem) => void): Promise<{ stream: Readable; bytes: number } | null>
}

/**
 * Opens what goes into a backup of a site. The database's snapshot is taken first: media that it speaks of are
 * archived after it, as the server does. Close the streams in any case.
 * @throws AppError of `openDatabaseDump`, of SSH, `server-tool-failed`
 */
export async function openPartSources(
  context: Pick<EngineContext, 'sites' | 'ssh'>,
  site: Site,
  options: SourceOptions,
): Promise<PartSources> {
  const { engine, compression, scratch, signal, onProgress } = options
  const connection = options.connection ?? (await context.sites.connection(site))
  const server = await connectSiteServer(context, site, signal)
  const folder = server && { server, prefix: await readingPrefix(server, site, signal) }
  const files = await openFileSources(folder ? remoteReader(folder, site, options) : localReader(site, options), options)
  const { schema } = site.database
  const onServer = server && { connection: server.connection, database: site.database, compression }
  const dump = await openDatabaseDump({ connection, schema, engine, scratch, signal, onProgress, onServer })
  for (const note of dump.notes) options.onNote(note)
  for (const { kind, name } of dump.leftOut) {
    options.onProblem({
      part: 'database',
      code: 'left-out',
      path: `${kind} ${name}`,
      text: 'pg_dump leaves it out of the dump of one schema. Make it by hand where this backup is restored.',
    })
  }
  const { stream, plainBytes, estimate, choice } = dump
  const phase = `Reading the database${PHASE_OF[choice.engine]}`
  const sources: PartSource[] = [{ part: 'database', phase, bytes: estimate, stream, plainBytes }, ...files]
  return { sources: server ? sources.map((source) => slowed(source, options)) : sources, dump: choice }
}

/** Its stream is destroyed with the one that it is read from. */
function slowed(source: PartSource, { limit, signal }: SourceOptions): PartSource {
  const { stream } = source
  const slow = Readable.from(limited(stream as AsyncIterable<Buffer>, limit, signal), { objectMode: false })
  // one that nobody began to read has not begun to read either
  slow.once('close', () => stream.destroy())
  stream.on('error', (error) => slow.destroy(error))
  return { ...source, stream: slow }
}

const PHASE_OF: Record<DumpChoice['engine'], string> = {
  'built-in': '',
  pg_dump: ' with pg_dump',
  server: ' with pg_dump on the server',
}

/** Archives read nothing before their stream is read. */
async function openFileSources(reader: FileReader | null, options: SourceOptions): Promise<PartSource[]> {
  if (!reader) return []
  const sources: PartSource[] = []
  const problemsOf = (part: PartKind) => (problem: ArchiveProblem) => options.onProblem({ part, ...problem })
  const config = await reader.config(problemsOf('config'))
  if (config) sources.push({ part: 'config', phase: 'Archiving the configuration', ...config })
  else {
    options.onProblem({
      part: 'config',
      code: 'config-missing',
      path: reader.siteDir,
      text: 'No configuration and security files were found, so the backup has none.',
    })
  }
  if (options.databaseOnly) return sources
  const media = await reader.media(problemsOf('files'))
  if (media) sources.push({ part: 'files', phase: 'Archiving the media files', ...media })
  else {
    options.onProblem({
      part: 'files',
      code: 'media-missing',
      path: reader.archiveDir,
      text: 'There is no such folder, so the backup has no media files.',
    })
  }
  return sources
}

function archiveOptions({ signal, onProgress }: SourceOptions, onProblem: (problem: ArchiveProblem) => void) {
  return { signal, onProgress: ({ bytes }: { bytes: number }) => onProgress(bytes), onProblem }
}

/** null: the site has no server at all. */
function localReader(site: Site, options: SourceOptions): FileReader | null {
  const folders = serverFolders(site)
  if (!folders) return null
  const { siteDir, securityDir, archiveDir } = folders
  const configFolders = { site: site.name, siteDir, securityDir }
  return {
    siteDir,
    archiveDir,
    async config(onProblem) {
      const stream = await createConfigArchive(configFolders, archiveOptions(options, onProblem))
      return stream && { stream, bytes: (await measureConfig(configFolders, options.signal)).bytes }
    },
    async media(onProblem) {
      if (!(await hasMedia(archiveDir))) return null
      const { bytes } = await measureTree(archiveDir, options.signal)
      return { stream: createMediaArchive(archiveDir, archiveOptions(options, onProblem)), bytes }
    },
  }
}

function remoteReader(folder: RemoteFolder, site: Site, options: SourceOptions): FileReader {
  const { signal } = options
  const archiveDir = mediaFolder(folder.server)
  return {
    siteDir: folder.server.settings.siteDir,
    archiveDir,
    config: (onProblem) => createRemoteConfigArchive(folder, site.name, archiveOptions(options, onProblem)),
    async media(onProblem) {
      if (!(await hasRemoteMedia(folder, signal))) return null
      const bytes = await measureRemoteTree(folder, archiveDir, signal)
      return { stream: createRemoteMediaArchive(folder, archiveOptions(options, onProblem)), bytes }
    },
  }
}
