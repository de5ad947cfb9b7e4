import { AppError } from '#shared/errors.ts'
import { formatBytes, formatDuration, formatMomentLong, formatPlural } from '#shared/format.ts'
import type { KeptState, WayBackPlan } from '#shared/model/plan.ts'
import type { Outcome } from '../exit.ts'
import type { Session } from '../session.ts'
import { formatTable } from '../table.ts'
import { checksText, notSafe, rowsText, stepsText } from './plan-text.ts'

export async function listKept({ engine }: Session, site: string): Promise<Outcome> {
  const result = await engine.call('restore.kept', { site })
  const rows = result.kept.map((state) => [
    state.id,
    formatMomentLong(state.keptAt),
    formatDuration(state.ageSeconds),
    state.bytes === null ? '–' : formatBytes(state.bytes),
    filesText(state),
    originText(state),
  ])
  const heads = ['Kept', 'Set aside', '>Age', '>Database', 'Files', 'By']
  return { result, text: rows.length > 0 ? formatTable(heads, rows) : `Nothing is kept of ${site}.\n` }
}

function filesText({ files }: KeptState): string {
  return files ? `${formatPlural(files.replaced, 'file')}, ${formatBytes(files.bytes)}` : '–'
}

function originText({ by, backup }: KeptState): string {
  if (by === 'undo') return 'an undo'
  return backup ? `the restore of ${backup.name}` : 'a restore'
}

/** @param kept default: the newest kept state */
export async function undoRestore(
  session: Session,
  site: string,
  kept: string | undefined,
  options: { plan?: boolean },
): Promise<Outcome> {
  return wayBack(session, 'undo', site, kept ?? (await newest(session, site)), options)
}

export async function dropKept(session: Session, site: string, kept: string, options: { plan?: boolean }): Promise<Outcome> {
  return wayBack(session, 'drop', site, kept, options)
}

async function newest({ engine }: Session, site: string): Promise<string> {
  const [first] = (await engine.call('restore.kept', { site })).kept
  if (first) return first.id
  throw new AppError('unknown-kept', `Nothing is kept of ${site}, so that there is nothing to go back to.`, {
    hint: 'A restore keeps what it replaces, until it is dropped.',
    details: { site },
  })
}

async function wayBack(
  session: Session,
  kind: WayBackPlan['kind'],
  site: string,
  kept: string,
  options: { plan?: boolean },
): Promise<Outcome> {
  const { engine } = session
  const { jobId: planning } = await engine.call(kind === 'undo' ? 'restore.planUndo' : 'restore.planDrop', { site, kept })
  const { planId } = (await session.follow(planning)).result as { planId: string }
  const plan = await engine.call('restore.getWayBackPlan', { planId })
  if (options.plan) return { result: plan, text: planText(plan), problem: !plan.runnable }
  if (!plan.runnable) throw notSafe(kind === 'undo' ? 'The undo' : 'The deletion', plan)
  const { jobId } = await engine.call('restore.runWayBack', { planId })
  if (jobId === null) throw new AppError('not-confirmed', 'It was not confirmed. Nothing was changed.')
  const result = (await session.follow(jobId)).result as { keptSchema: string | null; note: string; seconds: number }
  return { result: { ...result, jobId, plan }, text: doneText(plan, result) }
}

function planText(plan: WayBackPlan): string {
  const { kind, site, kept } = plan
  const what = kind === 'undo' ? `take ${site} back to ${kept.id}` : `delete ${kept.id} of ${site} for good`
  return [
    `Plan, nothing changed yet: ${what}, set aside on ${formatMomentLong(kept.keptAt)} by ${originText(kept)}.\n\n`,
    rowsText(plan.tables),
    checksText(plan),
    stepsText(plan),
    plan.runnable
      ? `\nRun it with: zbd ${kind} ${site} ${kept.id} --confirm ${site}\n`
      : '\nThis plan cannot be run: see the failed checks.\n',
  ].join('')
}

function doneText(
  { kind, site, kept }: WayBackPlan,
  result: { keptSchema: string | null; note: string; seconds: number },
): string {
  const took = formatDuration(result.seconds)
  if (kind === 'drop') return `${kept.id} is deleted, after ${took}.\n`
  const now = result.keptSchema === null ? '' : `What was live is kept as ${result.keptSchema}.\n`
  return `${site} is back, after ${took}.\n${now}${result.note}\n`
}
