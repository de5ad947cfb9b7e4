import type pg from 'pg'
import { connectPostgres, type PostgresConnection } from '#engine/foundation/connections/postgres.ts'
import { readError, schemaUnknownError } from './errors.ts'
import { qualified } from './node.ts'

/** Rows of one table. */
export interface TableRowCount {
  table: string
  rows: number
}

/**
 * About how many bytes the schema's dump will have, from the sizes that `pg_class` keeps (and the files' where it keeps
 * none yet). A guide for progress bars: text can be half or double of it.
 * @throws AppError `schema-unknown` and those of `connectPostgres`
 */
export async function estimateDumpBytes(connection: PostgresConnection, schema: string, signal?: AbortSignal): Promise<number> {
  return withSchema(connection, schema, signal, (client, oid) => estimateBytes(client, oid))
}

/**
 * The exact number of rows of every table, all at one moment, sorted by name.
 * @throws AppError `schema-unknown`, `dump-permission` and those of `connectPostgres`
 */
export async function countRows(connection: PostgresConnection, schema: string, signal?: AbortSignal): Promise<TableRowCount[]> {
  return withSchema(connection, schema, signal, async (client, oid) => {
    const tables = await client.query<{ name: string }>(
      `SELECT relname AS name FROM pg_catalog.pg_class WHERE relnamespace = $1 AND relkind IN ('r', 'p') AND NOT relispartition
       ORDER BY relname`,
      [oid],
    )
    const counts: TableRowCount[] = []
    for (const { name } of tables.rows) {
      const { rows } = await client.query<{ rows: string }>(
        `SELECT pg_catalog.count(*)::text AS rows FROM ${qualified(schema, name)}`,
      )
      counts.push({ table: name, rows: Number(rows[0]?.rows ?? 0) })
    }
    return counts
  })
}

/** In a session that is open already. */
export async function estimateBytes(client: pg.Client, schemaOid: number): Promise<number> {
  const { rows } = await client.query<{ bytes: string }>(
    `SELECT coalesce(sum(greatest(c.relpages::bigint * 8192, pg_catalog.pg_relation_size(c.oid))
              + CASE WHEN c.reltoastrelid = 0 THEN 0 ELSE pg_catalog.pg_relation_size(c.reltoastrelid) END), 0)::text AS bytes
     FROM pg_catalog.pg_class c WHERE c.relnamespace = $1 AND c.relkind = 'r'`,
    [schemaOid],
  )
  // definitions have some size even when all tables are empty
  return Number(rows[0]?.bytes ?? 0) + 16 * 1024
}

async function withSchema<T>(
  connection: PostgresConnection,
  schema: string,
  signal: AbortSignal | undefined,
  action: (client: pg.Client, schemaOid: number) => Promise<T>,
): Promise<T> {
  const client = await connectPostgres(connection, signal)
  try {
    await client.query(
      `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL lock_timeout = '30s'; SET LOCAL row_security = off`,
    )
    const { rows } = await client.query<{ oid: number }>('SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1', [schema])
    const oid = rows[0]?.oid
    if (oid === undefined) throw schemaUnknownError(schema, connection.database)
    return await action(client, oid)
  } catch (error) {
    throw readError(error, `schema "${schema}"`, connection.user, signal)
  } finally {
    await client.end().catch(() => {})
  }
}
