import { createConnection } from 'node:net'
import type pg from 'pg'
import { connectPostgres, type PostgresConnection, quoteIdentifier } from '#engine/foundation/connections/postgres.ts'
import { AppError } from '#shared/errors.ts'
import { errorCode, permissionError, readError, schemaUnknownError, unsupportedError } from './errors.ts'

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
const LOCK_WAIT_MS = 30_000
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
  SET LOCAL idle_in_transaction_session_timeout = 0;
  SET LOCAL lock_timeout = ${LOCK_WAIT_MS};`

/**
 * Connects, locks all tables of the schema with ACCESS SHARE and opens a REPEATABLE READ transaction whose snapshot is
 * taken after the locks, so that definitions and rows are of the same moment.
 * @throws AppError `schema-unknown`, `dump-permission`, `dump-unsupported` (server version or encoding),
 * `database-locked`, `database-lost`, `cancelled` and those of `connectPostgres`
 */
export async function openSnapshot(connection: PostgresConnection, schema: string, signal?: AbortSignal): Promise<Snapshot> {
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
    await lockTables(client, schema, schemaOid, server.number)
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

async function describeServer(client: pg.Client): Promise<{ version: string; number: number; encoding: string }> {
  const { rows } = await client.query<{ version: string; number: number; encoding: string }>(
    `SELECT pg_catalog.current_setting('server_version') AS version,
            pg_catalog.current_setting('server_version_num')::int AS number,
            pg_catalog.current_setting('server_encoding') AS encoding`,
  )
  const row = rows[0]
  if (!row) throw new AppError('database-lost', 'PostgreSQL did not tell its version.')
  return row
}

function refuseServer(server: { version: string; number: number; encoding: string }, schema: string): void {
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

async function findSchema(client: pg.Client, schema: string, connection: PostgresConnection): Promise<number> {
  const { rows } = await client.query<{ oid: number; usable: boolean }>(
    `SELECT oid, pg_catalog.has_schema_privilege(oid, 'USAGE') AS usable FROM pg_catalog.pg_namespace WHERE nspname = $1`,
    [schema],
  )
  const row = rows[0]
  if (!row) throw schemaUnknownError(schema, connection.database)
  if (!row.usable) throw permissionError(connection.user, [`permission denied for schema ${schema}`])
  return row.oid
}

/** Every table and sequence that may not be read, at once: LOCK TABLE would name only the first. */
async function refuseUnreadable(client: pg.Client, schemaOid: number, user: string): Promise<void> {
  const { rows } = await client.query<{ relname: string; kind: string }>(
    `SELECT relname, CASE relkind WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind
     FROM pg_catalog.pg_class
     WHERE relnamespace = $1 AND CASE relkind
       WHEN 'S' THEN NOT pg_catalog.has_sequence_privilege(oid, 'SELECT')
       WHEN 'r' THEN NOT pg_catalog.has_table_privilege(oid, 'SELECT')
       WHEN 'p' THEN NOT pg_catalog.has_table_privilege(oid, 'SELECT')
       ELSE false END
     ORDER BY relname`,
    [schemaOid],
  )
  if (rows.length === 0) return
  throw permissionError(
    user,
    rows.map((row) => `permission denied for ${row.kind} ${row.relname}`),
  )
}

/**
 * LOCK TABLE takes no snapshot by itself: locks first, then the first query fixes the moment. When a table came or went
 * between listing and locking, it begins anew.
 */
async function lockTables(client: pg.Client, schema: string, schemaOid: number, serverVersion: number): Promise<void> {
  const settings = serverVersion >= 170000 ? `${SETTINGS} SET LOCAL transaction_timeout = 0;` : SETTINGS
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
