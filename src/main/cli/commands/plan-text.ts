import { AppError } from '#shared/errors.ts'
import { formatCount } from '#shared/format.ts'
import type { RestorePlan, WayBackPlan } from '#shared/model/plan.ts'
import { formatTable } from '../table.ts'

type Plan = Pick<RestorePlan, 'tables' | 'checks' | 'steps' | 'wayBack'>

/** A plan that was asked to run but may not. */
export function notSafe(what: string, plan: RestorePlan | WayBackPlan): AppError {
  const failed = plan.checks.filter((check) => check.outcome === 'failed')
  return new AppError(
    'not-safe',
    `${what} was not started: ${failed.map((check) => `${check.name}: ${check.finding}`).join('; ')}.`,
    {
      hint: 'Nothing was changed. See the whole plan with --plan.',
      details: { plan },
    },
  )
}

export function rowsText(tables: Plan['tables']): string {
  const rows = tables.map(({ table, rowsNow, rowsThen }) => [
    table,
    count(rowsNow),
    count(rowsThen),
    difference(rowsNow, rowsThen),
  ])
  return rows.length > 0 ? formatTable(['Table', '>Now', '>Then', '>Difference'], rows) : ''
}

export function checksText({ checks }: Pick<Plan, 'checks'>): string {
  const glyph = { passed: '✓', warning: '!', failed: '✗' }
  return ['\nChecks\n', ...checks.map((check) => `  ${glyph[check.outcome]} ${check.name}: ${check.finding}\n`)].join('')
}

export function stepsText({ steps, wayBack }: Pick<Plan, 'steps' | 'wayBack'>): string {
  return [
    '\nSteps\n',
    ...steps.map((step, index) => `  ${index + 1}. ${step.name}: ${step.detail}\n`),
    '\nWay back\n',
    ...wayBack.map((line) => `  ${line}\n`),
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
