import { createWriteStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { expect } from 'vitest'
import { dumpSchema, type SchemaDump } from '#engine/features/backup/dump/index.ts'
import { connectPostgres, type PostgresConnection } from '#engine/foundation/connections/postgres.ts'
import type { Postgres15 } from './postgres.ts'

/** The roles that test/fixtures/sql/everything.sql needs besides zotonic. */
export const EVERYTHING_ROLES = 'CREATE ROLE reader; CREATE ROLE "Odd ""Role""";'

/** Dumps a schema into a file and tells what the dump knew of itself. */
export async function dumpToFile(connection: PostgresConnection, schema: string, file: string): Promise<SchemaDump['facts']> {
  const dump = await dumpSchema({ connection, schema })
  await pipeline(dump.stream, createWriteStream(file))
  return dump.facts
}

export async function dumpToText(connection: PostgresConnection, schema: string): Promise<string> {
  const dump = await dumpSchema({ connection, schema })
  return (await buffer(dump.stream)).toString()
}

/**
 * Dumps, loads with psql into an empty database, and compares what pg_dump says of both.
 * @param dump default: the built-in engine
 */
export async function expectRoundTrip(
  server: Postgres15,
  place: { database: string; schema: string; user: string; file: string },
  dump?: () => Promise<string>,
): Promise<void> {
  const { database, schema, user, file } = place
  if (dump) await writeFile(file, await dump())
  else await dumpToFile(server.connection(database, user), schema, file)
  const copy = `${database}_copy`
  await server.createDatabase(copy)
  await server.psql(copy, { file }, user)
  const original = await pgDumpEntries(server, database, schema)
  expect(original.length).toBeGreaterThan(2)
  expect(await pgDumpEntries(server, copy, schema)).toEqual(original)
}

/** Runs statements one after the other on one connection, as psql would. */
export async function runSql(connection: PostgresConnection, sql: string): Promise<Record<string, unknown>[]> {
  const client = await connectPostgres(connection)
  try {
    const result = await client.query(sql)
    return Array.isArray(result) ? result.at(-1).rows : result.rows
  } finally {
    await client.end()
  }
}

/**
 * What pg_dump says of a schema, entry by entry and sorted: free of order and comments. Rows are sorted too, since COPY
 * does not promise to keep their places, and so are the grants of one object.
 */
export async function pgDumpEntries(server: Postgres15, database: string, schema: string): Promise<string[]> {
  const text = await server.pgDump(database, ['-n', schema, '--quote-all-identifiers'])
  const entries = text
    .replace(/^\\(un)?restrict .*\n/gm, '')
    .replace('--\n-- PostgreSQL database dump complete\n--\n', '')
    .split(/\n--\n-- (?=(?:Data for )?Name: )/)
    .slice(1)
  return entries
    .map((entry) => {
      const at = entry.indexOf('\n--\n')
      const heading = entry.slice(0, at)
      const body = entry.slice(at + 4).trim()
      const inAnyOrder = /Type: (TABLE DATA|ACL|DEFAULT ACL);/.test(heading)
      return `${heading}\n${inAnyOrder ? body.split('\n').sort().join('\n') : body}`
    })
    .sort()
}
