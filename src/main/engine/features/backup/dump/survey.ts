import { quoteIdentifier } from '#engine/foundation/connections/postgres.ts'
import type { UnsupportedObject } from './errors.ts'
import { qualified } from './node.ts'
import type { Snapshot } from './session.ts'

/** A session and the schema that is asked about. */
export type SchemaSession = Pick<Snapshot, 'client' | 'schemaOid'>

/** Catalogues whose objects this engine writes, or sorts out by kind below. */
const WRITTEN = ['pg_class', 'pg_type', 'pg_proc', 'pg_constraint', 'pg_default_acl', 'pg_statistic_ext']
/** Things that hang on tables and types and are written with them. */
const WRITTEN_PARTS = ['pg_attrdef', 'pg_rewrite', 'pg_trigger']
/** Asked for by name in {@link TABLE_PARTS}. */
const ASKED = ['pg_policy']
/** They name objects of the schema, but belong to the whole database or another schema; see {@link surveyNotes}. */
const ELSEWHERE = [
  'pg_publication_rel',
  'pg_publication_namespace',
  'pg_event_trigger',
  'pg_amop',
  'pg_amproc',
  'pg_subscription_rel',
]

/**
 * Everything in the schema that this engine does not write. It starts from what the catalogues hold, not from a list of
 * what is unwanted: a catalogue or kind that is not known here is reported too.
 */
export async function surveyUnsupported(snapshot: SchemaSession): Promise<UnsupportedObject[]> {
  const found = [
    ...(await otherCatalogues(snapshot)),
    ...(await query(snapshot, RELATIONS)),
    ...(await query(snapshot, TYPES)),
    ...(await query(snapshot, ROUTINES)),
    ...(await query(snapshot, TABLE_PARTS)),
    ...(await query(snapshot, EXTENSIONS)),
    ...(await query(snapshot, LABELS)),
    ...(await hangingOn(snapshot)),
    ...(await pointersToLargeObjects(snapshot)),
  ]
  const unique = new Map(found.map((object) => [`${object.kind} ${object.name}`, object]))
  return [...unique.values()]
}

/**
 * What `pg_dump -n` leaves out although it belongs to things of the schema: casts, languages, transforms, extensions and
 * their members, large objects.
 */
export async function surveyLeftByPgDump(session: SchemaSession): Promise<UnsupportedObject[]> {
  const more = (await surveyUnsupported(session)).filter(({ kind }) => /^(object of )?extension\b|^large objects/.test(kind))
  const found = [...(await hangingOn(session)), ...more]
  return [...new Map(found.map((object) => [`${object.kind} ${object.name}`, object])).values()]
}

async function query(snapshot: SchemaSession, text: string, more: unknown[] = []): Promise<UnsupportedObject[]> {
  const { rows } = await snapshot.client.query<UnsupportedObject>(text, [snapshot.schemaOid, ...more])
  return rows.map((row) => ({ kind: row.kind, name: row.name }))
}

/** Asks the server itself which of its catalogues have a schema column: operators, text search, what comes in new versions. */
async function otherCatalogues(snapshot: SchemaSession): Promise<UnsupportedObject[]> {
  const { rows } = await snapshot.client.query<{ catalogue: string; column: string }>(
    `SELECT c.relname AS catalogue, a.attname AS column
     FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
     WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r' AND a.attname LIKE '%namespace'
       AND a.atttypid = 'oid'::regtype AND a.attnum > 0 AND c.relname <> ALL ($1)
       AND EXISTS (SELECT FROM pg_catalog.pg_attribute o WHERE o.attrelid = c.oid AND o.attname = 'oid')`,
    [WRITTEN],
  )
  if (rows.length === 0) return []
  const parts = rows.map(
    ({ catalogue, column }) =>
      `SELECT 'pg_catalog.${catalogue}'::regclass::oid AS class, oid FROM pg_catalog.${catalogue} WHERE ${column} = $1`,
  )
  return query(snapshot, `SELECT i.type AS kind, i.identity AS name FROM (${parts.join(' UNION ALL ')}) o, ${IDENTIFY}`)
}

