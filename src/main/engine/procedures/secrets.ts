import { generatePassword } from '#engine/features/encryption/index.ts'
import { testPassword } from '#engine/features/password-test/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { Handlers } from '#engine/router.ts'
import type { secrets as area } from '#shared/contract/secrets.ts'

export function secretsProcedures(context: EngineContext): Handlers<typeof area> {
  const { secrets } = context
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
    'secrets.generatePassword': async () => ({ password: generatePassword() }),
    'secrets.testPassword': ({ site, password }) => testPassword(context, site, password),
  }
}
