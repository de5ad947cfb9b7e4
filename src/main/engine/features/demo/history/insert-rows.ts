import type pg from 'pg'
import { quoteIdentifier } from '#engine/foundation/connections/postgres.ts'
import type { Row } from './records.ts'

/** PostgreSQL takes 65535 parameters in a statement. */
const MAX_PARAMETERS = 60_000

/**
 * Adds rows, all with the columns of the first, in as few statements as possible.
 * @param options.replace the columns of a unique key: a row that is there already takes the new values
 */
export async function insertRows(
  client: pg.Client,
  table: string,
  rows: Row[],
  options: { replace?: string[] } = {},
): Promise<void> {
  const [first] = rows
  if (!first) return
  const columns = Object.keys(first)
  const perStatement = Math.floor(MAX_PARAMETERS / columns.length)
  for (let from = 0; from < rows.length; from += perStatement) {
    const some = rows.slice(from, from + perStatement)
    const values: unknown[] = []
    const tuples = some.map((row) => {
      const places = columns.map((column) => {
        values.push(row[column] ?? null)
        return `$${values.length}`
      })
      return `(${places.join(', ')})`
    })
    const list = columns.map(quoteIdentifier).join(', ')
    await client.query(
      `INSERT INTO ${quoteIdentifier(table)} (${list}) VALUES ${tuples.join(', ')}${onConflict(columns, options.replace)}`,
      values,
    )
  }
}

function onConflict(columns: string[], key: string[] | undefined): string {
  if (!key) return ''
  const changed = columns
    .filter((column) => !key.includes(column))
    .map((column) => `${quoteIdentifier(column)} = EXCLUDED.${quoteIdentifier(column)}`)
  return ` ON CONFLICT (${key.map(quoteIdentifier).join(', ')}) DO UPDATE SET ${changed.join(', ')}`
}
