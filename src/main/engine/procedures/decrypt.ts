import type { decrypt } from '#shared/contract/decrypt.ts'
import { openDecryptRuns } from '../features/encryption/index.ts'
import type { EngineContext } from '../foundation/context.ts'
import type { Handlers } from '../router.ts'

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
