import type pg from 'pg'
import { quoteIdentifier } from '../postgres.ts'

/** Longest value that is read: of a setting, never of a text. */
const MAX_VALUE = 4096

/** What a module of a site is set to in the site's database: key → value. Source: docs/formats.md, "Settings of mod_backup". */
export async function readModuleConfig(
  client: Pick<pg.ClientBase, 'query'>,
  schema: string,
  module: string,
): Promise<Map<string, string>> {
  const { rows } = await client.query<{ key: string; value: string }>(
    `SELECT key, value FROM ${quoteIdentifier(schema)}.config WHERE module = $1 AND octet_length(value) <= $2`,
    [module, MAX_VALUE],
  )
  return new Map(rows.map(({ key, value }) => [key, value]))
}

/** A value as Zotonic takes it for a boolean: nothing, 0, no, off, false and undefined are false. */
export function isTrue(value: string): boolean {
  return !/^(?:|0|n|no|off|f|false|undefined|null)$/i.test(value.trim())
}
