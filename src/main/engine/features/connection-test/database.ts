import type pg from 'pg'
import { connectPostgres, type PostgresConnection, quoteIdentifier } from '#engine/foundation/connections/postgres.ts'
import { AppError } from '#shared/errors.ts'
import { formatBytes, formatPlural, formatSome } from '#shared/format.ts'
import { clockFinding, failed, passed, type Steps, warning } from './steps.ts'

const STATEMENT_MS = 30_000
const STEPS = ['Connect', 'Version', 'Schema', 'Rights', 'Clock'] as const

/**
 * Tries a site's database; changes nothing.
 * @param blocked why it can't be reached, when the way to it failed
 */
export async function testDatabase(
  steps: Steps,
  connection: () => PostgresConnection,
  schema: string,
  blocked: string | null,
): Promise<void> {
  if (blocked !== null) return steps.skip(STEPS, blocked)
  let client: pg.Client | null = null
  try {
    const connected = await steps.try('Connect', async () => {
      const to = connection()
      client = await connectPostgres(to, undefined, { statementMs: STATEMENT_MS })
      return passed(`${to.user} at ${to.host}:${to.port}${to.tunnel ? `, ${to.tunnel.through}` : ''}`)
    })
    if (!connected || !client) return steps.skip(STEPS.slice(1), 'there is no connection')
    await testConnected(steps, client, schema)
  } finally {
    await (client as pg.Client | null)?.end().catch(() => {})
  }
}

async function testConnected(steps: Steps, client: pg.Client, schema: string): Promise<void> {
  await steps.try('Version', async () => {
    const { rows } = await client.query<{ version: string; number: number }>(
      "select current_setting('server_version') as version, current_setting('server_version_num')::int as number",
    )
    const found = rows[0]
    if (found && found.number >= 130000) return passed(`PostgreSQL ${found.version}`)
    return failed(`PostgreSQL ${found?.version ?? '(unknown)'}`, 'PostgreSQL 13 or later is needed.')
  })
  const isThere = await steps.try('Schema', () => findSchema(client, schema))
  if (isThere) await steps.try('Rights', () => findRights(client, schema))
  else steps.skip(['Rights'], 'the schema was not found')
  await steps.try('Clock', async () => {
    const before = Date.now()
    const { rows } = await client.query<{ now: Date }>('select clock_timestamp() as now')
    return clockFinding(((rows[0]?.now.getTime() ?? before) - (before + Date.now()) / 2) / 1000)
  })
}

async function findSchema(client: pg.Client, schema: string) {
  const { rows } = await client.query<{ tables: number; bytes: string }>(
    `select count(c.oid)::int as tables, coalesce(sum(pg_total_relation_size(c.oid)), 0)::text as bytes
     from pg_namespace n left join pg_class c on c.relnamespace = n.oid and c.relkind = 'r'
     where n.nspname = $1 group by n.oid`,
    [schema],
  )
  const found = rows[0]
  if (found) return passed(`${schema}, ${formatPlural(found.tables, 'table')}, ${formatBytes(Number(found.bytes))}`)
  const { rows: others } = await client.query<{ name: string }>(
    "select nspname::text as name from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema' order by 1 limit 20",
  )
  throw new AppError('schema-unknown', `The database has no schema "${schema}".`, {
    hint: `Check the schema’s name: it is the site’s name unless set otherwise. There are: ${others.map(({ name }) => name).join(', ')}.`,
  })
}

async function findRights(client: pg.Client, schema: string) {
  const { rows } = await client.query<{
    unreadable: string[]
    filtered: string[]
    usage: boolean
    owner: boolean
    create: boolean
  }>(
    `select coalesce(array_agg(c.relname::text) filter (where not has_table_privilege(c.oid, 'select')), '{}') as unreadable,
            coalesce(array_agg(c.relname::text) filter (where row_security_active(c.oid)), '{}') as filtered,
            has_schema_privilege($1, 'usage') as usage,
            coalesce(pg_has_role(max(n.nspowner::text)::oid, 'usage'), false) as owner,
            has_database_privilege(current_database(), 'create') as create
     from pg_namespace n left join pg_class c on c.relnamespace = n.oid and c.relkind in ('r', 'p', 'S', 'm')
     where n.nspname = $1`,
    [schema],
  )
  const rights = rows[0]
  if (!rights?.usage || rights.unreadable.length > 0) {
    return failed(
      rights?.usage ? `Permission denied for ${formatSome(rights.unreadable, 3)}` : `Permission denied for schema ${schema}`,
      `Backups will fail. As the owner: GRANT USAGE ON SCHEMA ${quoteIdentifier(schema)} and GRANT SELECT ON ALL TABLES IN SCHEMA ${quoteIdentifier(schema)} TO this user; the same for sequences.`,
    )
  }
  if (rights.filtered.length > 0) {
    return failed(
      `Row security hides rows of ${formatSome(rights.filtered, 3)} from this user`,
      'Backups would lack them. Connect as the owner of the tables, or as a user with BYPASSRLS.',
    )
  }
  if (rights.owner && rights.create) return passed('Reads all tables, owns the schema, may create schemas')
  const lacks = [...(rights.owner ? [] : ['does not own the schema']), ...(rights.create ? [] : ['may not create schemas'])]
  return warning(
    `Reads all tables, but ${lacks.join(' and ')}`,
    'Backups work. To restore, the user must own the schema and may create schemas in the database.',
  )
}
