import type { EngineContext } from '#engine/foundation/context.ts'
import type { Handlers } from '#engine/router.ts'
import type { transfer as area } from '#shared/contract/transfer.ts'
import { beingBuilt } from './being-built.ts'

export function transferProcedures(_context: EngineContext): Handlers<typeof area> {
  return { 'transfer.plan': beingBuilt, 'transfer.getPlan': beingBuilt, 'transfer.run': beingBuilt }
}
