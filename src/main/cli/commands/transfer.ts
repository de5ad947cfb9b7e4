import { AppError } from '#shared/errors.ts'
import { formatBytes, formatDuration, formatMomentLong, formatPlural } from '#shared/format.ts'
import { type RepositoryName, repositoryNameSchema } from '#shared/model/backup.ts'
import type { TransferItem, TransferPlan, TransferResult, Transferred } from '#shared/model/transfer.ts'
import { type Outcome, wrongUse } from '../exit.ts'
import type { Session } from '../session.ts'
import { formatTable } from '../table.ts'
import { repositoryOption } from './list.ts'
import { checksText } from './plan-text.ts'

const MAX_NEWEST = 1000

interface TransferOptions {
  from: string
  to: string
  plan?: boolean
  confirm?: string
}

export interface CopyOptions extends TransferOptions {
  timestamp?: string
  replaceOther?: boolean
}

export interface SyncOptions extends TransferOptions {
  newest?: string
  delete?: boolean
}

export interface Direction {
  from: RepositoryName
  to: RepositoryName
}

/** The checks of the command line that can be made before anything is opened. */
export function readDirection(
  command: string,
  site: string,
  options: TransferOptions & { delete?: boolean; timestamp?: string; replaceOther?: boolean },
): Direction {
  const { plan, confirm, timestamp } = options
  const from = repositoryOption(options.from, '--from', repositoryNameSchema.options) ?? 'vault'
  const to = repositoryOption(options.to, '--to', repositoryNameSchema.options) ?? 'vault'
  if (from === to) throw wrongUse(`${command}: --from and --to both name the ${from}. Nothing was done.`)
  if (plan && confirm !== undefined) throw wrongUse(`${command}: --plan shows, --confirm runs: give one of them.`)
  if (confirm !== undefined && confirm !== site) {
    throw wrongUse(`${command}: --confirm names "${confirm}", but the site is "${site}". Nothing was done.`)
  }
  if (!plan && confirm === undefined && (to !== 'vault' || options.delete || options.replaceOther)) {
    throw wrongUse(`${command}: nothing was done. --plan shows what would happen; --confirm ${site} does it.`)
  }
  if (timestamp !== undefined && Number.isNaN(Date.parse(timestamp))) {
    throw wrongUse(`${command}: --timestamp wants a moment as "zbd list" has it, not "${timestamp}".`)
  }
  return { from, to }
}

export async function copyBackup(
  session: Session,
  site: string,
  name: string,
  direction: Direction,
  options: CopyOptions,
): Promise<Outcome> {
  const { timestamp } = options
  const planning = await session.engine.call('transfer.plan', {
    site,
    ...direction,
    names: [name],
    replaceOther: options.replaceOther ?? false,
    ...(timestamp === undefined ? {} : { timestamp }),
  })
  return transfer(session, planning.jobId, options)
}

export async function syncBackups(session: Session, site: string, direction: Direction, options: SyncOptions): Promise<Outcome> {
  const newest = options.newest === undefined ? undefined : Number(options.newest)
  if (newest !== undefined && !(Number.isInteger(newest) && newest > 0 && newest <= MAX_NEWEST)) {
    throw wrongUse(`sync: --newest wants a number from 1 to ${MAX_NEWEST}.`)
  }
  const planning = await session.engine.call('transfer.plan', {
    site,
    ...direction,
    ...(newest === undefined ? {} : { newest }),
    deleteOthers: options.delete ?? false,
  })
  return transfer(session, planning.jobId, options)
}

async function transfer(session: Session, planJob: string, options: TransferOptions): Promise<Outcome> {
  const { engine } = session
  const { planId } = (await session.follow(planJob)).result as { planId: string }
  const plan = await engine.call('transfer.getPlan', { planId })
  const refused = plan.items.filter(({ action }) => action === 'refused')
  const failed = plan.checks.filter(({ outcome }) => outcome === 'failed')
  if (options.plan) return { result: plan, text: planText(plan), problem: failed.length > 0 || refused.length > 0 }
  if (failed.length > 0) {
    const findings = failed.map(({ name, finding }) => `${name}: ${finding}`)
    throw notRunnable(`Nothing was copied: ${findings.join('; ')}.`, plan)
  }
  if (!plan.runnable) {
    if (refused.length > 0) throw notRunnable(`Nothing was copied. ${refused.map(refusal).join(' ')}`, plan)
    const result = { from: plan.from, to: plan.to, backups: plan.items.map(sameAs), bytes: 0, seconds: 0, jobId: null, plan }
    return { result, text: 'Nothing to do: all of it is there.\n' }
  }
  const { jobId } = await engine.call('transfer.run', { planId })
  if (jobId === null) throw new AppError('not-confirmed', 'It was not confirmed. Nothing was changed.')
  const result = (await session.follow(jobId)).result as TransferResult
  const text = `${tableOf(result.backups)}${refused.map((item) => `! ${refusal(item)}\n`).join('')}${doneText(result)}\n`
  return { result: { ...result, jobId, plan }, text, problem: refused.length > 0 }
}

function notRunnable(message: string, plan: TransferPlan): AppError {
  return new AppError('plan-not-runnable', message, { hint: 'See the whole plan with --plan.', details: { plan } })
}

function refusal({ name, reason }: TransferItem): string {
  return `${name} was refused: ${reason}`
}

function sameAs({ name, timestamp, reason }: TransferItem): Transferred {
  return { name, timestamp, outcome: 'same', text: reason, bytes: 0 }
}

function doneText({ backups, bytes, seconds }: TransferResult): string {
  const count = (wanted: Transferred['outcome']) => backups.filter(({ outcome }) => outcome === wanted).length
  const [copied, same, deleted] = [count('copied'), count('same'), count('deleted')]
  const parts = [
    `${formatPlural(copied, 'backup')} copied, ${formatBytes(bytes)} in ${formatDuration(seconds)}`,
    ...(same > 0 ? [`${same} there already`] : []),
    ...(deleted > 0 ? [`${deleted} deleted`] : []),
  ]
  return `${parts.join('; ')}.`
}

function tableOf(backups: readonly Transferred[]): string {
  const rows = backups.map(({ name, timestamp, outcome, text }) => [name, formatMomentLong(timestamp), outcome, text])
  return rows.length > 0 ? formatTable(['Backup', 'Made', '', ''], rows) : ''
}

function planText(plan: TransferPlan): string {
  const { site, from, to, fromPlace, toPlace, items, deletions } = plan
  const rows = items.map(({ name, timestamp, action, bytes, storedBytes, reason }) => [
    name,
    formatMomentLong(timestamp),
    action,
    formatBytes(bytes - storedBytes),
    reason,
  ])
  return [
    `Plan, nothing changed yet: bring the ${to} of ${site} in step with the ${from}.\n`,
    `From: ${fromPlace}\nTo:   ${toPlace}\n\n`,
    rows.length > 0 ? formatTable(['Backup', 'Made', '', '>To copy', ''], rows) : 'The source has no backups.\n',
    ...deletions.map(
      ({ name, timestamp, files, bytes }) =>
        `Delete ${name} of ${formatMomentLong(timestamp)}: ${files.join(', ')} (${formatBytes(bytes)})\n`,
    ),
    checksText(plan),
    plan.runnable
      ? `\n${formatBytes(plan.bytes)} to copy. Run it with the same command and ${plan.needsConfirmation ? `--confirm ${site}` : 'without --plan'}.\n`
      : plan.checks.some(({ outcome }) => outcome === 'failed')
        ? '\nThis plan cannot be run: see the failed checks.\n'
        : '\nThere is nothing to copy.\n',
  ].join('')
}
