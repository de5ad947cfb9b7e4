import { randomUUID } from 'node:crypto'
import { flushSite } from '#engine/features/server-command/index.ts'
import { commandByHand } from '#engine/foundation/connections/zotonic/site-zotonic.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { OutputOf } from '#shared/contract/define.ts'
import type { ModBackupSettings, servers } from '#shared/contract/servers.ts'
import { AppError } from '#shared/errors.ts'
import { formatPlanLabel, formatPlural } from '#shared/format.ts'
import type { Confirmation } from '#shared/model/plan.ts'
import type { Site } from '#shared/model/site.ts'
import { changedKeys, type FoundSettings, readSettings, withDatabase, writeSettings } from './settings.ts'

type Outcome = OutputOf<(typeof servers)['servers.updateBackupSettings']>

const LABELS: Record<keyof ModBackupSettings, string> = {
  daily_dump: 'Nightly backup',
  encrypt_backups: 'Encrypt backups',
  allow_backup_download: 'Download in the admin',
  allow_manual_backup: 'Backups by hand in the admin',
  admin_panel: 'Revisions in the admin',
  revision_retention_months: 'Revisions are kept',
  user_revision_retention_days: 'Revisions of users are kept',
  user_deletion_retention_days: 'Revisions of deleted users are kept',
}

const DAILY = ['none', 'database and files', 'database only']

/** What the site's mod_backup is set to. */
export async function backupSettings(context: EngineContext, name: string): Promise<FoundSettings> {
  const site = await context.sites.get(name)
  return withDatabase(context, site, (client) => readSettings(client, site))
}

/**
 * Changes settings of mod_backup after they were confirmed, then has the site forget the old ones.
 * @throws AppError `no-password-there`, `changed-meanwhile`: nothing was changed then; `commit-unknown`
 */
export async function updateBackupSettings(
  context: EngineContext,
  name: string,
  wanted: Partial<ModBackupSettings>,
): Promise<Outcome> {
  const site = await context.sites.get(name)
  const before = await backupSettings(context, name)
  const keys = changedKeys(before.settings, wanted)
  if (keys.length === 0) {
    return { updated: false, settings: before.settings, flushed: null, advice: 'Nothing differs from what is set there.' }
  }
  if (keys.includes('encrypt_backups') && wanted.encrypt_backups && !before.hasPassword) throw noPassword(name)
  const changes = Object.fromEntries(keys.map((key) => [key, wanted[key]])) as Partial<ModBackupSettings>
  if (!(await context.confirm(confirmationOf(site, before.settings, changes)))) {
    return { updated: false, settings: before.settings, flushed: null, advice: 'Not confirmed. Nothing was changed.' }
  }
  await withDatabase(context, site, (client) => writeSettings(client, site, before.settings, changes))
  context.log.info('settings of mod_backup changed', { site: name, keys })
  const { done, text } = await flushSite(context, site)
  const advice = done ? '' : `Until then the site may keep the old settings, for up to an hour. ${text}`
  return { updated: true, settings: { ...before.settings, ...changes }, flushed: done, advice }
}

function confirmationOf(site: Site, before: ModBackupSettings, changes: Partial<ModBackupSettings>): Confirmation {
  const { name } = site
  const keys = changedKeys(before, changes)
  const id = randomUUID()
  return {
    id,
    title: 'Change the site’s backup settings',
    question: `Change ${formatPlural(keys.length, 'backup setting')} of ${name}?`,
    text: 'They are those of the site itself: its server goes by them from now on.',
    facts: [
      ...keys.map((key) => ({ label: LABELS[key], text: `${shown(key, before[key])} → ${shown(key, changes[key])}` })),
      { label: 'Then', text: `The site’s caches are emptied: ${commandByHand(site, ['flush', name])}` },
      { label: 'Stays', text: 'Every other setting, and all backups.' },
      { label: 'Way back', text: 'Set them back the same way.' },
    ],
    typedName: name,
    action: `Change ${name}`,
    planLabel: formatPlanLabel(id),
  }
}

function shown(key: keyof ModBackupSettings, value: number | boolean | undefined): string {
  if (key === 'daily_dump') return DAILY[Number(value)] ?? String(value)
  if (typeof value === 'boolean') return value ? 'on' : 'off'
  return formatPlural(Number(value), key.endsWith('months') ? 'month' : 'day')
}

function noPassword(site: string): AppError {
  return new AppError('no-password-there', `${site} has no encryption password, so its backups would stay unencrypted.`, {
    hint: 'Set one in the site’s admin, under Backup, then switch encryption on. Nothing was changed.',
    details: { site },
  })
}