const IDENTIFY = 'LATERAL pg_catalog.pg_identify_object(o.class, o.oid, 0) i'

const RELATIONS = `
  SELECT CASE
      WHEN c.relkind = 'p' THEN 'partitioned table'
      WHEN c.relkind = 'I' THEN 'partitioned index'
      WHEN c.relkind = 'f' THEN 'foreign table'
      WHEN c.relkind NOT IN ('r', 'v', 'm', 'S', 'i', 'c', 't') THEN 'relation of kind ' || c.relkind::text
      WHEN c.relispartition THEN 'partition'
      WHEN c.reloftype <> 0 THEN 'typed table'
      WHEN c.relrowsecurity OR c.relforcerowsecurity THEN 'table with row security'
      WHEN EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhrelid = c.oid) THEN 'inheriting table'
      WHEN EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhparent = c.oid) THEN 'inherited table'
      ELSE 'table with access method ' || m.amname
    END AS kind, pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_am m ON m.oid = c.relam
  WHERE c.relnamespace = $1 AND (
    c.relkind NOT IN ('r', 'v', 'm', 'S', 'i', 'c', 't') OR c.relispartition OR c.reloftype <> 0
    OR c.relrowsecurity OR c.relforcerowsecurity
    OR EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE c.oid IN (h.inhrelid, h.inhparent))
    OR (c.relkind IN ('r', 'm') AND m.amname <> 'heap'))
  ORDER BY c.relname`

const TYPES = `
  SELECT CASE t.typtype WHEN 'b' THEN 'base type' WHEN 'r' THEN 'range type' WHEN 'm' THEN 'multirange type'
      WHEN 'p' THEN 'unfinished type' ELSE 'type of kind ' || t.typtype::text END AS kind,
    pg_catalog.format('%I.%I', n.nspname, t.typname) AS name
  FROM pg_catalog.pg_type t
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  WHERE t.typnamespace = $1 AND t.typtype NOT IN ('e', 'd', 'c')
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.typarray = t.oid)
  ORDER BY t.typname`

const ROUTINES = `
  SELECT CASE p.prokind WHEN 'a' THEN 'aggregate' WHEN 'w' THEN 'window function' ELSE 'routine of kind ' || p.prokind::text END AS kind,
    i.identity AS name
  FROM pg_catalog.pg_proc p, LATERAL pg_catalog.pg_identify_object('pg_catalog.pg_proc'::regclass, p.oid, 0) i
  WHERE p.pronamespace = $1 AND p.prokind NOT IN ('f', 'p') ORDER BY p.proname`

const TABLE_PARTS = `
  SELECT 'rule' AS kind, pg_catalog.format('%I on %I.%I', w.rulename, n.nspname, c.relname) AS name
  FROM pg_catalog.pg_rewrite w JOIN pg_catalog.pg_class c ON c.oid = w.ev_class JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.oid = $1 AND (w.rulename <> '_RETURN' OR w.ev_enabled <> 'O')
  UNION ALL
  SELECT 'row security policy', pg_catalog.format('%I on %I.%I', p.polname, n.nspname, c.relname)
  FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.oid = $1
  UNION ALL
  SELECT 'constraint of kind ' || k.contype::text, pg_catalog.format('%I', k.conname)
  FROM pg_catalog.pg_constraint k WHERE k.connamespace = $1 AND k.contype NOT IN ('c', 'f', 'p', 'u', 'x', 'n', 't')
  UNION ALL
  SELECT 'column generated in a way not known', pg_catalog.format('%I.%I.%I', n.nspname, c.relname, a.attname)
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.oid = $1 AND a.attnum > 0 AND (a.attgenerated NOT IN ('', 's', 'v') OR a.attidentity NOT IN ('', 'a', 'd'))
  UNION ALL
  SELECT 'default privileges of a kind not known', d.defaclobjtype::text
  FROM pg_catalog.pg_default_acl d WHERE d.defaclnamespace = $1 AND d.defaclobjtype NOT IN ('r', 'S', 'f', 'T')`

