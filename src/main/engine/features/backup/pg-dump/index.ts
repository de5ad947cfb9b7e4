import type { Readable } from 'node:stream'
import { LOCK_WAIT_MS, type UnsupportedObject } from '../dump/errors.ts'
import { makeSurroundings } from './environment.ts'
import { missingError } from './errors.ts'
import { readDumpFacts } from './facts.ts'
import { chooseTool, findPgDumps, type PgDumpTool } from './find.ts'
import { type RunOptions, streamPgDump } from './run.ts'

export { installHint } from './errors.ts'
export { chooseTool, findPgDumps, type PgDumpTool } from './find.ts'
export { findServerPgDumps, type ServerDump, serverDumpSchema } from './on-server.ts'

export interface PgDumpOptions extends RunOptions {
  /** The home's folder for temporary files. */
  scratch: string
  /** The programs to choose from; default: those of this computer. */
  tools?: readonly PgDumpTool[]
}

export interface PgDump {
  /** As {@link streamPgDump} says. Must be read or destroyed. */
  stream: Readable
  /** About how many bytes will come. */
  estimate: number
  tool: PgDumpTool
  /** What stays behind because it belongs to the database and not to the schema; sentences for the job's log. */
  notes: string[]
  /** What belongs to things of the schema, and pg_dump leaves out of the dump of one schema. */
  leftOut: UnsupportedObject[]
}

/**
 * Dumps one schema with a pg_dump of this computer, as the server itself does.
 * @throws AppError `pg-dump-missing`, `schema-unknown`, `dump-permission`, `database-lost`, `dump-failed`, `cancelled` and
 * those of `connectPostgres`; the stream fails with `database-locked` and `cancelled` too
 * Source: docs/architecture.md, "Three ways to dump".
 */
export async function pgDumpSchema(options: PgDumpOptions): Promise<PgDump> {
  const { connection, schema, signal } = options
  const facts = await readDumpFacts(connection, schema, signal, options.lockWaitMs ?? LOCK_WAIT_MS)
  const tools = options.tools ?? (await findPgDumps())
  const tool = chooseTool(tools, facts.serverMajor)
  if (!tool) throw missingError(facts.serverMajor, tools)
  const surroundings = await makeSurroundings(options.scratch, connection, signal)
  const stream = streamPgDump(tool, options, surroundings)
  // what could not be removed is empty of secrets, and in the scratch folder
  stream.once('close', () => void surroundings.remove().catch(() => {}))
  return { stream, estimate: facts.estimate, tool, notes: facts.notes, leftOut: facts.leftOut }
}
