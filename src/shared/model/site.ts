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

const hostSchema = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[^\s@]+$/, 'A host is a name or an address')

const databaseShape = {
  /** A name or an address, or the folder of its Unix socket; with `via: 'ssh'` as the server sees it. */
  host: hostSchema.default('localhost'),
  port: z.int().min(1).max(65535).default(5432),
  database: z.string().min(1).max(63),
  schema: z.string().min(1).max(63),
  user: z.string().min(1).max(63),
  tls: z.enum(['disable', 'require', 'verify-full']).default('disable'),
  /** `ssh`: through the connection of the server, which must be of the kind `ssh`. */
  via: z.enum(['direct', 'ssh']).default('direct'),
  /** PEM files on this computer: authorities to trust, and a certificate with its key to log in with. */
  caFile: pathSchema.optional(),
  certificateFile: pathSchema.optional(),
  keyFile: pathSchema.optional(),
}

const serverFolders = {
  siteDir: pathSchema,
  filesDir: pathSchema,
  securityDir: pathSchema,
  /** Default: `backup` in filesDir. */
  backupDir: pathSchema.optional(),
}

/** How to reach a machine by SSH. What is left out comes from `~/.ssh/config`, then from SSH's own defaults. */
export const sshSchema = z.strictObject({
  /** A name, an address, or an alias of `~/.ssh/config`. */
  host: hostSchema,
  port: z.int().min(1).max(65535).optional(),
  user: z.string().min(1).max(64).optional(),
  /** `auto`: the agent, then the key files of `~/.ssh/config` and the usual ones, then the stored password. */
  auth: z.enum(['auto', 'agent', 'key', 'password']).default('auto'),
  keyFile: pathSchema.optional(),
  /** Hosts to go through, the nearest first: `[USER@]HOST[:PORT]`. */
  jumps: z
    .array(
      z
        .string()
        .max(400)
        .regex(/^(?:[^\s@]+@)?(?:\[[0-9a-fA-F:.]+\]|[^\s@:[\]]+)(?::\d{1,5})?$/, 'A jump host is written [USER@]HOST[:PORT]'),
    )
    .max(4)
    .optional(),
})

/** Zotonic's own command on the server. */
export const zotonicSchema = z.strictObject({
  /** Its path; default: looked for. */
  command: pathSchema.optional(),
  /** The user that it runs as, by `sudo -n -u`; default: who logs in. */
  runAs: z
    .string()
    .max(64)
    .regex(/^[a-z_][a-z0-9_-]*\$?$/, 'A user name of the server')
    .optional(),
})

/** A folder on this computer that stands for a server, or a machine that is reached by SSH; the folders are those there. */
export const serverSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('folder'), ...serverFolders }),
  z.strictObject({ kind: z.literal('ssh'), ssh: sshSchema, ...serverFolders }),
])

/** An S3-compatible bucket: media in `archive/`, backups in `backup/` below the prefix. */
export const filestoreSchema = z.strictObject({
  /** `https://s3.example.org`; default: AWS, by the region. */
  endpoint: z
    .url({ protocol: /^https?$/ })
    .max(1000)
    .optional(),
  region: z.string().min(1).max(64).default('us-east-1'),
  bucket: z.string().min(1).max(255),
  /** Without slashes at its ends; empty: the bucket's root. */
  prefix: z
    .string()
    .max(500)
    .regex(/^(?:[^/]+(?:\/[^/]+)*)?$/, 'A prefix has no slash at its ends')
    .default(''),
  /** The bucket in the path, not in the host's name. */
  pathStyle: z.boolean().default(true),
  accessKeyId: z.string().min(1).max(256),
  /** PEM file on this computer with the authorities to trust. */
  caFile: pathSchema.optional(),
})

export const rotationChoiceSchema = z.enum(['auto', 'manual', 'server'])

