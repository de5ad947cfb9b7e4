import { createConnection } from 'node:net'
import type pg from 'pg'
import { connectPostgres, type PostgresConnection, quoteIdentifier } from '#engine/foundation/connections/postgres.ts'
import { AppError } from '#shared/errors.ts'
import { errorCode, LOCK_WAIT_MS, readError, unsupportedError } from './errors.ts'
import { tellingWhoLocks } from './lock-wait.ts'
import { describeServer, findSchema, refuseUnreadable, type Server } from './server.ts'

/** An open snapshot of one schema: all tables locked against changes of their form, nothing read yet. */
export interface Snapshot {
  readonly client: pg.Client
  readonly schema: string
  readonly schemaOid: number
  readonly database: string
  readonly user: string
  /** "15.18 (Debian 15.18-0+deb12u1)". */
  readonly serverVersion: string
  /** 150018. */
  readonly serverVersionNumber: number
  readonly startedAt: Date
  /** Rolls back and closes; safe to call twice. */
  close(): Promise<void>
  /** Closes at once, also in the middle of a COPY or a wait: the server's backend ends. */
  abandon(): void
}

/** The versions whose catalogues this engine was written for. */
const OLDEST = 13
const NEWEST = 18
const LOCK_ATTEMPTS = 5

/**
 * As pg_dump sets them, so that values, expressions and definitions come out the same everywhere. For the transaction
 * alone: behind a pooler the session may be somebody else's a moment later. SET takes no snapshot, as a SELECT would.
 */
const SETTINGS = `
  SET LOCAL client_encoding = 'UTF8';
  SET LOCAL search_path = '';
  SET LOCAL datestyle = 'ISO';
  SET LOCAL intervalstyle = 'postgres';
  SET LOCAL extra_float_digits = 3;
  SET LOCAL bytea_output = 'hex';
  SET LOCAL xmloption = 'content';
  SET LOCAL row_security = off;
  SET LOCAL synchronize_seqscans = off;
  SET LOCAL standard_conforming_strings = on;
  SET LOCAL statement_timeout = 0;
  SET LOCAL idle_in_transaction_session_timeout = 0;`

/**
 * Connects, locks all tables of the schema with ACCESS SHARE and opens a REPEATABLE READ transaction whose snapshot is
 * taken after the locks, so that definitions and rows are of the same moment.
 * @throws AppError `schema-unknown`, `dump-permission`, `dump-unsupported` (server version or encoding),
 * `database-locked`, `database-lost`, `cancelled` and those of `connectPostgres`
 */
export async function openSnapshot(
  connection: PostgresConnection,
  schema: string,
  signal?: AbortSignal,
  lockWaitMs = LOCK_WAIT_MS,
): Promise<Snapshot> {
  const client = await connectPostgres(connection, signal)
  let open = true
  const cancelBackend = backendCanceller(client, connection)
  const abandon = () => {
    if (!open) return
    open = false
    signal?.removeEventListener('abort', cancelBackend)
    cancelBackend()
    client.connection.stream.destroy()
  }
  signal?.addEventListener('abort', cancelBackend, { once: true })
  const close = async () => {
    signal?.removeEventListener('abort', cancelBackend)
    if (!open) return
    open = false
    await client.end()
  }
  try {
    const server = await describeServer(client)
    refuseServer(server, schema)
    const schemaOid = await findSchema(client, schema, connection)
    await refuseUnreadable(client, schemaOid, connection.user)
    await tellingWhoLocks(client, connection, schema, lockWaitMs, () =>
      lockTables(client, schema, schemaOid, server.number, lockWaitMs),
    )
    return {
      client,
      schema,
      schemaOid,
      database: connection.database,
      user: connection.user,
      serverVersion: server.version,
      serverVersionNumber: server.number,
      startedAt: new Date(),
      close,
      abandon,
    }
  } catch (error) {
    const explained = readError(error, `schema "${schema}"`, connection.user, signal)
    abandon()
    throw explained
  }
}

function refuseServer(server: Server, schema: string): void {
  const major = Math.floor(server.number / 10_000)
  if (major < OLDEST || major > NEWEST) {
    const name = `${server.version} (this engine knows ${OLDEST} to ${NEWEST})`
    throw unsupportedError(schema, [{ kind: 'PostgreSQL version', name }])
  }
  // SQL_ASCII says nothing about what the bytes mean, so that names could not be read without loss
  if (server.encoding === 'SQL_ASCII' || server.encoding === 'MULE_INTERNAL') {
    throw unsupportedError(schema, [{ kind: 'database encoding', name: server.encoding }])
  }
}

/**
 * LOCK TABLE takes no snapshot by itself: locks first, then the first query fixes the moment. When a table came or went
 * between listing and locking, it begins anew.
 */
async function lockTables(
  client: pg.Client,
  schema: string,
  schemaOid: number,
  serverVersion: number,
  lockWaitMs: number,
): Promise<void> {
  const settings = `${SETTINGS} SET LOCAL lock_timeout = ${lockWaitMs}; ${serverVersion >= 170000 ? 'SET LOCAL transaction_timeout = 0;' : ''}`
  for (let attempt = 1; ; attempt++) {
    const names = await listTables(client, schemaOid)
    await client.query(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${settings}`)
    try {
      if (names.length > 0) {
        const list = names.map((name) => `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`).join(', ')
        await client.query(`LOCK TABLE ${list} IN ACCESS SHARE MODE`)
      }
      const seen = await listTables(client, schemaOid)
      if (seen.length === names.length && seen.every((name, at) => name === names[at])) return
    } catch (error) {
      // 42P01: dropped meanwhile; 42809: became something else
      const code = errorCode(error)
      if (code !== '42P01' && code !== '42809') throw error
    }
    await client.query('ROLLBACK')
    if (attempt >= LOCK_ATTEMPTS) {
      throw new AppError(
        'database-locked',
        `Tables of schema "${schema}" are created and dropped faster than they can be locked.`,
        {
          hint: 'Try again in a while.',
          details: { schema },
        },
      )
    }
  }
}

async function listTables(client: pg.Client, schemaOid: number): Promise<string[]> {
  const { rows } = await client.query<{ relname: string }>(
    `SELECT relname FROM pg_catalog.pg_class WHERE relnamespace = $1 AND relkind IN ('r', 'p') ORDER BY oid`,
    [schemaOid],
  )
  return rows.map((row) => row.relname)
}

/**
 * The protocol's cancel request, on a connection of its own. A backend that waits for a lock does not notice that its
 * client is gone; with this it ends at once. Best effort: the closed socket ends it at its next output anyway.
 */
function backendCanceller(client: pg.Client, connection: PostgresConnection): () => void {
  const processId: unknown = Reflect.get(client, 'processID')
  const secretKey: unknown = Reflect.get(client, 'secretKey')
  if (typeof processId !== 'number' || typeof secretKey !== 'number') return () => {}
  const request = Buffer.alloc(16)
  request.writeInt32BE(16, 0)
  request.writeInt32BE(80877102, 4)
  request.writeInt32BE(processId, 8)
  request.writeInt32BE(secretKey, 12)
  return () => {
    const socket = createConnection({ host: connection.host, port: connection.port })
    socket.setTimeout(5_000, () => socket.destroy())
    socket.on('error', () => socket.destroy())
    socket.once('connect', () => socket.end(request))
  }
}
