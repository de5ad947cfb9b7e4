import type { QuerySession } from '#engine/foundation/connections/postgres.ts'
import { AppError } from '#shared/errors.ts'

/** Tells whether a load changed anything but the schema that it makes. */
export interface OutsideGuard {
  /** @throws AppError `outside-changed` */
  check(): Promise<void>
}

interface Found {
  /** Catalogue, object and version of its row, in one text. */
  key: string
  name: string
}

/** Catalogues that no dump of a schema changes. */
const UNTOUCHED = `pg_am pg_amop pg_amproc pg_auth_members pg_authid pg_conversion pg_database pg_db_role_setting pg_event_trigger
  pg_extension pg_foreign_data_wrapper pg_foreign_server pg_foreign_table pg_init_privs pg_language pg_largeobject
  pg_largeobject_metadata pg_opclass pg_operator pg_opfamily pg_parameter_acl pg_publication pg_publication_namespace
  pg_publication_rel pg_replication_origin pg_seclabel pg_shdescription pg_shseclabel pg_subscription pg_subscription_rel
  pg_tablespace pg_transform pg_ts_parser pg_ts_template pg_user_mapping`.split(/\s+/)

/** Tables, views and sequences of a schema: one that is emptied or rewritten has another file. */
const FILES = `SELECT c.oid || ' ' || c.relfilenode AS key, c.relname AS name
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'S', 'v', 'm')`

/** Sequences of a schema and where they stand: what moves them is not rolled back. */
const SEQUENCES = `SELECT schemaname || '.' || sequencename AS name, increment_by > 0 AS goes_up, last_value::float8 AS value
  FROM pg_catalog.pg_sequences WHERE schemaname = $1`

const OBJECTS = [
  `SELECT 'pg_class', c.oid, c.xmin, c.relnamespace, c.oid::regclass::text FROM pg_catalog.pg_class c`,
  `SELECT 'pg_proc', p.oid, p.xmin, p.pronamespace, p.oid::regprocedure::text FROM pg_catalog.pg_proc p`,
  `SELECT 'pg_type', t.oid, t.xmin, t.typnamespace, t.oid::regtype::text FROM pg_catalog.pg_type t WHERE t.typtype <> 'c'`,
  `SELECT 'pg_trigger', t.oid, t.xmin, c.relnamespace, t.tgname || ' on ' || c.oid::regclass
     FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid`,
  `SELECT 'pg_rewrite', r.oid, r.xmin, c.relnamespace, c.oid::regclass::text
     FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class`,
  `SELECT 'pg_policy', p.oid, p.xmin, c.relnamespace, c.oid::regclass::text
     FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid`,
  `SELECT 'pg_attrdef', d.oid, d.xmin, c.relnamespace, c.oid::regclass::text
     FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_class c ON c.oid = d.adrelid`,
  `SELECT 'pg_default_acl', a.oid, a.xmin, a.defaclnamespace, 'default rights' FROM pg_catalog.pg_default_acl a`,
  `SELECT 'pg_namespace', n.oid, n.xmin, n.oid, n.nspname::text FROM pg_catalog.pg_namespace n WHERE nspname <> $2`,
]

/**
 * Objects outside of schema $1 (and $2 itself, which was renamed) whose row this transaction wrote: it is visible, although
 * it is in no snapshot. Rows of long ago may look so too: those that were there before are left out by their key.
 */
const WRITTEN = `WITH objects(catalogue, oid, version, namespace, name) AS (${OBJECTS.join(' UNION ALL ')}),
  now AS (SELECT pg_catalog.pg_current_xact_id()::text::int8 AS id, pg_catalog.pg_current_snapshot() AS snapshot),
  later AS (SELECT o.*, now.*, (o.version::text::int8 - now.id % 4294967296 + 4294967296) % 4294967296 AS ahead FROM objects o, now)
  SELECT catalogue || ' ' || oid || ' ' || version AS key, name FROM later
  WHERE ahead < 2147483648 AND NOT pg_catalog.pg_visible_in_snapshot((id + ahead)::text::xid8, snapshot)
    AND namespace IS DISTINCT FROM (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1)
    AND namespace NOT IN (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname LIKE 'pg\\_toast%' OR nspname LIKE 'pg\\_temp\\_%')`

const ROWS = `SELECT pg_catalog.format('%I.%I', schemaname, relname) AS name FROM pg_catalog.pg_stat_xact_all_tables
  WHERE n_tup_ins + n_tup_upd + n_tup_del > 0
    AND (schemaname NOT IN ('pg_catalog', 'pg_toast', $1) OR schemaname = 'pg_catalog' AND relname = ANY ($2))`

/**
 * The functions of a dump run while it is loaded (in checks, defaults and indexes), with the rights of the database user,
 * who owns the kept schema too. What they do there no allow-list can see; here it shows before COMMIT.
 * @param made the schema that the dump makes
 * @param kept the name under which the live schema is kept; null: there is none
 */
export async function watchOutside(client: QuerySession, made: string, kept: string | null): Promise<OutsideGuard> {
  const all = async <T extends object>(query: string, ...values: unknown[]) => (await client.query<T>(query, values)).rows
  const written = () => all<Found>(WRITTEN, made, kept ?? '')
  const sequences = () => all<{ name: string; goes_up: boolean; value: number | null }>(SEQUENCES, kept)
  const files = await all<Found>(FILES, kept)
  const stood = new Map((await sequences()).map((row) => [row.name, row]))
  const old = new Set((await written()).map(({ key }) => key))
  return {
    async check() {
      const there = new Set((await all<Found>(FILES, kept)).map(({ key }) => key))
      const gone = files.filter(({ key }) => !there.has(key)).map(({ name }) => `${kept}.${name}`)
      const rows = await all<{ name: string }>(ROWS, made, UNTOUCHED)
      const fresh = (await written()).filter(({ key }) => !old.has(key))
      const back = (await sequences()).filter(({ name, goes_up, value }) => {
        const before = stood.get(name)?.value ?? null
        return before !== null && (value === null || (goes_up ? value < before : value > before))
      })
      const changed = [...gone, ...[...rows, ...fresh, ...back].map(({ name }) => name)]
      if (changed.length === 0) return
      throw new AppError(
        'outside-changed',
        `Functions in the dump changed what is not theirs: ${changed.slice(0, 5).join(', ')}.`,
        {
          hint: 'This dump is not to be trusted. Choose another backup.',
          details: { changed: changed.slice(0, 50) },
        },
      )
    },
  }
}
