import { type QuerySession, quoteIdentifier } from '#engine/foundation/connections/postgres.ts'
import { AppError } from '#shared/errors.ts'
import { objectsOfSchema } from './objects-of-schema.ts'

/** What of schema $1 needs something of schema $2, as PostgreSQL itself recorded it. */
const NEEDED = `WITH made AS MATERIALIZED (
    ${objectsOfSchema('$1::regnamespace')}
  ), other AS MATERIALIZED (
    ${objectsOfSchema('$2::regnamespace')}
  )
  SELECT pg_describe_object(made.classid, made.objid, 0) AS object, pg_describe_object(other.classid, other.objid, 0) AS needs
  FROM pg_depend d JOIN made ON made.classid = d.classid AND made.objid = d.objid
    JOIN other ON other.classid = d.refclassid AND other.objid = d.refobjid LIMIT 5`

/** Columns whose values are names of objects. */
const NAME_COLUMNS = `SELECT c.relname AS table, a.attname AS column FROM pg_attribute a
  JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid
  WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'm') AND a.attnum > 0 AND NOT a.attisdropped
    AND coalesce((SELECT e.typname FROM pg_type e WHERE e.oid = nullif(t.typelem, 0)), t.typname) ~ '^reg'`

/**
 * Proves that a schema which was loaded under another name than its dump's needs nothing of the schema that has the
 * dump's name. Source: docs/formats.md, "Loading a dump".
 * @param made the schema that was loaded
 * @param other the dump's own name
 * @throws AppError `schema-in-text`
 */
export async function checkNothingOutside(client: QuerySession, made: string, other: string): Promise<void> {
  const names = [quoteIdentifier(made), quoteIdentifier(other)]
  const { rows: found } = await client.query('SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1', [other])
  if (found.length === 0) return
  await client.query("SET LOCAL search_path = 'pg_catalog'")
  const { rows } = await client.query<{ object: string; needs: string }>(NEEDED, names)
  if (rows[0]) throw stillNamed(`${rows[0].object} needs ${rows[0].needs}`, made, other)
  const { rows: columns } = await client.query<{ table: string; column: string }>(NAME_COLUMNS, [names[0]])
  for (const { table, column } of columns) {
    const { rows: values } = await client.query(
      `SELECT FROM ${names[0]}.${quoteIdentifier(table)}
       WHERE strpos(${quoteIdentifier(column)}::text, $1 || '.') > 0 OR strpos(${quoteIdentifier(column)}::text, $2 || '.') > 0 LIMIT 1`,
      [other, names[1]],
    )
    if (values.length > 0) throw stillNamed(`rows of "${table}" name something of it in column "${column}"`, made, other)
  }
}

function stillNamed(what: string, made: string, other: string): AppError {
  return new AppError('schema-in-text', `The schema "${other}" can’t become "${made}": ${what}.`, {
    hint: 'Load it into a database of its own, under its own name.',
    details: { schema: other, as: made },
  })
}
