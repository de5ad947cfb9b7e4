import type pg from 'pg'
import { objectsOfSchema } from '../objects-of-schema.ts'

const SHOWN = 50

/** Whatever outside hangs on the schema does so by one link: the first one, which leads out. */
const DEPENDENTS = `WITH inside AS MATERIALIZED (
    ${objectsOfSchema('$1')}
  )
  SELECT DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid) AS what
  FROM pg_depend d JOIN inside r ON r.classid = d.refclassid AND r.objid = d.refobjid
  WHERE NOT EXISTS (SELECT FROM inside i WHERE i.classid = d.classid AND i.objid = d.objid)
    -- toasted values lie beside the schema, and belong to their table
    AND NOT (d.classid = 'pg_class'::regclass AND EXISTS (
      SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = d.objid AND n.nspname = 'pg_toast'))
  ORDER BY 1 LIMIT ${SHOWN}`

/**
 * What outside of a schema depends on something in it, in PostgreSQL's words ("view public.report"): DROP SCHEMA … CASCADE
 * would take it along.
 * @returns the first 50
 */
export async function readOutsideDependents(client: pg.Client, schemaOid: number): Promise<string[]> {
  // in a session whose search path somebody else has set, names of the catalogue could mean other tables
  await client.query("SET search_path = 'pg_catalog'")
  const { rows } = await client.query<{ what: string }>(DEPENDENTS, [schemaOid])
  return rows.map(({ what }) => what)
}
