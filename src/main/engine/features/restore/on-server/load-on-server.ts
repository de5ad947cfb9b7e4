import {
  connectPostgres,
  type PostgresConnection,
  type QuerySession,
  schemaOid,
} from '#engine/foundation/connections/postgres.ts'
import type { SshConnection } from '#engine/foundation/connections/ssh/types.ts'
import { outdated } from '#engine/foundation/plans/plan-shelf.ts'
import { AppError } from '#shared/errors.ts'
import type { Site } from '#shared/model/site.ts'
import { factsOf } from '../allow-list/facts.ts'
import { type Backend, backendState, beginLoading, endBackend } from '../backend.ts'
import type { Committing } from '../load.ts'
import { asLoadError, statementFailed, transactionEnded } from '../load-errors.ts'
import { checkWhole, commitLoad, type LoadFrame, moveLiveAway } from '../load-frame.ts'
import { watchOutside } from '../outside-guard.ts'
import type { DumpOnServer } from './dump-on-server.ts'
import { dumpCutThere, PsqlAnswer } from './psql-messages.ts'
import type { PsqlProgram } from './psql-program.ts'
import { PsqlSession } from './psql-session.ts'
import { watchReading } from './watch-reading.ts'

/** A server that nobody speaks to any more must not keep writers out of the live site. */
const IDLE_MS = 5 * 60_000

export interface ServerLoadRequest extends LoadFrame {
  server: SshConnection
  psql: PsqlProgram
  /** As the site's settings have it: as the server sees it. */
  database: Site['database']
  dump: DumpOnServer
  /** True when the dump itself begins with `\restrict`. */
  isRestricted: boolean
  /** Functions that run while the dump is loaded and do more than compute. */
  runs: ReadonlySet<string>
  signal: AbortSignal
  /** Bytes of the gzip file that were taken since the last call. */
  onBytes: (bytes: number) => void
  beforeCommit: (committing: Committing, session: QuerySession) => Promise<void>
}

/**
 * Loads a dump that lies on the server in place of a site's schema, by psql there. It is told each step from here, in one transaction, and
 * is told COMMIT only after the whole dump was unpacked and run, and was found whole: when the line is cut before that, the end of its
 * input is a rollback. The dump must have passed the allow-list. Source: docs/formats.md, "Loading a dump on the server".
 * @throws AppError `psql-failed`, `other-database`, `plan-outdated`, `statement-failed`, `dump-cut`, `transaction-ended`,
 * `outside-changed`, `database-locked`, `connection-lost`, `commit-unknown`, `cancelled`
 */
export async function loadOnServer(request: ServerLoadRequest): Promise<void> {
  const { server, psql, database, connection, dump, isRestricted, signal } = request
  const { password } = connection
  const session = await PsqlSession.open({
    server,
    psql,
    database,
    password,
    dump: { path: dump.path, isRestricted },
    signal,
  })
  const begun: { backend: Backend | null } = { backend: null }
  try {
    await load(session, request, begun)
  } catch (error) {
    const known = asLoadError(asAppError(error), signal)
    await session.close()
    // a server that builds an index would not notice the end of its connection, and would hold its locks on
    if (begun.backend && known.code !== 'commit-unknown') await endBackend(connection, begun.backend)
    throw known
  } finally {
    await session.close()
  }
}

async function load(session: PsqlSession, request: ServerLoadRequest, begun: { backend: Backend | null }): Promise<void> {
  const { server, connection, schema, keepLiveAs, runs, dump, signal, onBytes, beforeCommit } = request
  const { backend, isSuperuser } = await beginLoading(session)
  begun.backend = backend
  await requireSameDatabase(connection, backend, server)
  const [run] = runs
  if (isSuperuser && run !== undefined) {
    throw outdated(`“${connection.user}” may do anything on the database server, and the dump makes it run ${run}`)
  }
  await limitIdling(session)
  const liveOid = await schemaOid(session, schema)
  await moveLiveAway(session, request)
  const outside = await watchOutside(session, schema, keepLiveAs)
  const transaction = await transactionOf(session)
  const watch = watchReading(server, dump.path, onBytes)
  try {
    if (!(await session.runDump())) throw dumpCutThere()
  } finally {
    await watch.stop()
  }
  if ((await transactionOf(session)) !== transaction) throw transactionEnded('the whole dump')
  // the dump has its own idea of it
  await limitIdling(session)
  await checkWhole(session, request, outside)
  await beforeCommit({ backend, liveOid }, session)
  signal.throwIfAborted()
  const send = async () => {
    await session.query('COMMIT')
    const { rows } = await session.query<{ became: string }>(`SELECT pg_catalog.pg_xact_status('${transaction}'::xid8) AS became`)
    return rows[0]?.became === 'committed' ? 'COMMIT' : 'ROLLBACK'
  }
  await commitLoad(send, request, { backend, liveOid })
}

/**
 * What the server calls localhost is another machine than what this computer does: the session must be seen from here too.
 * @throws AppError `other-database`
 */
export async function requireSameDatabase(
  connection: PostgresConnection,
  backend: Backend,
  server: SshConnection,
): Promise<void> {
  const client = await connectPostgres(connection)
  try {
    if ((await backendState(client, backend)) !== 'gone') return
  } finally {
    await client.end()
  }
  throw new AppError(
    'other-database',
    `What ${server.place} reaches as ${connection.host}:${connection.port} is another database server.`,
    {
      hint: 'Set the way to the database to “through the server”, or load the database from this computer.',
      details: { host: connection.host, port: connection.port },
    },
  )
}

async function limitIdling(session: QuerySession): Promise<void> {
  await session.query(`SET LOCAL idle_in_transaction_session_timeout = ${IDLE_MS}`)
}

/** The number of the transaction, which a session has as long as it is in the same one. */
async function transactionOf(session: QuerySession): Promise<string> {
  const { rows } = await session.query<{ id: string }>('SELECT pg_catalog.pg_current_xact_id()::text AS id')
  return rows[0]?.id ?? ''
}

/** What the database server said, as the loader of this computer says it. */
function asAppError(error: unknown): unknown {
  if (!(error instanceof PsqlAnswer)) return error
  const table = /^COPY (.*), line \d+/.exec(error.where)?.[1]
  const facts = table === undefined ? factsOf('A statement of the load') : factsOf('COPY', { table })
  // psql is at the end of a table's rows when it hears of one
  const place = error.line === null || table !== undefined ? null : { line: error.line, offset: 0 }
  return statementFailed(error, { facts, text: '', place })
}
