import { type SiteView, scheduleSchema, siteInputSchema } from '#shared/model/site.ts'
import { inputOf, type SiteDraft, scheduleOf } from './site-draft.ts'

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
  'database.caFile': 'databaseCaFile',
  'database.certificateFile': 'certificateFile',
  'database.keyFile': 'certificateKeyFile',
  'server.ssh.host': 'sshHost',
  'server.ssh.port': 'sshPort',
  'server.ssh.user': 'sshUser',
  'server.ssh.keyFile': 'sshKeyFile',
  'server.ssh.jumps': 'sshJumps',
  'sshSecrets.password': 'sshPassword',
  'sshSecrets.passphrase': 'sshPassphrase',
  'zotonic.command': 'zotonicCommand',
  'zotonic.runAs': 'zotonicRunAs',
  'filestore.endpoint': 'filestoreEndpoint',
  'filestore.region': 'filestoreRegion',
  'filestore.bucket': 'filestoreBucket',
  'filestore.prefix': 'filestorePrefix',
  'filestore.accessKeyId': 'filestoreAccessKey',
  'filestore.caFile': 'filestoreCaFile',
  filestoreSecret: 'filestoreSecret',
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
  sshHost: 'A host is needed.',
  sshPort: 'A port is a number from 1 to 65535.',
  filestoreRegion: 'A region is needed; servers other than AWS take us-east-1.',
  filestoreBucket: 'The name of the bucket is needed.',
  filestoreAccessKey: 'The access key is needed.',
}

/** Which secrets are there already, in the secret store or from looking at a server. */
export type StoredSecrets = Pick<SiteView, 'hasEncryptionPassword' | 'hasFilestoreSecret'>

export type DraftErrors = Partial<Record<keyof SiteDraft, string>>

/** What is missing or wrong, by field; empty when it can be saved. */
export function draftErrors(draft: SiteDraft, stored: StoredSecrets): DraftErrors {
  const errors: DraftErrors = {}
  const parsed = siteInputSchema.safeParse(inputOf(draft))
  for (const issue of parsed.error?.issues ?? []) {
    const field = FIELD_OF_PATH[issue.path.filter((step) => typeof step === 'string').join('.')]
    if (!field) continue
    const isPort = field === 'port' || field === 'sshPort'
    errors[field] ??= (draft[field] === '' || isPort ? NEEDED[field] : undefined) ?? issue.message
  }
  const schedule = scheduleSchema.safeParse(scheduleOf(draft))
  for (const issue of schedule.error?.issues ?? []) {
    if (issue.path[0] === 'at') errors.nightsAt = 'A time is written HH:MM, 00:00 to 23:59 UTC.'
    if (issue.path[0] === 'proofMinutes') errors.proofMinutes = 'Minutes are a number from 0 to 480.'
  }
  if (draft.server === 'ssh' && draft.sshAuth === 'key' && draft.sshKeyFile === '') errors.sshKeyFile = 'The key file is needed.'
  if (draft.filestore && draft.filestoreSecret === '' && !stored.hasFilestoreSecret)
    errors.filestoreSecret = 'The secret key is needed.'
  if (draft.encrypt && draft.encryptionPassword === '' && !stored.hasEncryptionPassword)
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
  databaseVia: 'way to the database',
  databaseCaFile: 'CA of the database',
  certificateFile: 'client certificate',
  certificateKeyFile: 'key of the certificate',
  sshHost: 'SSH host',
  sshPort: 'SSH port',
  sshUser: 'SSH user',
  sshAuth: 'log-in',
  sshKeyFile: 'key file',
  sshPassword: 'SSH password',
  sshPassphrase: 'passphrase of the key',
  sshJumps: 'jump hosts',
  zotonicCommand: 'Zotonic command',
  zotonicRunAs: 'user of the command',
  filestore: 'filestore',
  filestoreEndpoint: 'endpoint',
  filestoreRegion: 'region',
  filestoreBucket: 'bucket',
  filestorePrefix: 'prefix',
  filestoreAccessKey: 'access key',
  filestoreSecret: 'secret key',
  filestorePathStyle: 'path style',
  filestoreCaFile: 'CA of the filestore',
  discovery: 'what was found',
}

/** The changed fields in words: `encryption on`, `password`. */
export function changesOf(before: SiteDraft, after: SiteDraft): string[] {
  const fields = Object.keys(FIELD_WORD) as (keyof SiteDraft)[]
  return fields
    .filter((field) => before[field] !== after[field])
    .map((field) => {
      if (field === 'filestore') return `filestore ${after.filestore ? 'on' : 'off'}`
      if (field === 'encrypt') return `encryption ${after.encrypt ? 'on' : 'off'}`
      return field === 'nights' ? `nights ${after.nights ? 'on' : 'off'}` : FIELD_WORD[field]
    })
}
