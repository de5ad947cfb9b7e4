import { randomUUID } from 'node:crypto'
import { formatPlanLabel } from '#shared/format.ts'
import type { Confirmation } from '#shared/model/plan.ts'
import { SITE_NAME } from './content/site.ts'

/** What the operator is asked before the demo is reset or removed. */
export function confirmation(
  action: 'reset' | 'remove',
  { folder, vault, size }: { folder: string; vault: string; size: string },
): Confirmation {
  const isReset = action === 'reset'
  const id = randomUUID()
  return {
    id,
    title: isReset ? 'Reset the demo site' : 'Remove the demo site',
    question: isReset ? 'Put the demo site back to its first state?' : 'Remove the demo site from this computer?',
    text: isReset
      ? 'Its database, files and backups are deleted and made anew. What you changed in it is lost.'
      : 'Its database, files, backups and settings are deleted. You can open a new demo at any time.',
    facts: [
      { label: 'Replaced', text: isReset ? `The demo in ${folder} (${size}), by a new one` : 'Nothing' },
      { label: 'Deleted', text: `${folder} (${size}) and the demo’s backups in ${vault}` },
      { label: 'Stays', text: 'All other sites, their backups and settings' },
      { label: 'Way back', text: 'None: copy first what you want to keep' },
    ],
    typedName: SITE_NAME,
    action: isReset ? 'Reset the demo site' : 'Remove the demo site',
    planLabel: formatPlanLabel(id),
  }
}
