import { constants } from 'node:fs'
import { access, readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type pg from 'pg'
import { connectPostgres, quoteIdentifier } from '#engine/foundation/connections/postgres.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { ConnectionCheck } from '#shared/contract/sites.ts'
import { AppError, toAppError } from '#shared/errors.ts'
import { formatBytes, formatDuration, formatPlural, formatSome } from '#shared/format.ts'
import { type SiteInput, siteInputSchema } from '#shared/model/site.ts'

/** A finding, or a problem with what to do about it. */
type Finding = { outcome: 'passed' | 'warning' | 'failed'; finding: string; advice?: string }

const passed = (finding: string): Finding => ({ outcome: 'passed', finding })

/**
 * Tries a site's database and folders step by step; changes nothing. A step that fails says why and what
 * to do; steps that stand on it are left out. The stored password is used where the input has none.
 */
export async function testConnections(context: EngineContext, input: SiteInput): Promise<ConnectionCheck[]> {
  const site = siteInputSchema.parse(input)
  const checks: ConnectionCheck[] = []
  const check = async (name: string, action: () => Promise<Finding>): Promise<boolean> => {
    const started = performance.now()
    const finding = await action().catch((error): Finding => {
      const { message, hint } = toAppError(error)
      return { outcome: 'failed', finding: message, advice: hint }
    })
    const milliseconds = Math.round(performance.now() - started)
    checks.push({
      connection: 'database',
      name,
      outcome: finding.outcome,
      finding: finding.finding,
      advice: finding.advice ?? '',
      milliseconds,
    })
    return finding.outcome !== 'failed'
  }

  let client: pg.Client | null = null
  try {
    const { password: given, schema, ...place } = site.database
    const connected = await check('Connect', async () => {
      const password = given ?? (await context.secrets.get(`site/${site.name}/database-password`))
      client = await connectPostgres({ ...place, ...(password === null ? {} : { password }) })
      return passed(`${place.user} at ${place.host}:${place.port}`)
    })
    if (connected && client) await testDatabase(client, schema, check)
  } finally {
    await (client as pg.Client | null)?.end()
  }
  if (site.server) {
    const { siteDir, filesDir, securityDir, backupDir } = site.server
    await check('Site folder', () => readableFolder(siteDir, 'Configuration cannot be backed up without it.'))
    await check('Media', () => mediaFolder(join(filesDir, 'archive')))
    await check('Security', () => readableFolder(securityDir, 'Certificates and keys cannot be backed up without it.'))
    await check('Backup folder', () => backupFolder(backupDir ?? join(filesDir, 'backup')))
  }
  await check('Vault', () => vaultFolder(site.vault?.path ?? join(context.home.vaults, site.name)))
  return checks
}

async function testDatabase(
  client: pg.Client,
  schema: string,
  check: (name: string, action: () => Promise<Finding>) => Promise<boolean>,
): Promise<void> {
  await check('Version', async () => {
    const { rows } = await client.query<{ version: string; number: number }>(
      "select current_setting('server_version') as version, current_setting('server_version_num')::int as number",
    )
    const found = rows[0]
    if (!found || found.number < 130000) {
      return {
        outcome: 'failed',
        finding: `PostgreSQL ${found?.version ?? '(unknown)'}`,
        advice: 'PostgreSQL 13 or later is needed.',
      }
    }
    return passed(`PostgreSQL ${found.version}`)
  })
  const found = await check('Schema', async () => {
    const { rows } = await client.query<{ tables: number; bytes: string }>(
      `select count(c.oid)::int as tables, coalesce(sum(pg_total_relation_size(c.oid)), 0)::text as bytes
       from pg_namespace n left join pg_class c on c.relnamespace = n.oid and c.relkind = 'r'
       where n.nspname = $1 group by n.oid`,
      [schema],
    )
    const row = rows[0]
    if (!row)
      throw new AppError('schema-unknown', `The database has no schema "${schema}".`, {
        hint: 'Check the schema’s name: it is the site’s name unless set otherwise.',
      })
    return passed(`${schema}, ${formatPlural(row.tables, 'table')}, ${formatBytes(Number(row.bytes))}`)
  })
  if (!found) return
  await check('Rights', async () => {
    const { rows } = await client.query<{ unreadable: string[]; owner: boolean; create: boolean }>(
      `select coalesce(array_agg(c.relname::text) filter (where not has_table_privilege(c.oid, 'select')), '{}') as unreadable,
              coalesce(pg_has_role(max(n.nspowner::text)::oid, 'usage'), false) as owner,
              has_database_privilege(current_database(), 'create') as create
       from pg_namespace n left join pg_class c on c.relnamespace = n.oid and c.relkind in ('r', 'S', 'm')
       where n.nspname = $1`,
      [schema],
    )
    const rights = rows[0]
    if (rights && rights.unreadable.length > 0) {
      return {
        outcome: 'failed',
        finding: `Permission denied for ${formatSome(rights.unreadable, 3)}`,
        advice: `Backups will fail. As the owner: GRANT SELECT ON ALL TABLES IN SCHEMA ${quoteIdentifier(schema)} TO this user; the same for sequences.`,
      }
    }
    if (!rights?.owner || !rights.create) {
      return {
        outcome: 'warning',
        finding: 'Reads all tables; may not restore',
        advice: 'To restore, the user must own the schema and may create schemas in the database. Backups work.',
      }
    }
    return passed('Reads all tables, may restore')
  })
  await check('Clock', async () => {
    const before = Date.now()
    const { rows } = await client.query<{ now: Date }>('select clock_timestamp() as now')
    const difference = ((rows[0]?.now.getTime() ?? before) - (before + Date.now()) / 2) / 1000
    const text = `${Math.abs(difference).toFixed(1)} s ${difference >= 0 ? 'ahead of' : 'behind'} this computer`
    if (Math.abs(difference) < 60) return passed(text)
    return {
      outcome: 'warning',
      finding: formatDuration(Math.abs(difference)) + text.slice(text.indexOf(' s') + 2),
      advice: 'Set both clocks by a time server: the names of backups go by the date.',
    }
  })
}

async function readableFolder(path: string, loss: string): Promise<Finding> {
  const entries = await readdir(path)
  if (entries.length === 0) return { outcome: 'warning', finding: `${path} is empty`, advice: loss }
  return passed(`${path}, ${formatPlural(entries.length, 'entry', 'entries')}`)
}

async function mediaFolder(path: string): Promise<Finding> {
  const facts = await stat(path).catch(() => null)
  if (facts?.isDirectory()) return readableFolder(path, 'There are no media files to back up yet.')
  return {
    outcome: 'warning',
    finding: `${path} does not exist`,
    advice: 'Media files are in "archive" in the files folder. Without it backups hold no media.',
  }
}

async function backupFolder(path: string): Promise<Finding> {
  await access(path, constants.R_OK)
  const writable = await access(path, constants.W_OK).then(
    () => true,
    () => false,
  )
  if (writable) return passed(`${path}, read and write`)
  return {
    outcome: 'warning',
    finding: `${path} can be read only`,
    advice: 'Backups can be listed and fetched, not written there.',
  }
}

async function vaultFolder(path: string): Promise<Finding> {
  const exists = await stat(path).catch(() => null)
  if (exists) {
    await access(path, constants.R_OK | constants.W_OK)
    return passed(`${path}, read and write`)
  }
  let parent = dirname(path)
  while (!(await stat(parent).catch(() => null)) && parent !== dirname(parent)) parent = dirname(parent)
  await access(parent, constants.W_OK)
  return passed(`${path}, made with the first backup`)
}
