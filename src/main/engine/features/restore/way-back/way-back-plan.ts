import type { EngineContext } from '#engine/foundation/context.ts'
import { PlanShelf } from '#engine/foundation/plans/plan-shelf.ts'
import { formatBytes, formatDuration, formatMoment, formatPlanLabel, formatPlural } from '#shared/format.ts'
import type { Confirmation, WayBackPlan } from '#shared/model/plan.ts'
import type { KeptFacts } from './list-kept.ts'

/** A plan to go back or to delete, and what must still be so when it is run. */
export interface StoredWayBack {
  plan: WayBackPlan
  /** SHA-256 of the site's settings. */
  settings: string
  kept: KeptFacts
  /** The live schema; null: there is none, or only files are concerned. */
  liveOid: number | null
  isUsed: boolean
}

export const wayBackPlans = new PlanShelf<StoredWayBack>()

/** @throws AppError `plan-unknown` */
export function wayBackPlanOf(context: EngineContext, id: string): WayBackPlan {
  return wayBackPlans.get(context, id).plan
}

type Facts = Omit<WayBackPlan, 'id' | 'sha256' | 'steps' | 'wayBack'>

/** The steps that a plan takes, and the way back from it. */
export function describeWayBack(facts: Facts, restart: WayBackPlan['steps'][number]): Pick<WayBackPlan, 'steps' | 'wayBack'> {
  return facts.kind === 'undo' ? describeUndo(facts, restart) : describeDrop(facts)
}

function describeUndo(
  { kept, keptSchema }: Facts,
  restart: WayBackPlan['steps'][number],
): Pick<WayBackPlan, 'steps' | 'wayBack'> {
  const steps = [{ id: 'check', name: 'Check again', detail: 'that nothing changed since this plan was made' }]
  const wayBack: string[] = []
  if (kept.files) {
    const { replaced, added } = kept.files
    const aside = `${formatPlural(added, 'file')} set aside that ${added === 1 ? 'was' : 'were'} not there before`
    steps.push({
      id: 'files',
      name: 'Put files back',
      detail: `${formatPlural(replaced, 'file')} put back${added > 0 ? `, ${aside}` : ''}`,
    })
    wayBack.push('The files as they are now are kept in backup-desk-undo in the site’s files folder.')
  }
  if (kept.schema !== null) {
    const detail = `${kept.schema} becomes the live schema in one moment; visitors see the one or the other`
    steps.push({ id: 'database', name: 'Swap the schemas', detail })
    if (keptSchema !== null) wayBack.push(`What is live now is kept as ${keptSchema}: undoing this undo brings it back.`)
  }
  steps.push(restart)
  return { steps, wayBack }
}

function describeDrop({ kept }: Facts): Pick<WayBackPlan, 'steps' | 'wayBack'> {
  const steps = [{ id: 'check', name: 'Check again', detail: 'that nothing changed since this plan was made' }]
  if (kept.schema !== null) steps.push({ id: 'database', name: 'Delete the kept schema', detail: kept.schema })
  if (kept.files) {
    const detail = `${formatPlural(kept.files.replaced, 'file')}, ${formatBytes(kept.files.bytes)}`
    steps.push({ id: 'files', name: 'Delete the kept files', detail })
  }
  return { steps, wayBack: ['None: what is deleted is gone for good. The live site is not touched.'] }
}

/** How much a kept state takes. */
export function sizeOf({ bytes, files }: WayBackPlan['kept']): string {
  return formatBytes((bytes ?? 0) + (files?.bytes ?? 0))
}

/** What the shell's confirmation window says of a plan. */
export function wayBackConfirmation(plan: WayBackPlan): Confirmation {
  const { id, site, kept } = plan
  const shared = { id, typedName: site, planLabel: formatPlanLabel(plan.sha256) }
  const what = kept.schema ?? `the files that were kept on ${formatMoment(kept.keptAt)} UTC`
  if (plan.kind === 'drop') {
    return {
      ...shared,
      title: 'Confirm deletion',
      question: `Delete ${what} of ${site} for good?`,
      text: `It is what ${origin(plan)} set aside ${formatDuration(kept.ageSeconds)} ago. Afterwards nobody can go back to it.`,
      facts: [
        {
          label: 'Deleted',
          text: `${[kept.schema, kept.files && formatPlural(kept.files.replaced, 'file')].filter(Boolean).join('; ')}, ${sizeOf(kept)}`,
        },
        { label: 'Stays', text: 'the live site and all backups' },
        { label: 'Way back', text: 'none' },
      ],
      action: `Delete for ${site}`,
    }
  }
  const resources = plan.tables.find(({ table }) => table === 'rsc')
  const change =
    resources && resources.rowsNow !== null && resources.rowsThen !== null
      ? ` (${resources.rowsNow} → ${resources.rowsThen} resources)`
      : ''
  return {
    ...shared,
    title: 'Confirm undo',
    question: `Take the live site ${site} back to what ${origin(plan)} set aside?`,
    text: `${site} becomes as it was ${formatDuration(kept.ageSeconds)} ago; what was written since leaves the live site and is kept.`,
    facts: [
      { label: 'Replaced', text: kept.schema === null ? 'nothing of the database' : `database${change}` },
      { label: 'Written', text: kept.files ? formatPlural(kept.files.replaced, 'file') : 'no files' },
      { label: 'Stays', text: 'backups, and files that no restore changed' },
      {
        label: 'Way back',
        text: plan.keptSchema === null ? 'the files as they are now are kept' : `what is live now, kept as ${plan.keptSchema}`,
      },
    ],
    action: `Take ${site} back`,
  }
}

function origin({ kept }: WayBackPlan): string {
  if (kept.by === 'undo') return `the undo of ${formatMoment(kept.keptAt)} UTC`
  return kept.backup ? `the restore of ${kept.backup.name}` : `the restore of ${formatMoment(kept.keptAt)} UTC`
}
