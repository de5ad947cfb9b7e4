import { randomUUID } from 'node:crypto'
import { commandByHand } from '#engine/foundation/connections/zotonic/site-zotonic.ts'
import { serverBackupFolder } from '#engine/foundation/repository/open.ts'
import { formatPlanLabel } from '#shared/format.ts'
import type { Confirmation } from '#shared/model/plan.ts'
import type { Site } from '#shared/model/site.ts'

/** What is asked before Zotonic backs a site up on its server. */
export function backupConfirmation(site: Site): Confirmation {
  const { name } = site
  const id = randomUUID()
  return {
    id,
    title: 'Back up on the server',
    question: `Have the server of ${name} make a backup of ${name} now?`,
    text: 'Zotonic makes it as it does each night. It takes disk and time of the server.',
    facts: [
      { label: 'Run there', text: commandByHand(site, ['backup', name, 'start']) },
      { label: 'Replaced', text: 'The older backup in the slot of today, if there is one.' },
      { label: 'Written', text: `One backup in ${serverBackupFolder(site) ?? 'the server’s backup folder'}.` },
      { label: 'Stays', text: 'The live site, and every other backup.' },
      { label: 'Way back', text: 'None for the replaced backup; copies elsewhere stay.' },
    ],
    typedName: name,
    action: `Back up ${name} there`,
    planLabel: formatPlanLabel(id),
  }
}

/** What is asked before a site is restarted. */
export function restartConfirmation(site: Site): Confirmation {
  const { name } = site
  const id = randomUUID()
  return {
    id,
    title: 'Restart the site',
    question: `Restart ${name} on its server?`,
    text: 'Visitors get no answer for some seconds.',
    facts: [
      { label: 'Run there', text: commandByHand(site, ['restartsite', name]) },
      { label: 'Stays', text: 'Everything that is stored: nothing is written.' },
      { label: 'Way back', text: 'None is needed.' },
    ],
    typedName: name,
    action: `Restart ${name}`,
    planLabel: formatPlanLabel(id),
  }
}
