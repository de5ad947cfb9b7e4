import { z } from 'zod'
import { repositoryNameSchema } from '../model/backup.ts'
import { siteNameSchema } from '../model/site.ts'
import { defineProcedure } from './define.ts'

/** How the secret store stands. `none`: nothing stored yet. */
export const secretStoreStateSchema = z.object({
  state: z.enum(['none', 'locked', 'unlocked']),
  hasPassphrase: z.boolean(),
  hasKeyring: z.boolean(),
  /** True when this session could keep the key in the system keyring. */
  keyringAvailable: z.boolean(),
})

/** A password tried on one file, by its two ends. */
export const passwordTrialSchema = z.object({
  repository: repositoryNameSchema,
  name: z.string(),
  timestamp: z.string(),
  file: z.string(),
  /** `opens-with-older`: the site's present password does not fit, one that was kept for older files does. */
  outcome: z.enum(['opens', 'opens-with-older', 'does-not-open', 'unreadable']),
  /** One plain sentence. */
  finding: z.string(),
})

export const passwordTestSchema = z.object({
  /** The least good outcome; `nothing-to-open`: there is no encrypted backup, so nothing is known. */
  verdict: z.enum(['opens', 'opens-with-older', 'does-not-open', 'unreadable', 'nothing-to-open']),
  /** The newest encrypted backup of each repository that has one. */
  trials: z.array(passwordTrialSchema),
  /** Repositories that could not be looked at, with the reason. */
  problems: z.array(z.object({ repository: z.string(), message: z.string(), hint: z.string() })),
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
  /** A new password of 140 random bits for a site's backups. It is kept nowhere: it counts once the site is saved with it. */
  'secrets.generatePassword': defineProcedure({
    input: z.strictObject({}),
    output: z.object({ password: z.string() }),
    effect: 'read',
  }),
  /** Tries the stored passwords of a site, or the given one, on its newest encrypted backups. */
  'secrets.testPassword': defineProcedure({
    input: z.strictObject({ site: siteNameSchema, password: z.string().min(1).max(1024).optional() }),
    output: passwordTestSchema,
    effect: 'read',
  }),
}

export type PasswordTest = z.infer<typeof passwordTestSchema>
export type PasswordTrial = z.infer<typeof passwordTrialSchema>
export type SecretStoreState = z.infer<typeof secretStoreStateSchema>
