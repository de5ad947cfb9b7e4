import type { Duplex } from 'node:stream'
import pg from 'pg'
import { AppError } from '#shared/errors.ts'
import { connectedSocket } from './postgres-stream.ts'
import { readTlsFiles, tlsOptions } from './postgres-tls.ts'

/** A way to a database. The password lives in memory only. */
export interface PostgresConnection {
  host: string
  port: number
  database: string
  user: string
  password?: string
  tls: 'disable' | 'require' | 'verify-full'
  /** PEM files: authorities to trust, and a certificate with its key to log in with. */
  caFile?: string
  certificateFile?: string
  keyFile?: string
  /** Through a server: host and port are as that server sees them. */
  tunnel?: Tunnel
}

/** The way to a database through a server. */
export interface Tunnel {
  /** For messages: `through deploy@web1.example.org`. */
  readonly through: string
  /** A stream to the database, for our own client. */
  open(signal?: AbortSignal): Promise<Duplex>
  /** A port on 127.0.0.1 for other programs, which leads there until it is closed. */
  listen(signal?: AbortSignal): Promise<{ port: number; close(): Promise<void> }>
}

/**
 * Opens one connection of its own (no pool), with sane limits: 10 s to connect, TCP keep-alive.
 * `signal` closes the socket, which also ends a COPY that is under way.
 * @param options.statementMs the server gives a statement up after this time; default: never
 * @throws AppError `database-unreachable`, `database-password`, `database-unknown`, `tls-file`, `cancelled`, and through a server
 *   those of `SshConnections.connect`
 */
export async function connectPostgres(
  connection: PostgresConnection,
  signal?: AbortSignal,
  options: { statementMs?: number } = {},
): Promise<pg.Client> {
  signal?.throwIfAborted()
  const { tunnel } = connection
  // as libpq has it: a Unix socket knows no TLS
  const mode = connection.host.startsWith('/') ? 'disable' : connection.tls
  const ssl = mode === 'disable' ? false : tlsOptions(mode, await readTlsFiles(connection))
  const stream = tunnel ? connectedSocket(await openTunnel(tunnel, signal)) : null
  if (signal?.aborted) {
    stream?.destroy()
    signal.throwIfAborted()
  }
  const client = new pg.Client({
    host: connection.host,
    port: connection.port,
    database: connection.database,
    user: connection.user,
    // an empty string keeps pg from looking for PGPASSWORD or ~/.pgpass of whoever runs this
    password: connection.password ?? '',
    ssl,
    application_name: 'Backup Desk',
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 15_000,
    ...(options.statementMs === undefined ? {} : { statement_timeout: options.statementMs }),
    ...(stream ? { stream: () => stream } : {}),
  })
  // after an abort or a lost server, errors arrive outside of any query
  client.on('error', () => {})
  const abort = () => {
    client.connection.stream.destroy()
  }
  signal?.addEventListener('abort', abort, { once: true })
  client.once('end', () => signal?.removeEventListener('abort', abort))
  try {
    await client.connect()
  } catch (error) {
    signal?.removeEventListener('abort', abort)
    stream?.destroy()
    signal?.throwIfAborted()
    throw connectError(error, connection)
  }
  return client
}

async function openTunnel(tunnel: Tunnel, signal: AbortSignal | undefined): Promise<Duplex> {
  try {
    return await tunnel.open(signal)
  } catch (error) {
    // the server was reached, the database was not
    if (error instanceof AppError && error.code === 'forward-refused') {
      throw new AppError('database-unreachable', error.message, { hint: error.hint, details: error.details, cause: error })
    }
    throw error
  }
}

const UNREACHABLE: Record<string, string> = {
  ECONNREFUSED: 'nothing answers there',
  ENOTFOUND: 'there is no host of this name',
  EAI_AGAIN: 'its name could not be looked up',
  ETIMEDOUT: 'no answer came in time',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  ECONNRESET: 'it was broken off',
}

function connectError(error: unknown, to: PostgresConnection): AppError {
  const { code, message } = error as { code?: string; message: string }
  if (error instanceof AppError) return error
  const place = `${to.host}:${to.port}${to.tunnel ? ` ${to.tunnel.through}` : ''}`
  if (code === '28P01' || code === '28000' || /password/i.test(message)) {
    return new AppError('database-password', `PostgreSQL at ${place} refused user "${to.user}": ${message}.`, {
      hint: 'Check user and password in the site’s settings.',
      details: { host: to.host, port: to.port, user: to.user },
      cause: error,
    })
  }
  if (code === '3D000') {
    return new AppError('database-unknown', `PostgreSQL at ${place} has no database "${to.database}".`, {
      hint: 'Check the database name in the site’s settings.',
      details: { host: to.host, port: to.port, database: to.database },
      cause: error,
    })
  }
  const why = code === undefined ? message : (UNREACHABLE[code] ?? message)
  return new AppError('database-unreachable', `No connection to PostgreSQL at ${place}: ${why}.`, {
    hint: 'Is the database server running, and do host, port and TLS mode fit?',
    details: { host: to.host, port: to.port, system: code ?? null },
    cause: error,
  })
}

/** A session of the database that can be asked, whoever leads it. */
export interface QuerySession {
  query<R extends pg.QueryResultRow = pg.QueryResultRow>(text: string, values?: unknown[]): Promise<{ rows: R[] }>
}

/** The object that a schema's name stands for, in the session that asks; null: there is none. */
export async function schemaOid(client: QuerySession, schema: string): Promise<number | null> {
  const { rows } = await client.query<{ oid: number }>(
    'SELECT oid::int8::float8 AS oid FROM pg_catalog.pg_namespace WHERE nspname = $1',
    [schema],
  )
  return rows[0]?.oid ?? null
}

/** Quotes an SQL identifier. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** Quotes an SQL string literal (standard_conforming_strings on; a backslash makes it an E'' string). */
export function quoteLiteral(text: string): string {
  const quoted = text.replaceAll("'", "''")
  return text.includes('\\') ? `E'${quoted.replaceAll('\\', '\\\\')}'` : `'${quoted}'`
}
