import type { DumpEngine, RotationChoice, Schedule, SiteInput, SiteView, SshSettings } from '#shared/model/site.ts'

type SshInput = Extract<NonNullable<SiteInput['server']>, { kind: 'ssh' }>['ssh']

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
  databaseVia: 'direct' | 'ssh'
  databaseCaFile: string
  certificateFile: string
  certificateKeyFile: string
  server: 'none' | 'folder' | 'ssh'
  sshHost: string
  sshPort: string
  sshUser: string
  sshAuth: SshSettings['auth']
  sshKeyFile: string
  sshPassword: string
  sshPassphrase: string
  /** `[USER@]HOST[:PORT]`, apart by spaces or commas. */
  sshJumps: string
  zotonicCommand: string
  zotonicRunAs: string
  siteDir: string
  filesDir: string
  securityDir: string
  backupDir: string
  vaultPath: string
  filestore: boolean
  filestoreEndpoint: string
  filestoreRegion: string
  filestoreBucket: string
  filestorePrefix: string
  filestoreAccessKey: string
  filestoreSecret: string
  filestorePathStyle: boolean
  filestoreCaFile: string
  /** Of looking at a server: what it found and may not be shown stays in the engine. */
  discovery: string
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
  databaseVia: 'direct',
  databaseCaFile: '',
  certificateFile: '',
  certificateKeyFile: '',
  server: 'none',
  sshHost: '',
  sshPort: '',
  sshUser: '',
  sshAuth: 'auto',
  sshKeyFile: '',
  sshPassword: '',
  sshPassphrase: '',
  sshJumps: '',
  zotonicCommand: '',
  zotonicRunAs: '',
  siteDir: '',
  filesDir: '',
  securityDir: '',
  backupDir: '',
  vaultPath: '',
  filestore: false,
  filestoreEndpoint: '',
  filestoreRegion: 'us-east-1',
  filestoreBucket: '',
  filestorePrefix: '',
  filestoreAccessKey: '',
  filestoreSecret: '',
  filestorePathStyle: true,
  filestoreCaFile: '',
  discovery: '',
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
  const { database, server, zotonic, filestore, schedule, dump } = site
  return {
    ...EMPTY_DRAFT,
    name: site.name,
    label: site.label ?? '',
    ...databaseDraft(database),
    server: server?.kind ?? 'none',
    ...(server?.kind === 'ssh' ? sshDraft(server.ssh) : {}),
    zotonicCommand: zotonic?.command ?? '',
    zotonicRunAs: zotonic?.runAs ?? '',
    siteDir: server?.siteDir ?? '',
    filesDir: server?.filesDir ?? '',
    securityDir: server?.securityDir ?? '',
    backupDir: server?.backupDir ?? '',
    vaultPath: site.vault?.path ?? '',
    ...(filestore ? filestoreDraft(filestore) : {}),
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

export function databaseDraft(database: Partial<SiteView['site']['database']>): Partial<SiteDraft> {
  const { host, port, caFile, certificateFile, keyFile } = database
  return {
    host: host ?? EMPTY_DRAFT.host,
    port: String(port ?? EMPTY_DRAFT.port),
    database: database.database ?? '',
    schema: database.schema ?? '',
    user: database.user ?? '',
    tls: database.tls ?? EMPTY_DRAFT.tls,
    databaseVia: database.via ?? EMPTY_DRAFT.databaseVia,
    databaseCaFile: caFile ?? '',
    certificateFile: certificateFile ?? '',
    certificateKeyFile: keyFile ?? '',
  }
}

function sshDraft({ host, port, user, auth, keyFile, jumps }: SshSettings): Partial<SiteDraft> {
  return {
    sshHost: host,
    sshPort: port === undefined ? '' : String(port),
    sshUser: user ?? '',
    sshAuth: auth,
    sshKeyFile: keyFile ?? '',
    sshJumps: jumps?.join(', ') ?? '',
  }
}

export function filestoreDraft(filestore: NonNullable<SiteView['site']['filestore']>): Partial<SiteDraft> {
  return {
    filestore: true,
    filestoreEndpoint: filestore.endpoint ?? '',
    filestoreRegion: filestore.region,
    filestoreBucket: filestore.bucket,
    filestorePrefix: filestore.prefix,
    filestoreAccessKey: filestore.accessKeyId,
    filestorePathStyle: filestore.pathStyle,
    filestoreCaFile: filestore.caFile ?? '',
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
  const { discovery, sshPassword, sshPassphrase, filestoreSecret } = draft
  return {
    name: draft.name,
    ...given({ label: draft.label }),
    database: {
      host: draft.host,
      port: Number(draft.port),
      database: draft.database,
      schema: draft.schema,
      user: draft.user,
      tls: draft.tls,
      // without a connection to go through it is reached directly
      via: draft.server === 'ssh' ? draft.databaseVia : 'direct',
      ...(draft.tls === 'disable'
        ? {}
        : given({
            caFile: draft.databaseCaFile,
            certificateFile: draft.certificateFile,
            keyFile: draft.certificateKeyFile,
          })),
      ...given({ password: draft.password }),
    },
    ...serverInput(draft),
    ...(draft.filestore ? { filestore: filestoreInput(draft) } : {}),
    ...given({ discovery }),
    ...(draft.filestore ? given({ filestoreSecret }) : {}),
    ...(draft.server === 'ssh' && (sshPassword !== '' || sshPassphrase !== '')
      ? { sshSecrets: given({ password: sshPassword, passphrase: sshPassphrase }) }
      : {}),
    ...(draft.vaultPath === '' ? {} : { vault: { path: draft.vaultPath } }),
    encryption: {
      enabled: draft.encrypt,
      ...given({ storedIn: draft.storedIn, password: draft.encryptionPassword }),
    },
    rotation: draft.rotation,
    ...(schedule ? { schedule } : {}),
    ...(draft.dumpEngine === EMPTY_DRAFT.dumpEngine && draft.compression === EMPTY_DRAFT.compression
      ? {}
      : { dump: { engine: draft.dumpEngine, compression: Number(draft.compression) } }),
  }
}

function serverInput(draft: SiteDraft): Pick<SiteInput, 'server' | 'zotonic'> {
  if (draft.server === 'none') return {}
  const folders = {
    siteDir: draft.siteDir,
    filesDir: draft.filesDir,
    securityDir: draft.securityDir,
    ...given({ backupDir: draft.backupDir }),
  }
  if (draft.server === 'folder') return { server: { kind: 'folder', ...folders } }
  const zotonic = zotonicInput(draft)
  return { server: { kind: 'ssh', ssh: sshInput(draft), ...folders }, ...(Object.keys(zotonic).length > 0 ? { zotonic } : {}) }
}

/** How the server is reached, as it is typed. */
export function sshInput(draft: SiteDraft): SshInput {
  const jumps = draft.sshJumps.split(/[\s,]+/).filter((jump) => jump !== '')
  return {
    host: draft.sshHost,
    auth: draft.sshAuth,
    ...(draft.sshPort === '' ? {} : { port: Number(draft.sshPort) }),
    ...given({ user: draft.sshUser }),
    ...(draft.sshAuth === 'key' ? given({ keyFile: draft.sshKeyFile }) : {}),
    ...(jumps.length > 0 ? { jumps } : {}),
  }
}

export function zotonicInput(draft: SiteDraft): NonNullable<SiteInput['zotonic']> {
  return given({ command: draft.zotonicCommand, runAs: draft.zotonicRunAs })
}

function filestoreInput(draft: SiteDraft): NonNullable<SiteInput['filestore']> {
  return {
    ...given({ endpoint: draft.filestoreEndpoint, caFile: draft.filestoreCaFile }),
    region: draft.filestoreRegion,
    bucket: draft.filestoreBucket,
    prefix: draft.filestorePrefix.replace(/^\/+|\/+$/g, ''),
    accessKeyId: draft.filestoreAccessKey,
    pathStyle: draft.filestorePathStyle,
  }
}

/** What was typed; an empty field is left out. */
function given<K extends string>(fields: Record<K, string>): Partial<Record<K, string>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== '')) as Partial<Record<K, string>>
}

/** True when what is typed of the nights is something else than before. */
export function nightsChanged(before: SiteDraft, after: SiteDraft): boolean {
  return JSON.stringify(scheduleOf(before)) !== JSON.stringify(scheduleOf(after))
}
