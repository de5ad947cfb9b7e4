import { z } from 'zod'

export const SITE_NAME = /^[a-z][a-z0-9_-]{0,62}$/

export const siteNameSchema = z
  .string()
  .regex(SITE_NAME, 'A site name starts with a letter and has letters a-z, digits, - and _ (63 at most)')

/** A path that the operator gave: absolute, bounded, no NUL. */
const pathSchema = z
  .string()
  .min(1)
  .max(4096)
  .refine((path) => !path.includes('\0'), 'A path has no NUL')

const databaseShape = {
  host: z.string().min(1).max(255).default('localhost'),
  port: z.int().min(1).max(65535).default(5432),
  database: z.string().min(1).max(63),
  schema: z.string().min(1).max(63),
  user: z.string().min(1).max(63),
  tls: z.enum(['disable', 'require', 'verify-full']).default('disable'),
}

/** A server that is a folder on this computer; `ssh` is another kind to come. */
export const serverSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('folder'),
    siteDir: pathSchema,
    filesDir: pathSchema,
    securityDir: pathSchema,
    /** Default: `backup` in filesDir. */
    backupDir: pathSchema.optional(),
  }),
])

export const rotationChoiceSchema = z.enum(['auto', 'manual', 'server'])

/** When the app backs a site up by itself. Times are UTC. Source: docs/formats.md, "When the server makes one". */
export const scheduleSchema = z.strictObject({
  enabled: z.boolean(),
  /** From this time of the UTC day on, `HH:MM`. */
  at: z
    .string()
    .regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, 'A time is written HH:MM, 00:00 to 23:59 UTC')
    .default('03:00'),
  /** Into the vault, or into the server's folder (confirmed once, when it is set). */
  to: z.enum(['vault', 'server']).default('vault'),
  databaseOnly: z.boolean().default(false),
  /** Minutes of each night for proving backups, the one that was verified longest ago first; 0: none. */
  proofMinutes: z.int().min(0).max(480).default(20),
})

export const dumpEngineSchema = z.enum(['auto', 'built-in', 'pg_dump'])

/** gzip level of all parts; the server's own is 7. */
export const compressionSchema = z.int().min(1).max(9)

/** How backups are made. `auto`: see docs/architecture.md, "Two dump engines". */
export const dumpSettingsSchema = z.strictObject({
  engine: dumpEngineSchema.default('auto'),
  compression: compressionSchema.default(7),
})

const encryptionShape = {
  enabled: z.boolean(),
  /** Where the operator keeps the password, in the operator’s words: "1Password, vault Operations". */
  storedIn: z.string().max(200).optional(),
}

/** A site as it is kept in `sites/NAME.json`: no secrets. INTERFACES: site.json, version 1. */
export const siteSchema = z.strictObject({
  version: z.literal(1).default(1),
  name: siteNameSchema,
  label: z.string().max(200).optional(),
  database: z.strictObject(databaseShape),
  server: serverSchema.optional(),
  vault: z.strictObject({ path: pathSchema.optional() }).optional(),
  encryption: z.strictObject(encryptionShape).optional(),
  rotation: rotationChoiceSchema.default('auto'),
  schedule: scheduleSchema.optional(),
  dump: dumpSettingsSchema.optional(),
})

/** A site as an operator hands it in: the same, with the secrets that go to the secret store. */
export const siteInputSchema = z.strictObject({
  ...siteSchema.shape,
  database: z.strictObject({ ...databaseShape, password: z.string().max(1024).optional() }),
  encryption: z.strictObject({ ...encryptionShape, password: z.string().min(1).max(1024).optional() }).optional(),
})

/** A site as the window and `zbd sites show` see it: which secrets are stored, never their value. */
export const siteViewSchema = z.object({
  site: siteSchema,
  vaultPath: z.string(),
  hasDatabasePassword: z.boolean(),
  hasEncryptionPassword: z.boolean(),
  isDemo: z.boolean(),
})

export type Site = z.infer<typeof siteSchema>
export type SiteInput = z.input<typeof siteInputSchema>
export type SiteView = z.infer<typeof siteViewSchema>
export type Schedule = z.infer<typeof scheduleSchema>
export type DumpEngine = z.infer<typeof dumpEngineSchema>
export type RotationChoice = z.infer<typeof rotationChoiceSchema>
