import type { Readable } from 'node:stream'
import type { PostgresConnection } from '#engine/foundation/connections/postgres.ts'
import { AppError } from '#shared/errors.ts'
import type { DumpEngine } from '#shared/model/site.ts'
import { dumpSchema, type UnsupportedObject } from './dump/index.ts'
import { findPgDumps, installHint, type PgDumpTool, pgDumpSchema } from './pg-dump/index.ts'

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
}

/** Which engine made a dump, and why. */
export interface DumpChoice {
  engine: 'built-in' | 'pg_dump'
  /** A sentence. */
  why: string
}

export interface DatabaseDump {
  stream: Readable
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
 * holds what the built-in one does not handle. Source: docs/architecture.md, "Two dump engines".
 * @throws AppError those of `dumpSchema` and `pgDumpSchema`
 */
export async function openDatabaseDump(options: DatabaseDumpOptions): Promise<DatabaseDump> {
  const { engine } = options
  if (engine === 'pg_dump') return withPgDump(options, (tool) => `The settings say pg_dump; ${nameOf(tool)} fits this server.`)
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
    throw new AppError('dump-unsupported', `${refusal.message} pg_dump would, but none of this computer fits this server.`, {
      hint: `Nothing was written. ${installHint(Number(error.details.serverMajor))}`,
      details: { ...refusal.details, tools: error.details.found },
      cause: refusal,
    })
  }
}

function nameOf({ version, path }: PgDumpTool): string {
  return `pg_dump ${version} (${path})`
}
