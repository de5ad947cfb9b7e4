/**
 * What becomes of each system catalogue's rows that belong to a schema. `written`: by the built-in engine; `told`: they
 * belong to the database and a note names them; `nothing`: not of a schema, or follows from other rows. Everything else is
 * the kind that the refusal names.
 */
const CATALOGUES: Record<string, 'written' | 'told' | 'nothing' | { refused: string }> = {
  pg_aggregate: { refused: 'aggregate' },
  pg_am: { refused: 'access method' },
  // operators of the schema are refused themselves
  pg_amop: { refused: 'operator' },
  pg_amproc: 'told',
  pg_attrdef: 'written',
  pg_attribute: 'written',
  pg_auth_members: 'nothing',
  pg_authid: 'nothing',
  pg_cast: { refused: 'cast' },
  pg_class: 'written',
  pg_collation: { refused: 'collation' },
  pg_constraint: 'written',
  pg_conversion: { refused: 'conversion' },
  pg_database: 'nothing',
  pg_db_role_setting: 'nothing',
  pg_default_acl: 'written',
  pg_depend: 'nothing',
  pg_description: 'written',
  pg_enum: 'written',
  pg_event_trigger: 'told',
  pg_extension: { refused: 'extension' },
  pg_foreign_data_wrapper: { refused: 'foreign-data wrapper' },
  // of a wrapper, which is of the database; tables on it are refused
  pg_foreign_server: { refused: 'foreign table' },
  pg_foreign_table: { refused: 'foreign table' },
  pg_index: 'written',
  pg_inherits: { refused: 'inheriting table' },
  // the privileges that an extension began with; its members are refused
  pg_init_privs: { refused: 'object of extension' },
  pg_language: { refused: 'language' },
  pg_largeobject: { refused: 'large objects in column' },
  pg_largeobject_metadata: { refused: 'large objects in column' },
  pg_namespace: 'written',
  pg_opclass: { refused: 'operator class' },
  pg_operator: { refused: 'operator' },
  pg_opfamily: { refused: 'operator family' },
  pg_parameter_acl: 'nothing',
  pg_partitioned_table: { refused: 'partitioned table' },
  pg_policy: { refused: 'row security policy' },
  pg_proc: 'written',
  pg_publication: 'told',
  pg_publication_namespace: 'told',
  pg_publication_rel: 'told',
  pg_range: { refused: 'range type' },
  pg_replication_origin: 'nothing',
  pg_rewrite: { refused: 'rule' },
  pg_seclabel: { refused: 'security label' },
  pg_sequence: 'written',
  pg_shdepend: 'nothing',
  pg_shdescription: 'nothing',
  pg_shseclabel: 'nothing',
  // figures that ANALYZE makes
  pg_statistic: 'nothing',
  pg_statistic_ext: 'written',
  pg_statistic_ext_data: 'nothing',
  pg_subscription: 'told',
  pg_subscription_rel: 'told',
  pg_tablespace: 'told',
  pg_transform: { refused: 'transform' },
  pg_trigger: 'written',
  pg_ts_config: { refused: 'text search configuration' },
  pg_ts_config_map: { refused: 'text search configuration' },
  pg_ts_dict: { refused: 'text search dictionary' },
  pg_ts_parser: { refused: 'text search parser' },
  pg_ts_template: { refused: 'text search template' },
  pg_type: 'written',
  pg_user_mapping: 'nothing',
}

/** The catalogues of a server that nobody has thought about yet: those of a new version. */
export async function unsortedCatalogues(query: (sql: string) => Promise<Record<string, unknown>[]>): Promise<string[]> {
  const rows = await query(
    `SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r' ORDER BY 1`,
  )
  if (rows.length < 50) throw new Error('the server names hardly any catalogue')
  return rows.map(({ relname }) => String(relname)).filter((name) => !(name in CATALOGUES))
}

/** The kinds of objects that each need a case among the refusals. */
export function refusedKinds(): string[] {
  return Object.values(CATALOGUES).flatMap((fate) => (typeof fate === 'string' ? [] : [fate.refused]))
}
