import type pg from 'pg'
import { connectPostgres, type PostgresConnection, quoteIdentifier, schemaOid } from '#engine/foundation/connections/postgres.ts'

/** What the plan has to know of the live database. */
export interface LiveDatabase {
  /** Of the site's schema; null: there is none. */
  schemaOid: number | null
  /** Exact rows (null: not allowed to count) and the columns that can be given values, per table. */
  tables: Map<string, { rows: number | null; columns: string[] }>
  user: string
  /** Or a member of a role that may run programs or read and write files on the server. */
  isSuperuser: boolean
  ownsSchema: boolean
  mayCreateSchema: boolean
  /** Extensions that live in the site's schema. */
  extensionsInside: string[]
  /** Of the names that were asked for. */
  schemas: Set<string>
  bytes: number
}

/** Looks at a site's live schema, in one read-only snapshot. */
export async function readLive(
  connection: PostgresConnection,
  schema: string,
  options: { askedSchemas: string[]; signal: AbortSignal; onTable?: (name: string, count: number, of: number) => void },
): Promise<LiveDatabase> {
  const client = await connectPostgres(connection, options.signal)
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    const { rows: own } = await client.query(
      `SELECT current_user AS user,
              EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE pg_catalog.pg_has_role(current_user, r.oid, 'MEMBER')
                AND (r.rolsuper OR r.rolname IN ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files'))
              ) AS is_superuser,
              has_database_privilege(current_database(), 'CREATE') AS may_create,
              (SELECT oid::int8::float8 FROM pg_catalog.pg_namespace WHERE nspname = $1) AS oid,
              (SELECT pg_has_role(current_user, nspowner, 'MEMBER') FROM pg_catalog.pg_namespace WHERE nspname = $1) AS owns
       FROM pg_catalog.pg_roles WHERE rolname = current_user`,
      [schema],
    )
    const { rows: extensions } = await client.query<{ name: string }>(
      `SELECT e.extname AS name FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
       WHERE n.nspname = $1 ORDER BY 1`,
      [schema],
    )
    const { rows: schemas } = await client.query<{ name: string }>(
      'SELECT nspname AS name FROM pg_catalog.pg_namespace WHERE nspname = ANY ($1)',
      [options.askedSchemas],
    )
    const { rows: tables } = await client.query<{ name: string; columns: string[] }>(
      `SELECT c.relname AS name,
              coalesce((SELECT json_agg(a.attname ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
                WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''), '[]') AS columns
       FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') ORDER BY 1`,
      [schema],
    )
    const { rows: size } = await client.query<{ bytes: number }>(SCHEMA_BYTES, [schema])
    const live: LiveDatabase = {
      schemaOid: own[0]?.oid ?? null,
      tables: new Map(),
      user: own[0]?.user ?? '',
      isSuperuser: own[0]?.is_superuser ?? false,
      ownsSchema: own[0]?.owns ?? true,
      mayCreateSchema: own[0]?.may_create ?? false,
      extensionsInside: extensions.map(({ name }) => name),
      schemas: new Set(schemas.map(({ name }) => name)),
      bytes: size[0]?.bytes ?? 0,
    }
    for (const [at, { name, columns }] of tables.entries()) {
      options.onTable?.(name, at, tables.length)
      live.tables.set(name, { rows: await countRows(client, schema, name), columns })
    }
    return live
  } finally {
    await client.end()
  }
}

/** null: the role may not read the table. The plan's check of rights says more. */
async function countRows(client: pg.Client, schema: string, table: string): Promise<number | null> {
  const name = `${quoteIdentifier(schema)}.${quoteIdentifier(table)}`
  await client.query('SAVEPOINT counting')
  try {
    const { rows } = await client.query<{ count: string }>(`SELECT count(*) FROM ONLY ${name}`)
    return Number(rows[0]?.count ?? 0)
  } catch (error) {
    if ((error as { code?: string }).code !== '42501') throw error
    await client.query('ROLLBACK TO SAVEPOINT counting')
    return null
  } finally {
    if (client.getTransactionStatus() === 'T') await client.query('RELEASE SAVEPOINT counting')
  }
}

