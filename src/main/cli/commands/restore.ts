import { AppError } from '#shared/errors.ts'
import { formatBytes, formatCount, formatDuration, formatMomentLong } from '#shared/format.ts'
import type { Loader, RestorePart, RestorePlan } from '#shared/model/plan.ts'
import { type Outcome, wrongUse } from '../exit.ts'
import type { Session } from '../session.ts'
import { REPOSITORIES, repositoryOption } from './list.ts'
import { checksText, notSafe, rowsText, stepsText } from './plan-text.ts'

const PARTS = ['database', 'files', 'config', 'security'] as const satisfies RestorePart[]
const LOADERS = ['here', 'server'] as const satisfies Loader[]

export interface RestoreOptions {
  from?: string
  parts?: string
  /** The site whose backup it is. */
  of?: string
  schema?: string
  withoutOwners?: boolean
  withoutGrants?: boolean
  /** Who loads the database. */
  loader?: string
  /** commander's form of `--no-safety-backup`. */
  safetyBackup?: boolean
  plan?: boolean
  confirm?: string
}

/** The checks of the command line that can be made before anything is opened. */
export function checkPlanOptions(command: string, site: string, options: { plan?: boolean; confirm?: string }): void {
  if (options.plan && options.confirm !== undefined) throw wrongUse(`${command}: --plan shows, --confirm runs: give one of them.`)
  if (!options.plan && options.confirm === undefined) {
    throw wrongUse(`${command}: nothing was done. --plan shows what would happen; --confirm ${site} does it.`)
  }
  if (options.confirm !== undefined && options.confirm !== site) {
    throw wrongUse(`${command}: --confirm names "${options.confirm}", but the site is "${site}". Nothing was done.`)
  }
}

export async function restoreBackup(session: Session, site: string, name: string, options: RestoreOptions): Promise<Outcome> {
  const from = repositoryOption(options.from, '--from', REPOSITORIES)
  const parts = (options.parts ?? 'database,files')
    .split(',')
    .map((part) => repositoryOption<RestorePart>(part.trim(), '--parts', PARTS) ?? 'database')
  const loader = repositoryOption<Loader>(options.loader, '--loader', LOADERS) ?? 'here'
  const passwords = await session.sources.passwords()
  const planning = await session.engine.call('restore.plan', {
    site,
    name,
    parts,
    passwords,
    withoutOwners: options.withoutOwners ?? false,
    withoutGrants: options.withoutGrants ?? false,
    loader,
    safetyBackup: options.safetyBackup ?? true,
    ...(from ? { from } : {}),
    ...(options.of === undefined ? {} : { sourceSite: options.of }),
    ...(options.schema === undefined ? {} : { schema: options.schema }),
  })
  const { planId } = (await session.follow(planning.jobId)).result as { planId: string }
  const plan = await session.engine.call('restore.getPlan', { planId })
  if (options.plan) return { result: plan, text: planText(plan, options), problem: !plan.runnable }
  if (!plan.runnable) throw notSafe('The restore', plan)
  const { jobId } = await session.engine.call('restore.run', { planId })
  if (jobId === null) throw new AppError('not-confirmed', 'The restore was not confirmed. Nothing was changed.')
  const job = await session.follow(jobId)
  const result = job.result as {
    keptSchema?: string | null
    safetyBackup?: string | null
    findings?: { outcome: string; name: string; finding: string }[]
    undoHint?: string
    note?: string
    seconds?: number
  }
  const lines = [
    `${name} is restored onto ${site} in ${formatDuration(result.seconds ?? 0)}.`,
    result.safetyBackup ? `The site as it was is in the vault as ${result.safetyBackup}.` : '',
    result.keptSchema ? `The schema as it was is kept as ${result.keptSchema}.` : '',
    ...(result.findings ?? []).filter(({ outcome }) => outcome === 'warning').map((check) => `! ${check.name}: ${check.finding}`),
    result.undoHint ?? '',
    result.note ?? '',
  ]
  return { result: { ...result, jobId, plan }, text: `${lines.filter((line) => line !== '').join('\n')}\n` }
}

function planText(plan: RestorePlan, options: RestoreOptions): string {
  const { backup, sourceSite, site, schema, media, config } = plan
  const written = (config ?? []).filter(({ change }) => change === 'added' || change === 'replaced')
  return [
    `Plan, nothing changed yet: restore ${backup.name} of ${formatMomentLong(backup.timestamp)} (${formatDuration(plan.ageSeconds)} ago) onto ${site}.\n`,
    sourceSite === site ? '' : `Staging copy: ${site} becomes a copy of ${sourceSite}.\n`,
    `Read from: ${plan.from}\n`,
    `Parts: ${plan.parts.join(', ')}\n`,
    plan.parts.includes('database') ? `Schema: ${schema}${leftOut(plan)}\n` : '',
    `Safety backup: ${plan.safetyBackup ?? 'none'}\n\n`,
    rowsText(plan.tables),
    media
      ? `Media: ${formatCount(media.added)} added, ${formatCount(media.replaced)} replaced, ${formatCount(media.same)} the same, ${formatCount(media.stay)} newer ones stay.\n`
      : '',
    ...written.map(({ path, bytes, change }) => `Configuration: ${path} (${formatBytes(bytes)}) is ${change}.\n`),
    checksText(plan),
    stepsText(plan),
    plan.runnable ? `\nRun it with: ${commandOf(plan, options)}\n` : '\nThis plan cannot be run: see the failed checks.\n',
  ].join('')
}

function leftOut({ withoutOwners, withoutGrants }: RestorePlan): string {
  if (withoutOwners && withoutGrants) return ', without owners and grants'
  return withoutOwners ? ', without owners' : withoutGrants ? ', without grants' : ''
}

function commandOf({ site, backup }: RestorePlan, options: RestoreOptions): string {
  const { from, parts, of, schema, withoutOwners, withoutGrants, loader, safetyBackup } = options
  return [
    `zbd restore ${site} ${backup.name}`,
    ...(of === undefined ? [] : [`--of ${of}`]),
    ...(from === undefined ? [] : [`--from ${from}`]),
    ...(parts === undefined || parts === 'database,files' ? [] : [`--parts ${parts}`]),
    ...(schema === undefined ? [] : [`--schema ${schema}`]),
    ...(withoutOwners ? ['--without-owners'] : []),
    ...(withoutGrants ? ['--without-grants'] : []),
    ...(loader === 'server' ? ['--loader server'] : []),
    ...(safetyBackup === false ? ['--no-safety-backup'] : []),
    `--confirm ${site}`,
  ].join(' ')
}
