import { type ObjectKey, objectKey } from '../node.ts'
import type { Snapshot } from '../session.ts'

export interface Dependency {
  from: ObjectKey
  on: ObjectKey
}

/** What needs what, as `pg_depend` knows it, among the kinds of objects that are written. */
export async function readDependencies(snapshot: Snapshot): Promise<Dependency[]> {
  const { rows } = await snapshot.client.query<{ from: string; oid: number; on: string; reference: number }>(
    `SELECT DISTINCT f.relname AS from, d.objid AS oid, o.relname AS on, d.refobjid AS reference
     FROM pg_catalog.pg_depend d
     JOIN pg_catalog.pg_class f ON f.oid = d.classid
     JOIN pg_catalog.pg_class o ON o.oid = d.refclassid
     LEFT JOIN pg_catalog.pg_class r ON d.classid = 'pg_catalog.pg_class'::regclass AND r.oid = d.objid
     WHERE d.objid >= 16384 AND d.refobjid >= 16384 AND d.deptype IN ('n', 'a', 'i')
       AND d.refclassid <> 'pg_catalog.pg_namespace'::regclass
       -- a sequence hangs on the column that owns it; that is written as a statement of its own
       AND NOT (coalesce(r.relkind, ' ') = 'S' AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype = 'a')`,
  )
  return rows.map((row) => ({ from: objectKey(row.from, row.oid), on: objectKey(row.on, row.reference) }))
}

/** What the database must have before the dump can be loaded, outside of the schema. */
export async function readExtensionsNeeded(snapshot: Snapshot): Promise<string[]> {
  const { rows } = await snapshot.client.query<{ extname: string }>(
    `WITH ours AS (
       SELECT 'pg_catalog.pg_class'::regclass::oid AS class, oid FROM pg_catalog.pg_class WHERE relnamespace = $1
       UNION ALL SELECT 'pg_catalog.pg_type'::regclass, oid FROM pg_catalog.pg_type WHERE typnamespace = $1
       UNION ALL SELECT 'pg_catalog.pg_proc'::regclass, oid FROM pg_catalog.pg_proc WHERE pronamespace = $1
       UNION ALL SELECT 'pg_catalog.pg_constraint'::regclass, oid FROM pg_catalog.pg_constraint WHERE connamespace = $1
       UNION ALL SELECT 'pg_catalog.pg_attrdef'::regclass, d.oid FROM pg_catalog.pg_attrdef d
         JOIN pg_catalog.pg_class c ON c.oid = d.adrelid WHERE c.relnamespace = $1
       UNION ALL SELECT 'pg_catalog.pg_rewrite'::regclass, w.oid FROM pg_catalog.pg_rewrite w
         JOIN pg_catalog.pg_class c ON c.oid = w.ev_class WHERE c.relnamespace = $1
       UNION ALL SELECT 'pg_catalog.pg_trigger'::regclass, t.oid FROM pg_catalog.pg_trigger t
         JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = $1
     )
     SELECT DISTINCT x.extname
     FROM ours
     JOIN pg_catalog.pg_depend d ON d.classid = ours.class AND d.objid = ours.oid
     JOIN pg_catalog.pg_depend e ON e.classid = d.refclassid AND e.objid = d.refobjid AND e.deptype = 'e'
     JOIN pg_catalog.pg_extension x ON x.oid = e.refobjid AND e.refclassid = 'pg_catalog.pg_extension'::regclass
     WHERE x.extname <> 'plpgsql' ORDER BY 1`,
    [snapshot.schemaOid],
  )
  return rows.map((row) => row.extname)
}