/** The ids of the schema's objects: `class`, `oid`; $1 is the schema's. */
export const OURS = `ours AS (
    SELECT 'pg_catalog.pg_class'::regclass::oid AS class, oid FROM pg_catalog.pg_class WHERE relnamespace = $1
    UNION ALL SELECT 'pg_catalog.pg_type'::regclass, oid FROM pg_catalog.pg_type WHERE typnamespace = $1
    UNION ALL SELECT 'pg_catalog.pg_proc'::regclass, oid FROM pg_catalog.pg_proc WHERE pronamespace = $1
    UNION ALL SELECT 'pg_catalog.pg_constraint'::regclass, oid FROM pg_catalog.pg_constraint WHERE connamespace = $1
    UNION ALL SELECT 'pg_catalog.pg_statistic_ext'::regclass, oid FROM pg_catalog.pg_statistic_ext WHERE stxnamespace = $1
    UNION ALL SELECT 'pg_catalog.pg_trigger'::regclass, t.oid FROM pg_catalog.pg_trigger t
      JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = $1
    UNION ALL SELECT 'pg_catalog.pg_namespace'::regclass, $1
  )`

/** Members of an extension would come back as objects of nobody; `x`: objects that vanish with an extension. */
const EXTENSIONS = `
  WITH ${OURS}
  SELECT CASE d.deptype WHEN 'e' THEN 'object of extension ' ELSE 'object that depends on extension ' END || x.extname AS kind,
    i.type || ' ' || i.identity AS name
  FROM ours
  JOIN pg_catalog.pg_depend d ON d.classid = ours.class AND d.objid = ours.oid AND d.deptype IN ('e', 'x')
  JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid AND d.refclassid = 'pg_catalog.pg_extension'::regclass
  CROSS JOIN LATERAL pg_catalog.pg_identify_object(ours.class, ours.oid, 0) i
  ORDER BY 1, 2`

const LABELS = `
  WITH ${OURS}
  SELECT 'security label on ' || i.type AS kind, i.identity AS name
  FROM ours
  JOIN pg_catalog.pg_seclabel l ON l.classoid = ours.class AND l.objoid = ours.oid
  CROSS JOIN LATERAL pg_catalog.pg_identify_object(l.classoid, l.objoid, l.objsubid) i ORDER BY 1, 2`

/**
 * Large objects belong to no schema; what ties them to one is a column whose values are their ids. pg_dump leaves them out
 * of the dump of one schema too.
 */
async function pointersToLargeObjects(snapshot: SchemaSession): Promise<UnsupportedObject[]> {
  const { rows } = await snapshot.client.query<{ schema: string; table: string; column: string; name: string }>(
    `WITH RECURSIVE ids AS (
       SELECT 'pg_catalog.oid'::regtype::oid AS type UNION SELECT t.oid FROM pg_catalog.pg_type t JOIN ids ON t.typbasetype = ids.type
     )
     SELECT n.nspname AS schema, c.relname AS table, a.attname AS column,
            pg_catalog.format('%I.%I.%I', n.nspname, c.relname, a.attname) AS name
     FROM pg_catalog.pg_attribute a JOIN ids ON ids.type = a.atttypid
     JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.oid = $1 AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
       AND EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata)
     ORDER BY 4`,
    [snapshot.schemaOid],
  )
  const found: UnsupportedObject[] = []
  for (const { schema, table, column, name } of rows) {
    const { rows: hits } = await snapshot.client.query(
      `SELECT FROM ${qualified(schema, table)} t JOIN pg_catalog.pg_largeobject_metadata l ON l.oid = t.${quoteIdentifier(column)}::oid LIMIT 1`,
    )
    if (hits.length > 0) found.push({ kind: 'large objects in column', name })
  }
  return found
}

