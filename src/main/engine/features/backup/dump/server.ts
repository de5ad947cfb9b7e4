import type pg from 'pg'
import type { PostgresConnection } from '#engine/foundation/connections/postgres.ts'
import { AppError } from '#shared/errors.ts'
import { permissionError, schemaUnknownError } from './errors.ts'

export interface Server {
  /** "15.18 (Debian 15.18-0+deb12u1)". */
  version: string
  /** 150018. */
  number: number
  encoding: string
}

/** What a session is connected to. */
export async function describeServer(client: pg.Client): Promise<Server> {
  const { rows } = await client.query<Server>(
    `SELECT pg_catalog.current_setting('server_version') AS version,
            pg_catalog.current_setting('server_version_num')::int AS number,
            pg_catalog.current_setting('server_encoding') AS encoding`,
  )
  const row = rows[0]
  if (!row) throw new AppError('database-lost', 'PostgreSQL did not tell its version.')
  return row
}

/**
 * The schema's id.
 * @throws AppError `schema-unknown`, `dump-permission`
 */
export async function findSchema(client: pg.Client, schema: string, connection: PostgresConnection): Promise<number> {
  const { rows } = await client.query<{ oid: number; usable: boolean }>(
    `SELECT oid, pg_catalog.has_schema_privilege(oid, 'USAGE') AS usable FROM pg_catalog.pg_namespace WHERE nspname = $1`,
    [schema],
  )
  const row = rows[0]
  if (!row) throw schemaUnknownError(schema, connection.database)
  if (!row.usable) throw permissionError(connection.user, [`permission denied for schema ${schema}`])
  return row.oid
}

/**
 * Names every table and sequence that may not be read, at once: LOCK TABLE would name only the first.
 * @throws AppError `dump-permission`
 */
export async function refuseUnreadable(client: pg.Client, schemaOid: number, user: string): Promise<void> {
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
