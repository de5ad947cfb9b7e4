import { z } from 'zod'
import { defineProcedure } from './define.ts'

/** How the secret store stands. `none`: nothing stored yet. */
export const secretStoreStateSchema = z.object({
  state: z.enum(['none', 'locked', 'unlocked']),
  hasPassphrase: z.boolean(),
  hasKeyring: z.boolean(),
  /** True when this session could keep the key in the system keyring. */
  keyringAvailable: z.boolean(),
})

const passphrase = z.string().min(1).max(1024)

export const secrets = {
  'secrets.state': defineProcedure({ input: z.strictObject({}), output: secretStoreStateSchema, effect: 'read' }),
  /** Creates the store with a passphrase, or opens it. */
  'secrets.unlock': defineProcedure({ input: z.strictObject({ passphrase }), output: secretStoreStateSchema, effect: 'local' }),
  /** Sets or changes the passphrase of an open store ("Allow the terminal"). */
  'secrets.setPassphrase': defineProcedure({
    input: z.strictObject({ passphrase }),
    output: secretStoreStateSchema,
    effect: 'local',
  }),
  'secrets.lock': defineProcedure({ input: z.strictObject({}), output: secretStoreStateSchema, effect: 'local' }),
}

export type SecretStoreState = z.infer<typeof secretStoreStateSchema>
