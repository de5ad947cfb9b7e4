import { formatBytes, formatMoment, formatPlanLabel, formatPlural, formatSome } from '#shared/format.ts'
import { inPlace, type RepositoryName } from '#shared/model/backup.ts'
import type { Confirmation } from '#shared/model/plan.ts'
import type { TransferItem, TransferPlan } from '#shared/model/transfer.ts'

/** As many backups as a line has room for. */
const NAMED = 6

export const PLACE_WORDS: Record<RepositoryName, string> = {
  vault: 'the vault',
  server: 'the server',
  filestore: 'the filestore',
}

/** What a plan would copy. */
export function toCopy({ items }: Pick<TransferPlan, 'items'>): TransferItem[] {
  return items.filter(({ action }) => action === 'copy' || action === 'resume')
}

/** What a plan would only note in the index of the source: it is in the filestore already. */
export function toMark({ items }: Pick<TransferPlan, 'items'>): TransferItem[] {
  return items.filter(({ marks }) => marks)
}

/** What the shell's confirmation window says of a plan; null: it only adds to the vault. */
export function confirmationOf(plan: TransferPlan): Confirmation | null {
  if (!plan.needsConfirmation) return null
  const { site, from, to, toPlace, deletions } = plan
  const copied = toCopy(plan)
  const many = formatPlural(copied.length, 'backup')
  const marks = toMark(plan).length
  const marked = formatPlural(marks, 'backup')
  const isNote = copied.length === 0 && deletions.length === 0
  const action = isNote ? 'Note' : deletions.length === 0 ? 'Copy' : copied.length === 0 ? 'Delete' : 'Copy and delete'
  return {
    id: plan.id,
    title: deletions.length === 0 ? 'Confirm transfer' : 'Confirm transfer and deletion',
    question: isNote
      ? `Note in the index of ${PLACE_WORDS[from]} that ${marked} of ${site} ${marks === 1 ? 'is' : 'are'} in the filestore?`
      : copied.length === 0
        ? `Delete ${formatPlural(deletions.length, 'backup')} of ${site} from ${PLACE_WORDS[to]}?`
        : `Copy ${many} of ${site} from ${PLACE_WORDS[from]} to ${PLACE_WORDS[to]}${deletions.length === 0 ? '' : `, and delete ${deletions.length} there`}?`,
    text: effect(to),
    facts: [
      { label: 'Replaced', text: replaced(copied) },
      { label: 'Written', text: copied.length === 0 ? 'nothing' : `${many}, ${formatBytes(plan.bytes)}, in ${toPlace}` },
      ...(marks === 0
        ? []
        : [{ label: 'Noted', text: `in the index of ${PLACE_WORDS[from]}: the filestore has ${marked} already` }]),
      { label: 'Deleted', text: deleted(plan) },
      { label: 'Stays', text: `the live site, everything ${inPlace(from)}, and whatever else is ${inPlace(to)}` },
      { label: 'Way back', text: wayBack(plan, copied) },
    ],
    typedName: site,
    action: `${action} ${site}`,
    planLabel: formatPlanLabel(plan.sha256),
  }
}

function effect(to: RepositoryName): string {
  if (to === 'server') return 'The server lists these backups with its own, restores from them, and may upload them.'
  if (to === 'filestore') return 'A standby of this site takes over the newest backup of the filestore.'
  return 'The vault of this site changes; no server does.'
}

function replaced(copied: readonly TransferItem[]): string {
  const lines = copied.flatMap(({ name, timestamp, mends, displaces, replaces }) =>
    displaces
      ? [`${name}: the other copy of ${formatMoment(timestamp)}`]
      : mends
        ? [`${name}: the damaged copy of ${formatMoment(timestamp)}`]
        : replaces === null
          ? []
          : [`${name}: ${formatMoment(replaces)} by ${formatMoment(timestamp)}`],
  )
  return lines.length === 0 ? 'nothing' : formatSome(lines, NAMED)
}

function deleted({ deletions }: TransferPlan): string {
  if (deletions.length === 0) return 'nothing'
  const bytes = deletions.reduce((sum, deletion) => sum + deletion.bytes, 0)
  const names = deletions.map(({ name, timestamp }) => `${name} of ${formatMoment(timestamp)}`)
  return `${formatSome(names, NAMED)}; ${formatBytes(bytes)}`
}

function wayBack({ deletions }: TransferPlan, copied: readonly TransferItem[]): string {
  const isAnythingLost = deletions.length > 0 || copied.some(({ mends, replaces }) => mends || replaces !== null)
  const isKept = copied.some(({ displaces }) => displaces)
  if (isKept && !isAnythingLost) return 'what is replaced is pinned in the vault first'
  return isAnythingLost ? 'none for what is replaced or deleted; copies elsewhere stay' : 'not needed: nothing is replaced'
}
