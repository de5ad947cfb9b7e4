import { nightlyStates, previewNights, runDue, runMissed, setSchedule } from '#engine/features/schedule/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { Handlers } from '#engine/router.ts'
import type { schedule as area } from '#shared/contract/schedule.ts'

export function scheduleProcedures(context: EngineContext): Handlers<typeof area> {
  const { sites } = context
  return {
    'schedule.list': async () => ({ sites: await nightlyStates(context, new Date()) }),
    'schedule.preview': async ({ site, nights, to }) => previewNights(context, await sites.get(site), nights, to),
    'schedule.set': ({ site, schedule }) => setSchedule(context, site, schedule),
    'schedule.runMissed': async ({ site }) => {
      // a locked store is told now, while the operator is there, and not as the job's failure
      await sites.connection(await sites.get(site))
      return { jobId: await runMissed(context, site) }
    },
    'schedule.runDue': async () => ({ nights: await runDue(context) }),
  }
}
