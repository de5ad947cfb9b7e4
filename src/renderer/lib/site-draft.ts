import {
  type DumpEngine,
  type RotationChoice,
  type Schedule,
  type SiteInput,
  type SiteView,
  scheduleSchema,
  siteInputSchema,
} from '#shared/model/site.ts'

/** A site's settings as the form holds them: all text, nothing missing. */
export interface SiteDraft {
  name: string
  label: string
  host: string
  port: string
  database: string
  schema: string
  user: string
  password: string
  tls: 'disable' | 'require' | 'verify-full'
  server: 'none' | 'folder'
  siteDir: string
  filesDir: string
  securityDir: string
  backupDir: string
  vaultPath: string
  encrypt: boolean
  encryptionPassword: string
  storedIn: string
  rotation: RotationChoice
  nights: boolean
  /** UTC, `HH:MM`. */
  nightsAt: string
  nightsTo: Schedule['to']
  nightsDatabaseOnly: boolean
  proofMinutes: string
  dumpEngine: DumpEngine
  compression: string
}

export const EMPTY_DRAFT: SiteDraft = {
  name: '',
  label: '',
  host: 'localhost',
  port: '5432',
  database: '',
  schema: '',
  user: '',
  password: '',
  tls: 'disable',
  server: 'none',
  siteDir: '',
  filesDir: '',
  securityDir: '',
  backupDir: '',
  vaultPath: '',
  encrypt: false,
  encryptionPassword: '',
  storedIn: '',
  rotation: 'auto',
  nights: false,
  nightsAt: '03:00',
  nightsTo: 'vault',
  nightsDatabaseOnly: false,
  proofMinutes: '20',
  dumpEngine: 'auto',
  compression: '7',
}

/** Passwords are never in it: the window does not get them back. */
export function draftOf({ site }: SiteView): SiteDraft {
  const { database, server, schedule, dump } = site
  return {
    ...EMPTY_DRAFT,
    name: site.name,
    label: site.label ?? '',
    host: database.host,
    port: String(database.port),
    database: database.database,
    schema: database.schema,
    user: database.user,
    tls: database.tls,
    server: server ? 'folder' : 'none',
    siteDir: server?.siteDir ?? '',
    filesDir: server?.filesDir ?? '',
    securityDir: server?.securityDir ?? '',
    backupDir: server?.backupDir ?? '',
    vaultPath: site.vault?.path ?? '',
    encrypt: site.encryption?.enabled ?? false,
    storedIn: site.encryption?.storedIn ?? '',
    rotation: site.rotation,
    ...(schedule
      ? {
          nights: schedule.enabled,
          nightsAt: schedule.at,
          nightsTo: schedule.to,
          nightsDatabaseOnly: schedule.databaseOnly,
          proofMinutes: String(schedule.proofMinutes),
        }
      : {}),
    ...(dump ? { dumpEngine: dump.engine, compression: String(dump.compression) } : {}),
  }
}

/** The nights as they are typed; they are set by themselves, as the shell may have to ask. */
export function scheduleOf(draft: SiteDraft): Schedule {
  return {
    enabled: draft.nights,
    at: draft.nightsAt,
    to: draft.nightsTo,
    databaseOnly: draft.nightsDatabaseOnly,
    proofMinutes: draft.proofMinutes === '' ? Number.NaN : Number(draft.proofMinutes),
  }
}

/**
 * As the engine takes it; an empty password is left out, so that a stored one stays.
 * @param schedule the nights as they are set now: what is typed of them goes another way
 */
export function inputOf(draft: SiteDraft, schedule?: Schedule): SiteInput {
  return {
    name: draft.name,
    ...(draft.label === '' ? {} : { label: draft.label }),
    database: {
      host: draft.host,
      port: Number(draft.port),
      database: draft.database,
      schema: draft.schema,
      user: draft.user,
      tls: draft.tls,
      ...(draft.password === '' ? {} : { password: draft.password }),
    },
    ...(draft.server === 'none'
      ? {}
      : {
          server: {
            kind: 'folder' as const,
            siteDir: draft.siteDir,
            filesDir: draft.filesDir,
            securityDir: draft.securityDir,
            ...(draft.backupDir === '' ? {} : { backupDir: draft.backupDir }),
          },
        }),
    ...(draft.vaultPath === '' ? {} : { vault: { path: draft.vaultPath } }),
    encryption: {
      enabled: draft.encrypt,
      ...(draft.storedIn === '' ? {} : { storedIn: draft.storedIn }),
      ...(draft.encryptionPassword === '' ? {} : { password: draft.encryptionPassword }),
    },
    rotation: draft.rotation,
    ...(schedule ? { schedule } : {}),
    ...(draft.dumpEngine === EMPTY_DRAFT.dumpEngine && draft.compression === EMPTY_DRAFT.compression
      ? {}
      : { dump: { engine: draft.dumpEngine, compression: Number(draft.compression) } }),
  }
}

