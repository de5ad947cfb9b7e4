import { randomUUID } from 'node:crypto'
import { testConnections } from '#engine/features/connection-test/index.ts'
import { withDiscovered } from '#engine/features/discovery/index.ts'
import { forgetNights, requireConfirmed } from '#engine/features/schedule/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { Handlers } from '#engine/router.ts'
import type { sites as area } from '#shared/contract/sites.ts'

export function sitesProcedures(context: EngineContext): Handlers<typeof area> {
  const { sites } = context
  return {
    'sites.list': () => sites.list(),
    'sites.show': ({ site }) => sites.view(site),
    'sites.add': async ({ site: given }) => {
      const site = withDiscovered(context, given)
      await requireConfirmed(context, null, site)
      return sites.add(site)
    },
    'sites.update': async ({ site: given }) => {
      const site = withDiscovered(context, given)
      await requireConfirmed(context, await sites.get(site.name), site)
      return sites.update(site)
    },
    'sites.remove': async ({ site: name }) => {
      const site = await sites.get(name)
      const vaultKept = sites.vaultPath(site)
      const confirmed = await context.confirm({
        id: randomUUID(),
        title: 'Confirm removal',
        question: `Remove ${name} from this program?`,
        text: 'The site itself is not touched: its database, its server folder and all backups stay where they are.',
        facts: [
          { label: 'Removed', text: 'settings and stored passwords' },
          { label: 'Stays', text: `backups in ${vaultKept}` },
          { label: 'Way back', text: 'add the site again' },
        ],
        typedName: name,
        action: `Remove ${name}`,
        planLabel: '',
      })
      if (confirmed) await sites.remove(name)
      if (confirmed) await forgetNights(context, name)
      return { removed: confirmed, vaultKept }
    },
    'sites.test': ({ site }) => testConnections(context, withDiscovered(context, site)),
  }
}
