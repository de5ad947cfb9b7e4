import type pg from 'pg'
import { quoteIdentifier } from '#engine/foundation/connections/postgres.ts'
import { CONSTRAINTS, INDEXES } from './constraints.ts'
import { TABLES } from './tables.ts'
import { TRIGGERS } from './triggers.ts'

/** Creates the site's schema, empty, in one transaction, owned by the connection's user. */
export async function createSiteSchema(client: pg.Client, schema: string): Promise<void> {
  await client.query('BEGIN')
  await client.query(`CREATE SCHEMA ${quoteIdentifier(schema)}`)
  await client.query(`SET LOCAL search_path TO ${quoteIdentifier(schema)}`)
  for (const script of [TABLES, CONSTRAINTS, INDEXES, TRIGGERS]) await client.query(script)
  await client.query('COMMIT')
}
