import type pg from 'pg'

const SHOWN = 50

/** Objects by the column that names their schema. */
const IN_SCHEMA: [catalogue: string, column: string][] = [
  ['pg_class', 'relnamespace'],
  ['pg_type', 'typnamespace'],
  ['pg_proc', 'pronamespace'],
  ['pg_operator', 'oprnamespace'],
  ['pg_opclass', 'opcnamespace'],
  ['pg_opfamily', 'opfnamespace'],
  ['pg_collation', 'collnamespace'],
  ['pg_conversion', 'connamespace'],
  ['pg_constraint', 'connamespace'],
  ['pg_statistic_ext', 'stxnamespace'],
  ['pg_ts_config', 'cfgnamespace'],
  ['pg_ts_dict', 'dictnamespace'],
  ['pg_ts_parser', 'prsnamespace'],
  ['pg_ts_template', 'tmplnamespace'],
  ['pg_default_acl', 'defaclnamespace'],
]

/** Objects that belong to one of those, by the column that names it. */
const OF_OBJECT: [catalogue: string, column: string, owner: string, ownerColumn: string][] = [
  ['pg_attrdef', 'adrelid', 'pg_class', 'relnamespace'],
  ['pg_rewrite', 'ev_class', 'pg_class', 'relnamespace'],
  ['pg_trigger', 'tgrelid', 'pg_class', 'relnamespace'],
  ['pg_policy', 'polrelid', 'pg_class', 'relnamespace'],
  ['pg_amop', 'amopfamily', 'pg_opfamily', 'opfnamespace'],
  ['pg_amproc', 'amprocfamily', 'pg_opfamily', 'opfnamespace'],
]

const INSIDE = [
  `SELECT 'pg_namespace'::regclass::oid AS classid, $1::oid AS objid`,
  ...IN_SCHEMA.map(
    ([catalogue, column]) => `SELECT '${catalogue}'::regclass::oid, oid FROM ${catalogue} WHERE ${column} = $1::oid`,
  ),
  ...OF_OBJECT.map(
    ([catalogue, column, owner, ownerColumn]) =>
      `SELECT '${catalogue}'::regclass::oid, x.oid FROM ${catalogue} x JOIN ${owner} o ON o.oid = x.${column} WHERE o.${ownerColumn} = $1::oid`,
  ),
].join('\n    UNION ALL ')

/** Whatever outside hangs on the schema does so by one link: the first one, which leads out. */
const DEPENDENTS = `WITH inside AS MATERIALIZED (
    ${INSIDE}
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
