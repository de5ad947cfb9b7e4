import { connectPostgres, type PostgresConnection } from '#engine/foundation/connections/postgres.ts'
import { keptMoment } from '../plan/kept-name.ts'

/** A schema that a restore or an undo set aside. */
export interface KeptSchema {
  name: string
  oid: number
  keptAt: Date
  /** On the server's disk, with indexes. */
  bytes: number
}

/** The schemas that carry the name of a kept one of this schema, newest first. */
export async function readKeptSchemas(
  connection: PostgresConnection,
  schema: string,
  signal?: AbortSignal,
): Promise<KeptSchema[]> {
  const client = await connectPostgres(connection, signal)
  try {
    const { rows } = await client.query<{ name: string; oid: number; bytes: number }>(
      `SELECT n.nspname AS name, n.oid,
              coalesce((SELECT sum(pg_catalog.pg_total_relation_size(c.oid)) FROM pg_catalog.pg_class c
                WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'm')), 0)::float8 AS bytes
       FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%\\_before\\_%'`,
    )
    return rows
      .flatMap(({ name, oid, bytes }) => {
        const keptAt = keptMoment(name, schema)
        return keptAt === null ? [] : [{ name, oid, keptAt, bytes }]
      })
      .sort((a, b) => b.keptAt.getTime() - a.keptAt.getTime())
  } finally {
    await client.end()
  }
}