/** The object that a schema's name stands for; null: there is none. */
export async function readLiveOid(connection: PostgresConnection, schema: string, signal?: AbortSignal): Promise<number | null> {
  const client = await connectPostgres(connection, signal)
  try {
    return await schemaOid(client, schema)
  } finally {
    await client.end()
  }
}

const SCHEMA_BYTES = `SELECT coalesce(sum(pg_catalog.pg_total_relation_size(c.oid)), 0)::float8 AS bytes
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relkind IN ('r', 'm')`

/** Bytes on the server's disk of a schema's tables and their indexes. */
export async function schemaBytes(connection: PostgresConnection, schema: string): Promise<number> {
  const client = await connectPostgres(connection)
  try {
    return (await client.query<{ bytes: number }>(SCHEMA_BYTES, [schema])).rows[0]?.bytes ?? 0
  } finally {
    await client.end()
  }
}

export interface NeededFindings {
  missingRoles: string[]
  /** Roles that exist, but that the loading role can't make owner of anything. */
  unusableOwners: string[]
  missingReferences: string[]
}

/** Whether the database has what a dump needs from outside of its schema. */
export async function readNeeded(
  connection: PostgresConnection,
  needed: { owners: Iterable<string>; roles: Iterable<string>; references: Iterable<string> },
  signal: AbortSignal,
): Promise<NeededFindings> {
  const client = await connectPostgres(connection, signal)
  try {
    const owners = [...needed.owners]
    const { rows: found } = await client.query<{ name: string; member: boolean }>(
      `SELECT rolname AS name, pg_has_role(current_user, oid, 'MEMBER') AS member FROM pg_catalog.pg_roles WHERE rolname = ANY ($1)`,
      [[...owners, ...needed.roles]],
    )
    const known = new Map(found.map(({ name, member }) => [name, member]))
    const missingReferences: string[] = []
    for (const reference of needed.references) {
      const [schema = '', name = ''] = splitReference(reference)
      const { rows } = await client.query<{ missing: boolean }>(MISSING_REFERENCE, [schema, name])
      if (rows[0]?.missing) missingReferences.push(reference)
    }
    return {
      missingRoles: [...new Set([...owners, ...needed.roles])].filter((role) => !known.has(role)).sort(),
      unusableOwners: owners.filter((owner) => known.get(owner) === false).sort(),
      missingReferences,
    }
  } finally {
    await client.end()
  }
}

function splitReference(reference: string): [string, string] {
  const dot = reference.indexOf('.')
  return [reference.slice(0, dot), reference.slice(dot + 1)]
}

/** A name counts only when its schema exists: in expressions, `a.b` is mostly a table and a column. */
const MISSING_REFERENCE = `SELECT n.oid IS NOT NULL AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_type WHERE typnamespace = n.oid AND typname = $2
    UNION ALL SELECT FROM pg_catalog.pg_proc WHERE pronamespace = n.oid AND proname = $2
    UNION ALL SELECT FROM pg_catalog.pg_class WHERE relnamespace = n.oid AND relname = $2
    UNION ALL SELECT FROM pg_catalog.pg_opclass WHERE opcnamespace = n.oid AND opcname = $2
    UNION ALL SELECT FROM pg_catalog.pg_operator WHERE oprnamespace = n.oid AND oprname = $2
    UNION ALL SELECT FROM pg_catalog.pg_collation WHERE collnamespace = n.oid AND collname = $2
    UNION ALL SELECT FROM pg_catalog.pg_ts_config WHERE cfgnamespace = n.oid AND cfgname = $2
    UNION ALL SELECT FROM pg_catalog.pg_ts_dict WHERE dictnamespace = n.oid AND dictname = $2
  ) AS missing FROM (SELECT (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1) AS oid) n`
