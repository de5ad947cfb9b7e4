import type { EngineContext } from '#engine/foundation/context.ts'
import type { Handlers } from '#engine/router.ts'
import type { jobs as area } from '#shared/contract/jobs.ts'

export function jobsProcedures({ jobs }: EngineContext): Handlers<typeof area> {
  return {
    'jobs.list': async ({ site, limit }) => ({ jobs: await jobs.list({ limit, ...(site === undefined ? {} : { site }) }) }),
    'jobs.show': ({ id }) => jobs.show(id),
    'jobs.cancel': async ({ id }) => ({ asked: await jobs.cancel(id) }),
    'jobs.markSeen': async ({ id }) => {
      await jobs.markSeen(id)
      return {}
    },
  }
}
