import { openDecryptRuns } from '#engine/features/encryption/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { Handlers } from '#engine/router.ts'
import type { decrypt } from '#shared/contract/decrypt.ts'

export function decryptProcedures(context: EngineContext): Handlers<typeof decrypt> {
  const runs = openDecryptRuns(context)
  return {
    'decrypt.start': async (request) => ({ jobId: await runs.start(request) }),
    'decrypt.tryPassword': async ({ jobId, item, password, rememberFor }) => ({
      accepted: await runs.tryPassword(jobId, item, password, rememberFor),
    }),
    'decrypt.skip': async ({ jobId, item }) => {
      runs.skip(jobId, item)
      return {}
    },
    'decrypt.look': async ({ files }) => ({ files: await runs.look(files) }),
  }
}
