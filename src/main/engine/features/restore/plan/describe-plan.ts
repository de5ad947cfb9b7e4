import { formatBytes, formatCount, formatDuration, formatMoment, formatPlural } from '#shared/format.ts'
import type { Confirmation, PlanStep, RestorePlan } from '#shared/model/plan.ts'

type Facts = Omit<RestorePlan, 'id' | 'sha256' | 'steps' | 'wayBack'>

/** The steps that a plan takes, and the way back. */
export function describePlan(facts: Facts, liveBytes: number): Pick<RestorePlan, 'steps' | 'wayBack'> {
  const { parts, media, keptSchema, databaseBytes, tables, site } = facts
  const steps: PlanStep[] = [{ id: 'check', name: 'Check again', detail: 'that nothing changed since this plan was made' }]
  const wayBack: string[] = []
  if (parts.includes('files') && media) {
    steps.push({
      id: 'media',
      name: 'Write media files',
      detail: `${formatCount(media.added)} added, ${formatCount(media.replaced)} replaced`,
    })
    wayBack.push(
      media.replaced + media.added > 0
        ? 'Replaced media files are kept in backup-desk-undo in the site’s files folder, with a list of those that were added.'
        : 'No media file changes.',
    )
  }
  if (parts.includes('database')) {
    const then = tables.filter(({ rowsThen }) => rowsThen !== null).length
    const amount = databaseBytes === null ? '' : `, ${formatBytes(databaseBytes)}`
    steps.push(
      {
        id: 'database',
        name: 'Load the database',
        detail: `${formatPlural(then, 'table')}${amount}; visitors see the old data until it is complete`,
      },
      { id: 'analyze', name: 'Update statistics', detail: 'so that the database finds its way quickly' },
    )
    wayBack.push(
      keptSchema === null
        ? 'There is no live schema yet: nothing is replaced.'
        : `The old schema is kept as ${keptSchema}, ${formatBytes(liveBytes)}, until you drop it. Swapping back takes seconds.`,
    )
  }
  steps.push({ id: 'restart', name: 'Restart the site', detail: `by you, on the server: zotonic restartsite ${site}` })
  return { steps, wayBack }
}

/** What the shell's confirmation window says of a plan. */
export function confirmationOf(plan: RestorePlan): Confirmation {
  const { site, backup, parts, media } = plan
  const hasDatabase = parts.includes('database')
  const resources = plan.tables.find(({ table }) => table === 'rsc')
  const replaced = !hasDatabase
    ? 'nothing of the database'
    : resources && resources.rowsNow !== null && resources.rowsThen !== null
      ? `database (${formatCount(resources.rowsNow)} → ${formatCount(resources.rowsThen)} resources)`
      : 'database'
  return {
    id: plan.id,
    title: 'Confirm restore',
    question: `Restore ${backup.name} onto the live site ${site}?`,
    text: hasDatabase
      ? `Its database goes back to ${formatMoment(backup.timestamp)} UTC, ${formatDuration(plan.ageSeconds)} ago; ${leaving(plan)} since then leave${isOneEdit(plan) ? 's' : ''} the live site.`
      : `Its media files of ${formatMoment(backup.timestamp)} UTC are put back; the database stays as it is.`,
    facts: [
      {
        label: 'Replaced',
        text: media && media.replaced > 0 ? `${replaced}; ${formatPlural(media.replaced, 'media file')}` : replaced,
      },
      { label: 'Written', text: written(plan) },
      { label: 'Stays', text: stays(plan) },
      { label: 'Way back', text: wayBack(plan) },
    ],
    typedName: site,
    action: `Restore ${site}`,
    planLabel: `Plan ${plan.sha256.slice(0, 4).toUpperCase()}-${plan.sha256.slice(4, 8).toUpperCase()}, valid once`,
  }
}

function edits({ tables }: RestorePlan): number {
  const revisions = tables.find(({ table }) => table === 'backup_revision')
  return Math.max(0, (revisions?.rowsNow ?? 0) - (revisions?.rowsThen ?? 0))
}

function isOneEdit(plan: RestorePlan): boolean {
  return edits(plan) <= 1
}

function leaving(plan: RestorePlan): string {
  const count = edits(plan)
  if (count === 0) return 'whatever was written'
  return count === 1 ? 'the edit made' : `the ${formatCount(count)} edits made`
}

function written({ parts, media, tables }: RestorePlan): string {
  const database = parts.includes('database')
    ? [formatPlural(tables.filter(({ rowsThen }) => rowsThen !== null).length, 'table')]
    : []
  const files = media ? [`${formatPlural(media.added + media.replaced, 'media file')}`] : []
  return [...database, ...files].join('; ') || 'nothing'
}

function stays({ parts, media }: RestorePlan): string {
  const kept = ['configuration', 'security']
  if (!parts.includes('database')) kept.unshift('database')
  if (media && media.same > 0) kept.push(`${formatPlural(media.same, 'equal media file')}`)
  if (media && media.stay > 0) kept.push(`${formatPlural(media.stay, 'newer media file')}`)
  if (!media) kept.push('media')
  return kept.join(', ')
}

function wayBack({ keptSchema, media }: RestorePlan): string {
  const ways = keptSchema === null ? [] : [`the old schema, kept as ${keptSchema}`]
  if (media && media.added + media.replaced > 0) ways.push('replaced media files, kept beside the media')
  return ways.join('; ') || 'not needed: nothing is replaced'
}
