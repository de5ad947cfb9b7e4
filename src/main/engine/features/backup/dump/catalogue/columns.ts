import { quoteIdentifier, quoteLiteral } from '#engine/foundation/connections/postgres.ts'
import { optionList } from '../node.ts'
import type { Snapshot } from '../session.ts'

export interface Column {
  relationOid: number
  number: number
  name: string
  type: string
  collation: string | null
  notNull: boolean
  identity: boolean
  /** Empty, 's' stored, 'v' virtual. */
  generated: string
  /** Set when it differs from the type's. */
  storage: string | null
  /** `pglz` or `lz4` when set for this column. */
  compression: string | null
  statistics: number | null
  options: string[] | null
  defaultOid: number | null
  defaultText: string | null
}

/**
 * The columns of tables, views and materialised views, by relation, in order, without dropped ones. Servers since 15.20 mark
 * columns of their own accord with an option `pg_attver`: no setting of anybody, left out by pg_dump too, and refused by others.
 */
export async function readColumns(snapshot: Snapshot): Promise<Map<number, Column[]>> {
  const compression = snapshot.serverVersionNumber >= 140000 ? 'a.attcompression::text' : "''"
  const { rows } = await snapshot.client.query<Column>(
    `SELECT a.attrelid AS "relationOid", a.attnum AS number, a.attname AS name,
            pg_catalog.format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS "notNull",
            a.attidentity <> '' AS identity, a.attgenerated::text AS generated,
            CASE WHEN a.attstorage <> t.typstorage THEN
              CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END
            END AS storage,
            CASE ${compression} WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END AS compression,
            nullif(a.attstattarget, -1) AS statistics,
            ARRAY(SELECT o FROM unnest(a.attoptions) o WHERE o NOT LIKE 'pg\\_attver=%') AS options,
            (SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.collname)
             FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace
             WHERE c.oid = a.attcollation AND a.attcollation <> t.typcollation) AS collation,
            d.oid AS "defaultOid", pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS "defaultText"
     FROM pg_catalog.pg_attribute a
     JOIN pg_catalog.pg_class r ON r.oid = a.attrelid
     JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
     LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE r.relnamespace = $1 AND r.relkind IN ('r', 'v', 'm') AND a.attnum > 0 AND NOT a.attisdropped
     ORDER BY a.attrelid, a.attnum`,
    [snapshot.schemaOid],
  )
  const byRelation = new Map<number, Column[]>()
  for (const row of rows) {
    const list = byRelation.get(row.relationOid)
    if (list) list.push(row)
    else byRelation.set(row.relationOid, [row])
  }
  return byRelation
}

/** What can only be said about a column after it exists: statistics target, options, storage, compression. */
export function columnSettings(alter: string, column: Column): string[] {
  const change = `${alter} ALTER COLUMN ${quoteIdentifier(column.name)} SET`
  const statements: string[] = []
  if (column.statistics !== null) statements.push(`${change} STATISTICS ${column.statistics};`)
  if (column.options?.length) statements.push(`${change} (${optionList(column.options, quoteLiteral).join(', ')});`)
  if (column.storage) statements.push(`${change} STORAGE ${column.storage};`)
  if (column.compression) statements.push(`${change} COMPRESSION ${column.compression};`)
  return statements
}
