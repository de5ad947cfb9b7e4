import { formatBytes, formatCount, formatDuration, formatMoment, formatPlanLabel, formatPlural } from '#shared/format.ts'
import type { Confirmation, PlanStep, RestorePlan } from '#shared/model/plan.ts'

type Facts = Omit<RestorePlan, 'id' | 'sha256' | 'steps' | 'wayBack'>

/** The steps that a plan takes, and the way back. */
export function describePlan(
  facts: Facts,
  liveBytes: number,
  restart: RestorePlan['steps'][number],
): Pick<RestorePlan, 'steps' | 'wayBack'> {
  const { parts, media, config, keptSchema, databaseBytes, tables, safetyBackup, schema, loader } = facts
  const steps: PlanStep[] = [{ id: 'check', name: 'Check again', detail: 'that nothing changed since this plan was made' }]
  const wayBack: string[] = []
  if (safetyBackup !== null) {
    const detail = `${safetyBackup} in the vault: database and configuration as they are now`
    steps.push({ id: 'safety', name: 'Back up the site first', detail })
    wayBack.push(`${safetyBackup} in the vault is kept until you delete it.`)
  }
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
  if (config) {
    const { added, replaced } = countConfig(config)
    steps.push({
      id: 'config',
      name: 'Write configuration files',
      detail: `${formatCount(added)} added, ${formatCount(replaced)} replaced`,
    })
    wayBack.push(
      added + replaced > 0
        ? 'Replaced configuration and security files are kept in backup-desk-undo in the site’s files folder.'
        : 'No configuration or security file changes.',
    )
  }
  if (parts.includes('database')) {
    const then = tables.filter(({ rowsThen }) => rowsThen !== null).length
    const amount = databaseBytes === null ? '' : `, ${formatBytes(databaseBytes)}`
    steps.push(
      {
        id: 'database',
        name: 'Load the database',
        detail: `${formatPlural(then, 'table')}${amount}${loader === 'server' ? ', by psql on the server' : ''}; visitors see the old data until it is complete`,
      },
      { id: 'loaded', name: 'Check what was loaded', detail: 'rows, constraints and sequences, before anybody sees it' },
      { id: 'analyze', name: 'Update statistics', detail: 'so that the database finds its way quickly' },
    )
    wayBack.push(
      keptSchema === null
        ? `There is no schema ${schema} yet: nothing is replaced.`
        : `The old schema is kept as ${keptSchema}, ${formatBytes(liveBytes)}, until you drop it. Going back to it takes seconds.`,
    )
  }
  steps.push(restart)
  return { steps, wayBack }
}

/** How many configuration and security files a plan writes. */
function countConfig(config: NonNullable<RestorePlan['config']>): { added: number; replaced: number } {
  const count = (wanted: string) => config.filter(({ change }) => change === wanted).length
  return { added: count('added'), replaced: count('replaced') }
}

/** What the shell's confirmation window says of a plan. */
export function confirmationOf(plan: RestorePlan): Confirmation {
  const { site, backup, sourceSite } = plan
  const whose = sourceSite === site ? '' : ` of ${sourceSite}`
  return {
    id: plan.id,
    title: 'Confirm restore',
    question: `Restore ${backup.name}${whose} onto the live site ${site}?`,
    text: effect(plan),
    facts: [
      { label: 'Replaced', text: replaced(plan) },
      { label: 'Written', text: written(plan) },
      { label: 'Stays', text: stays(plan) },
      { label: 'Way back', text: wayBack(plan) },
    ],
    typedName: site,
    action: `Restore ${site}`,
    planLabel: formatPlanLabel(plan.sha256),
  }
}

function effect(plan: RestorePlan): string {
  const { parts, backup, site, sourceSite, keptSchema, schema } = plan
  const moment = `${formatMoment(backup.timestamp)} UTC`
  if (!parts.includes('database')) return `Files of ${moment} are put back; the database stays as it is.`
  if (sourceSite !== site)
    return `${site} becomes a copy of ${sourceSite} of ${moment}; what ${site} holds now leaves the live site.`
  if (keptSchema === null) return `The database of ${moment} is written into the new schema ${schema}.`
  return `Its database goes back to ${moment}, ${formatDuration(plan.ageSeconds)} ago; ${leaving(plan)} since then leave${isOneEdit(plan) ? 's' : ''} the live site.`
}

function replaced({ parts, tables, media, config, keptSchema }: RestorePlan): string {
  const resources = tables.find(({ table }) => table === 'rsc')
  const change =
    resources && resources.rowsNow !== null && resources.rowsThen !== null
      ? ` (${formatCount(resources.rowsNow)} → ${formatCount(resources.rowsThen)} resources)`
      : ''
  const files = config ? countConfig(config).replaced : 0
  return [
    parts.includes('database') && keptSchema !== null ? `database${change}` : 'nothing of the database',
    ...(media && media.replaced > 0 ? [formatPlural(media.replaced, 'media file')] : []),
    ...(files > 0 ? [formatPlural(files, 'configuration file')] : []),
  ].join('; ')
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

function written({ parts, media, config, tables, safetyBackup }: RestorePlan): string {
  const counted = config ? countConfig(config) : { added: 0, replaced: 0 }
  return (
    [
      ...(parts.includes('database') ? [formatPlural(tables.filter(({ rowsThen }) => rowsThen !== null).length, 'table')] : []),
      ...(media ? [formatPlural(media.added + media.replaced, 'media file')] : []),
      ...(config ? [formatPlural(counted.added + counted.replaced, 'configuration file')] : []),
      ...(safetyBackup === null ? [] : [`${safetyBackup} in the vault`]),
    ].join('; ') || 'nothing'
  )
}

function stays({ parts, media }: RestorePlan): string {
  const kept = [
    ...(parts.includes('database') ? [] : ['database']),
    ...(parts.includes('config') ? [] : ['configuration']),
    ...(parts.includes('security') ? [] : ['security']),
    ...(media && media.same > 0 ? [formatPlural(media.same, 'equal media file')] : []),
    ...(media && media.stay > 0 ? [formatPlural(media.stay, 'newer media file')] : []),
    ...(media ? [] : ['media']),
  ]
  return kept.join(', ') || 'what the backup does not have'
}

function wayBack({ keptSchema, media, config, safetyBackup }: RestorePlan): string {
  const { added, replaced } = config ? countConfig(config) : { added: 0, replaced: 0 }
  const ways = [
    ...(keptSchema === null ? [] : [`the old schema, kept as ${keptSchema}`]),
    ...((media && media.added + media.replaced > 0) || added + replaced > 0 ? ['replaced files, kept in the files folder'] : []),
    ...(safetyBackup === null ? [] : [`the safety backup ${safetyBackup}`]),
  ]
  return ways.join('; ') || 'not needed: nothing is replaced'
}
