import {
  type ModBackupSettings,
  modBackupSettingsSchema,
  NO_LONGER_FOLLOWED,
  serverCommandSchema,
} from '#shared/contract/servers.ts'
import { AppError, isCancelled } from '#shared/errors.ts'
import { formatDuration, formatMomentLong } from '#shared/format.ts'
import { type Outcome, wrongUse } from '../exit.ts'
import type { Session } from '../session.ts'
import { formatTable } from '../table.ts'

const ACTIONS = ['status', 'flush', 'restart', 'settings']

export interface ServerOptions {
  set?: string[]
  confirm?: string
}

/** `zbd backup SITE --on-server`. */
export async function backUpOnServer(session: Session, site: string): Promise<Outcome> {
  const { jobId } = await session.engine.call('servers.backup', { site })
  const id = confirmed(jobId)
  const job = await session.follow(id).catch(async (error: unknown) => {
    if (!isCancelled(error)) throw error
    const { log } = await session.engine.context.jobs.show(id)
    throw log.some(({ text }) => text === NO_LONGER_FOLLOWED) ? new AppError('cancelled', NO_LONGER_FOLLOWED) : error
  })
  const result = job.result as { name: string; timestamp: string; isOurs: boolean; seconds: number }
  const whose = result.isOurs ? 'made it' : 'was making it already'
  return {
    result: { ...result, jobId },
    text: `${result.name} of ${formatMomentLong(result.timestamp)} is in the server’s index; Zotonic ${whose}, after ${formatDuration(result.seconds)}.\n`,
  }
}

/** `zbd server SITE …` */
export async function runOnServer(session: Session, site: string, action: string, options: ServerOptions): Promise<Outcome> {
  if (action === 'settings') {
    return options.set === undefined ? showSettings(session, site) : changeSettings(session, site, options.set)
  }
  const { jobId } = await session.engine.call('servers.command', { site, command: serverCommandSchema.parse(action) })
  const job = await session.follow(confirmed(jobId))
  const { output } = job.result as { output: string }
  return { result: { output, jobId }, text: `${output}\n` }
}

export function checkServer(site: string, action: string, { set, confirm }: ServerOptions): void {
  if (!ACTIONS.some((known) => known === action)) throw wrongUse(`server: "${action}" is none of ${ACTIONS.join(', ')}.`)
  if (set === undefined && confirm === undefined) return
  if (action !== 'settings') throw wrongUse('server: --set and --confirm go with "settings".')
  if (set === undefined) throw wrongUse('server settings: --confirm goes with --set.')
  if (confirm !== site) throw wrongUse(`server settings: --set changes the site itself. Confirm with --confirm ${site}.`)
}

async function showSettings({ engine }: Session, site: string): Promise<Outcome> {
  const result = await engine.call('servers.backupSettings', { site })
  const rows = Object.entries(result.settings).map(([key, value]) => [key, String(value)])
  return {
    result,
    text: formatTable(
      ['Setting of mod_backup', 'Value'],
      [...rows, ['(encryption password)', result.hasPassword ? 'set' : 'not set']],
    ),
  }
}

async function changeSettings({ engine }: Session, site: string, set: readonly string[]): Promise<Outcome> {
  const settings = Object.assign({}, ...set.map(settingOf)) as Partial<ModBackupSettings>
  const result = await engine.call('servers.updateBackupSettings', { site, settings })
  const flushed = result.flushed === true ? 'The site goes by it now.\n' : ''
  return { result, text: `${result.updated ? `Changed. ${flushed}` : ''}${result.advice === '' ? '' : `${result.advice}\n`}` }
}

function settingOf(text: string): Partial<ModBackupSettings> {
  const [, key = '', written = ''] = /^([a-z_]+)=(.+)$/.exec(text) ?? []
  const known = modBackupSettingsSchema.keyof().safeParse(key)
  if (!known.success) throw wrongUse(`--set: "${text}" is no KEY=VALUE of ${modBackupSettingsSchema.keyof().options.join(', ')}.`)
  const value = /^(?:true|on|yes)$/i.test(written) ? true : /^(?:false|off|no)$/i.test(written) ? false : Number(written)
  const setting = modBackupSettingsSchema.partial().safeParse({ [known.data]: value })
  if (!setting.success) throw wrongUse(`--set: ${known.data} does not take "${written}".`)
  return setting.data
}

/** `zbd password from-site` */
export async function takePassword({ engine }: Session, site: string): Promise<Outcome> {
  const result = await engine.call('servers.takePassword', { site })
  return { result, text: `${result.text}\n`, problem: result.outcome === 'does-not-fit' }
}

function confirmed(jobId: string | null): string {
  if (jobId !== null) return jobId
  throw new AppError('not-confirmed', 'Not confirmed. Nothing was run.')
}
