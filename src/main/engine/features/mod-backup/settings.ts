import type pg from 'pg'
import { connectPostgres, quoteIdentifier } from '#engine/foundation/connections/postgres.ts'
import { isTrue, readModuleConfig } from '#engine/foundation/connections/zotonic/module-config.ts'
import { commandByHand } from '#engine/foundation/connections/zotonic/site-zotonic.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import { type ModBackupSettings, modBackupSettingsSchema } from '#shared/contract/servers.ts'
import { AppError } from '#shared/errors.ts'
import type { Site } from '#shared/model/site.ts'

export const MODULE = 'mod_backup'
export const PASSWORD_KEY = 'backup_encrypt_password'

type Context = Pick<EngineContext, 'sites'>
type Client = pg.Client

/** What the server takes a setting for that is not there. Source: docs/formats.md, "Settings of mod_backup". */
const DEFAULTS: ModBackupSettings = {
  daily_dump: 0,
  encrypt_backups: false,
  allow_backup_download: true,
  allow_manual_backup: true,
  admin_panel: false,
  revision_retention_months: 18,
  user_revision_retention_days: 90,
  user_deletion_retention_days: 30,
}

export interface FoundSettings {
  settings: ModBackupSettings
  hasPassword: boolean
}

/** Runs something on a connection of its own to a site's database. @throws AppError those of the connection */
export async function withDatabase<T>(
  { sites }: Context,
  site: Site,
  action: (client: Client) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const client = await connectPostgres(await sites.connection(site), signal, { statementMs: 30_000 })
  try {
    return await action(client)
  } finally {
    await client.end().catch(() => {})
  }
}

/** The settings of mod_backup as its server takes them. @throws AppError `no-config-table` */
export async function readSettings(client: Pick<pg.ClientBase, 'query'>, site: Site): Promise<FoundSettings> {
  const config = await readModuleConfig(client, site.database.schema, MODULE).catch((error: unknown) => {
    if ((error as { code?: string }).code !== '42P01') throw error
    throw new AppError('no-config-table', `The schema ${site.database.schema} has no table "config", so it is none of Zotonic.`, {
      hint: 'Check database and schema in the site’s settings.',
      details: { site: site.name, schema: site.database.schema },
    })
  })
  return { settings: settingsOf(config), hasPassword: (config.get(PASSWORD_KEY) ?? '') !== '' }
}

/** @param config key → value of the table; what is not there, or makes no sense, is what the server takes it for */
export function settingsOf(config: ReadonlyMap<string, string>): ModBackupSettings {
  const flag = (key: 'encrypt_backups' | 'allow_backup_download' | 'allow_manual_backup' | 'admin_panel') => {
    const value = config.get(key) ?? ''
    return value === '' ? DEFAULTS[key] : isTrue(value)
  }
  const number = (key: 'revision_retention_months' | 'user_revision_retention_days' | 'user_deletion_retention_days') => {
    const value = config.get(key)?.trim() ?? ''
    if (!/^[+-]?\d{1,9}$/.test(value)) return DEFAULTS[key]
    if (key === 'user_deletion_retention_days' && Number(value) <= 0) return DEFAULTS[key]
    const { minValue, maxValue } = modBackupSettingsSchema.shape[key]
    return Math.min(Math.max(Number(value), minValue ?? 1), maxValue ?? Number.MAX_SAFE_INTEGER)
  }
  const daily = config.get('daily_dump')
  return {
    daily_dump: daily === '1' || daily === '2' ? Number(daily) : DEFAULTS.daily_dump,
    encrypt_backups: flag('encrypt_backups'),
    allow_backup_download: flag('allow_backup_download'),
    allow_manual_backup: flag('allow_manual_backup'),
    admin_panel: flag('admin_panel'),
    revision_retention_months: number('revision_retention_months'),
    user_revision_retention_days: number('user_revision_retention_days'),
    user_deletion_retention_days: number('user_deletion_retention_days'),
  }
}

/**
 * Writes settings in one transaction; no other key is touched.
 * @param before what the operator was shown
 * @throws AppError `changed-meanwhile`: nothing was changed then; `commit-unknown`
 */
export async function writeSettings(
  client: Client,
  site: Site,
  before: ModBackupSettings,
  changes: Partial<ModBackupSettings>,
): Promise<void> {
  const table = `${quoteIdentifier(site.database.schema)}.config`
  await client.query('BEGIN')
  try {
    await client.query("SET LOCAL lock_timeout = '10s'")
    await client.query(`SELECT 1 FROM ${table} WHERE module = $1 FOR UPDATE`, [MODULE])
    const { settings } = await readSettings(client, site)
    if (changedKeys(before, settings).length > 0) {
      throw new AppError(
        'changed-meanwhile',
        `The backup settings of ${site.name} were changed meanwhile. Nothing was written.`,
        {
          hint: 'Look at them again, then decide.',
          details: { site: site.name },
        },
      )
    }
    for (const [key, value] of Object.entries(changes)) {
      const { rowCount } = await client.query(`UPDATE ${table} SET value = $3, modified = now() WHERE module = $1 AND key = $2`, [
        MODULE,
        key,
        String(value),
      ])
      if (rowCount === 0) {
        await client.query(`INSERT INTO ${table} (module, key, value) VALUES ($1, $2, $3)`, [MODULE, key, String(value)])
      }
    }
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {})
    throw error
  }
  await client.query('COMMIT').catch((error: { code?: unknown }) => {
    // what the server answered, with an SQLSTATE, is a refusal
    throw typeof error.code === 'string' && /^[0-9A-Z]{5}$/.test(error.code) ? error : commitUnknown(site, error)
  })
}

function commitUnknown(site: Site, cause: unknown): AppError {
  const { name } = site
  return new AppError(
    'commit-unknown',
    `The connection was lost while the backup settings of ${name} were written; whether they were is not known. All else is as it was.`,
    {
      hint: `Look at them again. If they are the new ones, empty the site’s caches: ${commandByHand(site, ['flush', name])}`,
      details: { site: name },
      cause,
    },
  )
}

/** The settings that differ. */
export function changedKeys(before: ModBackupSettings, after: Partial<ModBackupSettings>): (keyof ModBackupSettings)[] {
  const keys = modBackupSettingsSchema.keyof().options
  return keys.filter((key) => after[key] !== undefined && after[key] !== before[key])
}
