import type { EngineContext } from '#engine/foundation/context.ts'
import type { Handlers } from '#engine/router.ts'
import type { secrets as area } from '#shared/contract/secrets.ts'

export function secretsProcedures({ secrets }: EngineContext): Handlers<typeof area> {
  return {
    'secrets.state': () => secrets.state(),
    'secrets.unlock': async ({ passphrase }) => {
      await secrets.unlock(passphrase)
      return secrets.state()
    },
    'secrets.setPassphrase': async ({ passphrase }) => {
      await secrets.setPassphrase(passphrase)
      return secrets.state()
    },
    'secrets.lock': async () => {
      await secrets.lock()
      return secrets.state()
    },
  }
}
