import type { Readable } from 'node:stream'
import type { PostgresConnection } from '#engine/foundation/connections/postgres.ts'
import type { SshConnection } from '#engine/foundation/connections/ssh/types.ts'
import { AppError } from '#shared/errors.ts'
import type { DumpEngine, Site } from '#shared/model/site.ts'
import { dumpSchema, type UnsupportedObject } from './dump/index.ts'
import { findPgDumps, installHint, type PgDumpTool, pgDumpSchema, serverDumpSchema } from './pg-dump/index.ts'

export interface DatabaseDumpOptions {
  connection: PostgresConnection
  schema: string
  engine: DumpEngine
  /** The home's folder for temporary files. */
  scratch: string
  signal: AbortSignal
  /** Uncompressed bytes. */
  onProgress: (bytes: number) => void
  /** The programs that pg_dump is chosen from; default: those of this computer. */
  tools?: readonly PgDumpTool[]
  /** For a dump that is made on the server; null: the site has none that can be reached by SSH. */
  onServer?: OnServer | null
}

export interface OnServer {
  connection: SshConnection
  /** As the site's settings have it. */
  database: Site['database']
  /** gzip level. */
  compression: number
}

/** Which engine made a dump, and why. */
export interface DumpChoice {
  engine: 'built-in' | 'pg_dump' | 'server'
  /** A sentence. */
  why: string
}

export interface DatabaseDump {
  stream: Readable
  /** Set when the stream is gzip already: the bytes that came so far, unpacked. */
  plainBytes?: () => number
  /** About how many bytes will come. */
  estimate: number
  choice: DumpChoice
  /** What stays behind because it belongs to the database; sentences for the job's log. */
  notes: string[]
  /** What belongs to things of the schema and is not in the dump. */
  leftOut: UnsupportedObject[]
}

/** How many objects a sentence names. */
const NAMED = 3

/**
 * Opens the dump of one schema with the engine that was asked for. `auto`: the built-in one, and pg_dump for a schema that
 * holds what the built-in one does not handle, that of this computer before that of the server. Source: docs/architecture.md,
 * "Three ways to dump".
 * @throws AppError `no-ssh-server`, and those of `dumpSchema`, `pgDumpSchema` and `serverDumpSchema`
 */
export async function openDatabaseDump(options: DatabaseDumpOptions): Promise<DatabaseDump> {
  const { engine } = options
  if (engine === 'pg_dump') return withPgDump(options, (tool) => `The settings say pg_dump; ${nameOf(tool)} fits this server.`)
  if (engine === 'server') return withServer(options, (tool) => `The settings say so; its ${nameOf(tool)} fits.`)
  try {
    const why =
      engine === 'auto' ? 'It handles every object of this schema, and needs nothing installed.' : 'The settings say so.'
    return await withBuiltIn(options, why)
  } catch (error) {
    if (engine !== 'auto' || !(error instanceof AppError) || error.code !== 'dump-unsupported') throw error
    return withPgDumpInstead(options, error)
  }
}

async function withBuiltIn(options: DatabaseDumpOptions, why: string): Promise<DatabaseDump> {
  const { connection, schema, signal, onProgress } = options
  const dump = await dumpSchema({ connection, schema, signal, onProgress })
  return {
    stream: dump.stream,
    estimate: dump.estimate,
    choice: { engine: 'built-in', why },
    notes: dump.facts.notes,
    leftOut: [],
  }
}

async function withPgDump(options: DatabaseDumpOptions, why: (tool: PgDumpTool) => string): Promise<DatabaseDump> {
  const dump = await pgDumpSchema(options)
  const { stream, estimate, notes, leftOut } = dump
  return { stream, estimate, choice: { engine: 'pg_dump', why: why(dump.tool) }, notes, leftOut }
}

async function withServer(options: DatabaseDumpOptions, why: (tool: PgDumpTool) => string): Promise<DatabaseDump> {
  const { connection, onServer, signal, onProgress } = options
  if (!onServer) {
    throw new AppError('no-ssh-server', 'Dumping on the server needs a server that is reached by SSH. Nothing was written.', {
      hint: 'Add the server in the site’s settings, or choose another dump engine.',
    })
  }
  const { database, compression } = onServer
  const server = onServer.connection
  const dump = await serverDumpSchema({ server, connection, database, compression, signal, onProgress })
  const { stream, plainBytes, estimate, notes, leftOut } = dump
  return { stream, plainBytes, estimate, choice: { engine: 'server', why: why(dump.tool) }, notes, leftOut }
}

/** @throws AppError the refusal, with what to install, when there is no pg_dump that fits */
async function withPgDumpInstead(options: DatabaseDumpOptions, refusal: AppError): Promise<DatabaseDump> {
  const tools = options.tools ?? (await findPgDumps())
  const objects = (refusal.details.objects ?? []) as UnsupportedObject[]
  const named = objects.slice(0, NAMED).map(({ kind, name }) => `${kind} ${name}`)
  if (objects.length > NAMED) named.push(`${objects.length - NAMED} more`)
  try {
    const dump = await withPgDump(
      { ...options, tools },
      (tool) => `The built-in engine refuses ${named.join(', ')}; ${nameOf(tool)} fits.`,
    )
    if (dump.leftOut.length > 0) dump.choice.why += ' What it leaves out too is listed.'
    return dump
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'pg-dump-missing') throw error
    const there = options.onServer ? await withServerInstead(options, named) : null
    if (there) return there
    throw new AppError(
      'dump-unsupported',
      `${refusal.message} pg_dump would, but none of this computer${options.onServer ? ' or of the server' : ''} fits this database.`,
      {
        hint: `Nothing was written. ${installHint(Number(error.details.serverMajor))}`,
        details: { ...refusal.details, tools: error.details.found },
        cause: refusal,
      },
    )
  }
}

/** null: the server has no pg_dump that fits, or its database is another one. */
async function withServerInstead(options: DatabaseDumpOptions, refused: readonly string[]): Promise<DatabaseDump | null> {
  try {
    return await withServer(
      options,
      (tool) =>
        `The built-in engine refuses ${refused.join(', ')}; this computer has no pg_dump that fits, the server’s ${nameOf(tool)} does.`,
    )
  } catch (error) {
    if (error instanceof AppError && (error.code === 'pg-dump-missing' || error.code === 'dump-not-there')) return null
    throw error
  }
}

function nameOf({ version, path }: PgDumpTool): string {
  return `pg_dump ${version} (${path})`
}