/** Casts, transforms, languages and whatever else hangs on objects of the schema without being in a schema itself. */
async function hangingOn(snapshot: SchemaSession): Promise<UnsupportedObject[]> {
  return query(
    snapshot,
    `WITH ${OURS}
     SELECT DISTINCT i.type AS kind, i.identity AS name
     FROM ours
     JOIN pg_catalog.pg_depend d ON d.refclassid = ours.class AND d.refobjid = ours.oid
     JOIN pg_catalog.pg_class k ON k.oid = d.classid
     CROSS JOIN LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, 0) i
     WHERE k.relname <> ALL ($2) AND i.schema IS NULL ORDER BY 1, 2`,
    [[...WRITTEN, ...WRITTEN_PARTS, ...ASKED, ...ELSEWHERE]],
  )
}

const NOTES = `
  SELECT pg_catalog.format('Publication %s names table %s: publications belong to the database and are not copied.', p.pubname, c.relname) AS note
  FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
  JOIN pg_catalog.pg_class c ON c.oid = r.prrelid WHERE c.relnamespace = $1
  UNION ALL
  SELECT pg_catalog.format('Event trigger %s uses function %s: event triggers belong to the database and are not copied.', e.evtname, p.proname)
  FROM pg_catalog.pg_event_trigger e JOIN pg_catalog.pg_proc p ON p.oid = e.evtfoid WHERE p.pronamespace = $1
  UNION ALL
  SELECT pg_catalog.format('Table %s is filled by a subscription: subscriptions belong to the database and are not copied.', c.relname)
  FROM pg_catalog.pg_subscription_rel r JOIN pg_catalog.pg_class c ON c.oid = r.srrelid WHERE c.relnamespace = $1
  UNION ALL
  SELECT pg_catalog.format('Function %s serves an operator family outside of this schema (%s): that is not copied.',
    p.proname, pg_catalog.pg_describe_object(d.classid, d.objid, 0))
  FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_proc p ON p.oid = d.refobjid AND d.refclassid = 'pg_catalog.pg_proc'::regclass
  WHERE p.pronamespace = $1 AND d.classid = 'pg_catalog.pg_amproc'::regclass
  UNION ALL
  SELECT pg_catalog.format('Foreign keys of table %s are switched off (DISABLE TRIGGER ALL): in the copy they are on.', c.relname)
  FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
  WHERE c.relnamespace = $1 AND t.tgisinternal AND t.tgenabled <> 'O' GROUP BY c.relname
  UNION ALL
  SELECT 'The database holds large objects: they belong to no schema and are not copied. No column of this schema points to one.'
  WHERE EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata)`

/** From PostgreSQL 15 on. */
const PUBLISHED_SCHEMAS = `
  SELECT pg_catalog.format('Publication %s names this schema: publications belong to the database and are not copied.', p.pubname) AS note
  FROM pg_catalog.pg_publication_namespace r JOIN pg_catalog.pg_publication p ON p.oid = r.pnpubid WHERE r.pnnspid = $1`

const TABLESPACES = `
  SELECT pg_catalog.format('%s %s lies in tablespace %s: the copy goes to the default one.',
    CASE WHEN c.relkind = 'i' THEN 'Index' ELSE 'Table' END, c.relname, s.spcname) AS note
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_tablespace s ON s.oid = c.reltablespace WHERE c.relnamespace = $1`

/** What only the built-in engine does not write. */
export async function surveyPlaces(session: SchemaSession): Promise<string[]> {
  const { rows } = await session.client.query<{ note: string }>(TABLESPACES, [session.schemaOid])
  return rows.map((row) => row.note)
}

/** What stays behind by the nature of a one-schema dump (pg_dump -n leaves it out too), one sentence each. */
export async function surveyNotes(session: SchemaSession): Promise<string[]> {
  const ask = async (text: string, values: unknown[] = []) => (await session.client.query<{ note: string }>(text, values)).rows
  const notes = await ask(NOTES, [session.schemaOid])
  const [found] = await ask(`SELECT pg_catalog.to_regclass('pg_catalog.pg_publication_namespace')::text AS note`)
  if (found?.note) notes.push(...(await ask(PUBLISHED_SCHEMAS, [session.schemaOid])))
  return notes.map((row) => row.note)
}
