import type { EngineContext } from '#engine/foundation/context.ts'
import type { Handlers } from '#engine/router.ts'
import type { schedule as area } from '#shared/contract/schedule.ts'
import { beingBuilt } from './being-built.ts'

export function scheduleProcedures(_context: EngineContext): Handlers<typeof area> {
  return {
    'schedule.list': beingBuilt,
    'schedule.preview': beingBuilt,
    'schedule.set': beingBuilt,
    'schedule.runMissed': beingBuilt,
  }
}
