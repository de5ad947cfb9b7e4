import { AppError } from '#shared/errors.ts'
import { formatCount, formatDuration, formatMomentLong } from '#shared/format.ts'
import type { RestorePart, RestorePlan } from '#shared/model/plan.ts'
import { type Outcome, wrongUse } from '../exit.ts'
import type { Session } from '../session.ts'
import { formatTable } from '../table.ts'
import { repositoryOption } from './list.ts'

export interface RestoreOptions {
  from?: string
  parts?: string
  plan?: boolean
  confirm?: string
}

/** The checks of the command line that can be made before anything is opened. */
export function checkRestoreOptions(site: string, options: RestoreOptions): void {
  if (options.plan && options.confirm !== undefined) throw wrongUse('restore: --plan shows, --confirm runs: give one of them.')
  if (!options.plan && options.confirm === undefined) {
    throw wrongUse(`restore: nothing was done. --plan shows what would happen; --confirm ${site} does it.`)
  }
  if (options.confirm !== undefined && options.confirm !== site) {
    throw wrongUse(`restore: --confirm names "${options.confirm}", but the site is "${site}". Nothing was done.`)
  }
}

export async function restoreBackup(session: Session, site: string, name: string, options: RestoreOptions): Promise<Outcome> {
  const from = repositoryOption(options.from, '--from', ['vault', 'server'])
  const parts = (options.parts ?? 'database,files')
    .split(',')
    .map((part) => repositoryOption<RestorePart>(part.trim(), '--parts', ['database', 'files']) ?? 'database')
  const passwords = await session.sources.passwords()
  const planning = await session.engine.call('restore.plan', { site, name, parts, passwords, ...(from ? { from } : {}) })
  const { planId } = (await session.follow(planning.jobId)).result as { planId: string }
  const plan = await session.engine.call('restore.getPlan', { planId })
  if (options.plan) return { result: plan, text: planText(plan), problem: !plan.runnable }
  if (!plan.runnable) {
    const failed = plan.checks.filter((check) => check.outcome === 'failed')
    throw new AppError(
      'not-safe',
      `The restore was not started: ${failed.map((check) => `${check.name}: ${check.finding}`).join('; ')}.`,
      {
        hint: 'Nothing was changed. See the whole plan with --plan.',
        details: { plan },
      },
    )
  }
  const { jobId } = await session.engine.call('restore.run', { planId })
  if (jobId === null) throw new AppError('not-confirmed', 'The restore was not confirmed. Nothing was changed.')
  const job = await session.follow(jobId)
  const result = job.result as { keptSchema?: string | null; note?: string; seconds?: number }
  const kept = result.keptSchema ? `The schema as it was is kept as ${result.keptSchema}.\n` : ''
  return {
    result: { ...result, jobId, plan },
    text: `${name} is restored onto ${site} in ${formatDuration(result.seconds ?? 0)}.\n${kept}${result.note ?? ''}\n`,
  }
}

function planText(plan: RestorePlan): string {
  const rows = plan.tables.map(({ table, rowsNow, rowsThen }) => [
    table,
    count(rowsNow),
    count(rowsThen),
    difference(rowsNow, rowsThen),
  ])
  const glyph = { passed: '✓', warning: '!', failed: '✗' }
  return [
    `Plan, nothing changed yet: restore ${plan.backup.name} of ${formatMomentLong(plan.backup.timestamp)} (${formatDuration(plan.ageSeconds)} ago) onto ${plan.site}.\n`,
    `Read from: ${plan.from}\n`,
    `Parts: ${plan.parts.join(', ')}\n\n`,
    rows.length > 0 ? formatTable(['Table', '>Now', '>Then', '>Difference'], rows) : '',
    plan.media
      ? `Media: ${formatCount(plan.media.added)} added, ${formatCount(plan.media.replaced)} replaced, ${formatCount(plan.media.same)} the same, ${formatCount(plan.media.stay)} newer ones stay.\n`
      : '',
    '\nChecks\n',
    ...plan.checks.map((check) => `  ${glyph[check.outcome]} ${check.name}: ${check.finding}\n`),
    '\nSteps\n',
    ...plan.steps.map((step, index) => `  ${index + 1}. ${step.name}: ${step.detail}\n`),
    '\nWay back\n',
    ...plan.wayBack.map((line) => `  ${line}\n`),
    plan.runnable
      ? `\nRun it with: zbd restore ${plan.site} ${plan.backup.name} --confirm ${plan.site}\n`
      : '\nThis plan cannot be run: see the failed checks.\n',
  ].join('')
}

function count(rows: number | null): string {
  return rows === null ? '–' : formatCount(rows)
}

function difference(now: number | null, then: number | null): string {
  if (now === null || then === null) return '–'
  if (now === then) return 'same'
  return then > now ? `+${formatCount(then - now)}` : `−${formatCount(now - then)}`
}
