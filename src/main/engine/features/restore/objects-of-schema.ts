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

/**
 * A query of everything that belongs to a schema, the schema included, as `classid` and `objid` of pg_depend.
 * @param schema an expression of type oid or regnamespace
 */
export function objectsOfSchema(schema: string): string {
  return [
    `SELECT 'pg_namespace'::regclass::oid AS classid, ${schema}::oid AS objid`,
    ...IN_SCHEMA.map(
      ([catalogue, column]) => `SELECT '${catalogue}'::regclass::oid, oid FROM ${catalogue} WHERE ${column} = ${schema}::oid`,
    ),
    ...OF_OBJECT.map(
      ([catalogue, column, owner, ownerColumn]) =>
        `SELECT '${catalogue}'::regclass::oid, x.oid FROM ${catalogue} x JOIN ${owner} o ON o.oid = x.${column} WHERE o.${ownerColumn} = ${schema}::oid`,
    ),
  ].join('\n    UNION ALL ')
}
