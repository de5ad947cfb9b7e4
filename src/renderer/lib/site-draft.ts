import { type RotationChoice, type SiteInput, type SiteView, siteInputSchema } from '#shared/model/site.ts'

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
  rotation: RotationChoice
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
  rotation: 'auto',
}

/** Passwords are never in it: the window does not get them back. */
export function draftOf({ site }: SiteView): SiteDraft {
  const { database, server } = site
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
    rotation: site.rotation,
  }
}

/** As the engine takes it; an empty password is left out, so that a stored one stays. */
export function inputOf(draft: SiteDraft): SiteInput {
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
    encryption: { enabled: draft.encrypt, ...(draft.encryptionPassword === '' ? {} : { password: draft.encryptionPassword }) },
    rotation: draft.rotation,
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
  rotation: 'rotation',
}

/** The changed fields in words: `encryption on`, `password`. */
export function changesOf(before: SiteDraft, after: SiteDraft): string[] {
  const fields = Object.keys(FIELD_WORD) as (keyof SiteDraft)[]
  return fields
    .filter((field) => before[field] !== after[field])
    .map((field) => (field === 'encrypt' ? `encryption ${after.encrypt ? 'on' : 'off'}` : FIELD_WORD[field]))
}
