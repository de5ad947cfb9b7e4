import { randomBytes } from 'node:crypto'
import { isIP } from 'node:net'
import type { Readable } from 'node:stream'
import { watchLockHolders } from '#engine/foundation/connections/lock-holders.ts'
import type { PostgresConnection } from '#engine/foundation/connections/postgres.ts'
import { databaseArgument, listServerPrograms, PASSWORD_AND_NAME } from '#engine/foundation/connections/ssh/postgres-programs.ts'
import type { SshConnection } from '#engine/foundation/connections/ssh/types.ts'
import { AppError, cancelledError } from '#shared/errors.ts'
import type { Site } from '#shared/model/site.ts'
import { LOCK_WAIT_MS } from '../dump/errors.ts'
import { CheckedGzip } from './checked-gzip.ts'
import { endingError, installHint } from './errors.ts'
import { readDumpFacts } from './facts.ts'
import { chooseTool, type PgDumpTool, readPgDumpVersion } from './find.ts'
import type { PgDump } from './index.ts'

export interface ServerDumpOptions {
  /** The site's server. */
  server: SshConnection
  /** The way of this computer to the database, for what is asked beforehand; its password is the one that pg_dump uses there. */
  connection: PostgresConnection
  database: Site['database']
  signal: AbortSignal
  /** gzip level, 1 to 9. */
  compression: number
  /** How long to wait for whoever changes the form of a table; default 30,000 ms. */
  lockWaitMs?: number
  /** Uncompressed bytes. */
  onProgress: (bytes: number) => void
}

/** A dump that comes as gzip: it was compressed where it was made. */
export interface ServerDump extends PgDump {
  plainBytes: () => number
}

/**
 * Dumps one schema with the server's own pg_dump, which also compresses it there: only gzip goes over the line. On the way it is
 * unpacked to see that it is whole. The password goes to it through its standard input. An abort, or destroying the stream,
 * ends pg_dump there.
 * @throws AppError `pg-dump-missing`, `dump-not-there`, `schema-unknown`, `dump-permission`, `database-lost`, `cancelled`, those of
 * `connectPostgres` and of SSH; the stream fails with `dump-failed`, `database-locked`, `connection-lost` too
 * Source: docs/architecture.md, "Three ways to dump".
 */
export async function serverDumpSchema(options: ServerDumpOptions): Promise<ServerDump> {
  const { server, connection, database, signal, lockWaitMs = LOCK_WAIT_MS } = options
  refuseOtherPlace(database)
  const facts = await readDumpFacts(connection, database.schema, signal, lockWaitMs)
  const tools = await findServerPgDumps(server, signal)
  const tool = chooseTool(tools, facts.serverMajor)
  if (!tool) throw missingThere(facts.serverMajor, tools, server.place)
  const { stream, plainBytes } = await startPgDump(tool, options)
  return { stream, plainBytes, estimate: facts.estimate, tool, notes: facts.notes, leftOut: facts.leftOut }
}

/** What the settings call localhost is this computer, unless the way to the database leads through the server. */
function refuseOtherPlace({ host, via }: Site['database']): void {
  const isHere = host === 'localhost' || host.startsWith('/') || (isIP(host) > 0 && /^(127\.|::1$)/.test(host))
  if (via === 'ssh' || !isHere) return
  throw new AppError('dump-not-there', `The database’s host is set to ${host} of this computer, which the server can’t reach.`, {
    hint: 'Set the way to the database to “through the server”, or choose another dump engine. Nothing was written.',
    details: { host },
  })
}

/** Every pg_dump of a server that answers. */
export async function findServerPgDumps(server: SshConnection, signal: AbortSignal): Promise<PgDumpTool[]> {
  const programs = await listServerPrograms(server, 'pg_dump', signal)
  return programs.flatMap(({ path, text }) => readPgDumpVersion(path, text) ?? [])
}

/** Becomes the program. */
const WITH_PASSWORD = `${PASSWORD_AND_NAME}
exec "$@"`

async function startPgDump(
  tool: PgDumpTool,
  options: ServerDumpOptions,
): Promise<{ stream: Readable; plainBytes: () => number }> {
  const { server, connection, database, signal, compression, onProgress, lockWaitMs = LOCK_WAIT_MS } = options
  const { host, port, user, schema } = database
  const program = `Backup Desk pg_dump ${randomBytes(6).toString('hex')}`
  const ending = new AbortController()
  const stop = () => ending.abort()
  signal.throwIfAborted()
  signal.addEventListener('abort', stop, { once: true })
  const dumping = [
    ...[tool.path, '--format=plain', `--compress=${compression}`, '--quote-all-identifiers', '--no-password'],
    ...[`--lock-wait-timeout=${lockWaitMs}`, `--schema="${schema.replaceAll('"', '""')}"`],
    ...[`--host=${host}`, `--port=${port}`, `--username=${user}`, databaseArgument(database.database)],
  ]
  const child = await server.start(['sh', '-c', WITH_PASSWORD, 'sh', program, database.tls, ...dumping], ending.signal)
  child.ended.catch(() => {})
  child.stdin.on('error', () => {})
  child.stdin.end(`${connection.password ?? ''}\n`)
  const watch = watchLockHolders(connection, { program })
  const checked = new CheckedGzip({
    onProgress(bytes) {
      void watch.stop()
      onProgress(bytes)
    },
    async requireEnd(problem) {
      const { code, stderr } = await child.ended
      await watch.stop()
      if (signal.aborted) throw cancelledError()
      if (code === 0 && problem === null) return
      const messages = stderr.trim() || problem?.message || ''
      const about = { schema, user, lockWaitMs, holders: watch.holders() }
      throw endingError(tool, { code, signal: code === null ? 'a signal or a lost connection' : null, messages }, about)
    },
  })
  checked.once('close', () => {
    signal.removeEventListener('abort', stop)
    child.stdout.destroy()
    stop()
    void watch.stop()
  })
  // it may fail before anybody reads it
  checked.on('error', () => {})
  child.stdout.on('error', (error) => checked.destroy(signal.aborted ? cancelledError() : error))
  signal.addEventListener('abort', () => checked.destroy(cancelledError()), { once: true })
  child.stdout.pipe(checked)
  return { stream: checked, plainBytes: () => checked.plainBytes }
}

function missingThere(serverMajor: number, found: readonly PgDumpTool[], place: string): AppError {
  const seen =
    found.length > 0
      ? `Too old for it: ${found.map(({ version, path }) => `${version} (${path})`).join(', ')}.`
      : 'None was found there.'
  return new AppError(
    'pg-dump-missing',
    `Dumping this database on the server needs pg_dump ${serverMajor} or later on ${place}. ${seen} Nothing was written.`,
    {
      hint: `${installHint(serverMajor)} Or choose another dump engine.`,
      details: { serverMajor, found: found.map((tool) => ({ ...tool })), place },
    },
  )
}