const FIELD_OF_PATH: Record<string, keyof SiteDraft> = {
  name: 'name',
  label: 'label',
  'database.host': 'host',
  'database.port': 'port',
  'database.database': 'database',
  'database.schema': 'schema',
  'database.user': 'user',
  'database.password': 'password',
  'server.siteDir': 'siteDir',
  'server.filesDir': 'filesDir',
  'server.securityDir': 'securityDir',
  'server.backupDir': 'backupDir',
  'vault.path': 'vaultPath',
  'encryption.password': 'encryptionPassword',
  'encryption.storedIn': 'storedIn',
}

const NEEDED: Partial<Record<keyof SiteDraft, string>> = {
  name: 'A name is needed: letters a-z, digits, - and _.',
  host: 'A host is needed.',
  port: 'A port is a number from 1 to 65535.',
  database: 'The name of the database is needed.',
  schema: 'The name of the schema is needed; usually it is the site’s name.',
  user: 'A user is needed.',
  siteDir: 'The site folder is needed.',
  filesDir: 'The files folder is needed.',
  securityDir: 'The security folder is needed.',
}

export type DraftErrors = Partial<Record<keyof SiteDraft, string>>

/** What is missing or wrong, by field; empty when it can be saved. */
export function draftErrors(draft: SiteDraft, hasEncryptionPassword: boolean): DraftErrors {
  const errors: DraftErrors = {}
  const parsed = siteInputSchema.safeParse(inputOf(draft))
  for (const issue of parsed.error?.issues ?? []) {
    const field = FIELD_OF_PATH[issue.path.join('.')]
    if (field) errors[field] ??= (draft[field] === '' || field === 'port' ? NEEDED[field] : undefined) ?? issue.message
  }
  const schedule = scheduleSchema.safeParse(scheduleOf(draft))
  for (const issue of schedule.error?.issues ?? []) {
    if (issue.path[0] === 'at') errors.nightsAt = 'A time is written HH:MM, 00:00 to 23:59 UTC.'
    if (issue.path[0] === 'proofMinutes') errors.proofMinutes = 'Minutes are a number from 0 to 480.'
  }
  if (draft.encrypt && draft.encryptionPassword === '' && !hasEncryptionPassword)
    errors.encryptionPassword = 'A password is needed to encrypt.'
  return errors
}

const FIELD_WORD: Record<keyof SiteDraft, string> = {
  name: 'name',
  label: 'label',
  host: 'host',
  port: 'port',
  database: 'database',
  schema: 'schema',
  user: 'user',
  password: 'database password',
  tls: 'TLS',
  server: 'server',
  siteDir: 'site folder',
  filesDir: 'files folder',
  securityDir: 'security folder',
  backupDir: 'backup folder',
  vaultPath: 'vault folder',
  encrypt: 'encryption',
  encryptionPassword: 'password',
  storedIn: 'where it is stored',
  rotation: 'rotation',
  nights: 'nights',
  nightsAt: 'time of the nights',
  nightsTo: 'target of the nights',
  nightsDatabaseOnly: 'parts of the nights',
  proofMinutes: 'minutes for proofs',
  dumpEngine: 'dump engine',
  compression: 'compression',
}

/** The changed fields in words: `encryption on`, `password`. */
export function changesOf(before: SiteDraft, after: SiteDraft): string[] {
  const fields = Object.keys(FIELD_WORD) as (keyof SiteDraft)[]
  return fields
    .filter((field) => before[field] !== after[field])
    .map((field) => {
      if (field === 'encrypt') return `encryption ${after.encrypt ? 'on' : 'off'}`
      return field === 'nights' ? `nights ${after.nights ? 'on' : 'off'}` : FIELD_WORD[field]
    })
}

/** True when what is typed of the nights is something else than before. */
export function nightsChanged(before: SiteDraft, after: SiteDraft): boolean {
  return JSON.stringify(scheduleOf(before)) !== JSON.stringify(scheduleOf(after))
}
