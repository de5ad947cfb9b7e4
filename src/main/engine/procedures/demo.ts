import { demoState, removeDemo, resetDemo, startDemo, stopDemo } from '#engine/features/demo/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { Handlers } from '#engine/router.ts'
import type { demo as area } from '#shared/contract/demo.ts'

export function demoProcedures(context: EngineContext): Handlers<typeof area> {
  return {
    'demo.state': () => demoState(context),
    'demo.start': async () => ({ jobId: startDemo(context).id }),
    'demo.stop': async () => ({ jobId: stopDemo(context).id }),
    'demo.reset': async () => ({ jobId: (await resetDemo(context))?.id ?? null }),
    'demo.remove': async () => ({ jobId: (await removeDemo(context))?.id ?? null }),
  }
}