/** When the app backs a site up by itself. Times are UTC. Source: docs/formats.md, "When the server makes one". */
export const scheduleSchema = z.strictObject({
  enabled: z.boolean(),
  /** From this time of the UTC day on, `HH:MM`. */
  at: z
    .string()
    .regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, 'A time is written HH:MM, 00:00 to 23:59 UTC')
    .default('03:00'),
  /** Into the vault, or into the server's backup folder or the filestore (confirmed once, when it is set). */
  to: z.enum(['vault', 'server', 'filestore']).default('vault'),
  databaseOnly: z.boolean().default(false),
  /** Minutes of each night for proving backups, the one that was verified longest ago first; 0: none. */
  proofMinutes: z.int().min(0).max(480).default(20),
})

/** `server`: the pg_dump of the site's server, over SSH. */
export const dumpEngineSchema = z.enum(['auto', 'built-in', 'pg_dump', 'server'])

/** gzip level of all parts; the server's own is 7. */
export const compressionSchema = z.int().min(1).max(9)

/** How backups are made. `auto`: see docs/architecture.md, "Three ways to dump". */
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
  zotonic: zotonicSchema.optional(),
  filestore: filestoreSchema.optional(),
  vault: z.strictObject({ path: pathSchema.optional() }).optional(),
  encryption: z.strictObject(encryptionShape).optional(),
  rotation: rotationChoiceSchema.default('auto'),
  schedule: scheduleSchema.optional(),
  dump: dumpSettingsSchema.optional(),
})

const secretSchema = z.string().max(1024).optional()

/** The secrets of an SSH connection: of the log-in (also at jump hosts that ask for one), and of the key file. */
export const sshSecretsSchema = z.strictObject({ password: secretSchema, passphrase: secretSchema })

/** A site as an operator hands it in: the same, with the secrets that go to the secret store. */
export const siteInputSchema = z.strictObject({
  ...siteSchema.shape,
  /** What looking at a server found stays in the engine, secrets included: they are taken from there when left out here. */
  discovery: z.string().max(64).optional(),
  sshSecrets: sshSecretsSchema.optional(),
  filestoreSecret: secretSchema,
  database: z.strictObject({ ...databaseShape, password: z.string().max(1024).optional() }),
  encryption: z.strictObject({ ...encryptionShape, password: z.string().min(1).max(1024).optional() }).optional(),
})

/** A site as the window and `zbd sites show` see it: which secrets are stored, never their value. */
export const siteViewSchema = z.object({
  site: siteSchema,
  vaultPath: z.string(),
  hasDatabasePassword: z.boolean(),
  hasEncryptionPassword: z.boolean(),
  hasSshPassword: z.boolean(),
  hasSshPassphrase: z.boolean(),
  hasFilestoreSecret: z.boolean(),
  isDemo: z.boolean(),
})

export type Site = z.infer<typeof siteSchema>
export type SiteInput = z.input<typeof siteInputSchema>
export type SiteView = z.infer<typeof siteViewSchema>
export type Server = z.infer<typeof serverSchema>
export type FolderServer = Extract<Server, { kind: 'folder' }>
export type SshServer = Extract<Server, { kind: 'ssh' }>
export type SshSettings = z.infer<typeof sshSchema>
export type SshSecrets = z.infer<typeof sshSecretsSchema>
export type FilestoreSettings = z.infer<typeof filestoreSchema>
export type ZotonicSettings = z.infer<typeof zotonicSchema>
export type Schedule = z.infer<typeof scheduleSchema>
export type DumpEngine = z.infer<typeof dumpEngineSchema>
export type RotationChoice = z.infer<typeof rotationChoiceSchema>

/** Whether a repository of a site is reached over a network. */
export function isRemote({ server }: Pick<Site, 'server'>, repository: 'vault' | 'server' | 'filestore'): boolean {
  return repository === 'filestore' || (repository === 'server' && server?.kind === 'ssh')
}

/** The server when its folders are on this computer; null: there is none, or it is another machine. */
export function localServer({ server }: Pick<Site, 'server'>): FolderServer | null {
  return server?.kind === 'folder' ? server : null
}
