import type pg from 'pg'
import { connectPostgres, type PostgresConnection, schemaOid } from '#engine/foundation/connections/postgres.ts'
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

/**
 * In a session that is open already. Indexes and free space maps are no part of it, nor are the 28 bytes that each row
 * costs. What is stored outside of the rows counts twice: bytes come as hexadecimal digits, and text is stored compressed;
 * so do the bytes inside of rows, whose width ANALYZE knows.
 */
export async function estimateBytes(client: pg.Client, schemaOid: number): Promise<number> {
  const { rows } = await client.query<{ bytes: string }>(
    `SELECT coalesce(sum(
              greatest(h.bytes - 28 * greatest(c.reltuples, 0), h.bytes / 4)
              + CASE WHEN c.reltoastrelid = 0 THEN 0 ELSE 2 * pg_catalog.pg_relation_size(c.reltoastrelid) END
              + coalesce(b.inside, 0)), 0)::bigint::text AS bytes
     FROM pg_catalog.pg_class c
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     CROSS JOIN LATERAL (SELECT greatest(c.relpages::bigint * 8192, pg_catalog.pg_relation_size(c.oid)) AS bytes) h
     LEFT JOIN LATERAL (
       SELECT sum(greatest(c.reltuples, 0) * (1 - s.null_frac) * s.avg_width)::bigint AS inside
       FROM pg_catalog.pg_stats s
       JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = s.attname AND a.atttypid = 'pg_catalog.bytea'::regtype
       WHERE s.schemaname = n.nspname AND s.tablename = c.relname AND NOT s.inherited
     ) b ON true
     WHERE c.relnamespace = $1 AND c.relkind IN ('r', 'p')`,
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
    const oid = await schemaOid(client, schema)
    if (oid === null) throw schemaUnknownError(schema, connection.database)
    return await action(client, oid)
  } catch (error) {
    throw readError(error, `schema "${schema}"`, connection.user, signal)
  } finally {
    await client.end().catch(() => {})
  }
}
