import { connectPostgres } from '#engine/foundation/connections/postgres.ts'
import { databaseTunnel } from '#engine/foundation/connections/ssh/database-tunnel.ts'
import type { SshConnection, SshTarget } from '#engine/foundation/connections/ssh/types.ts'
import { readModuleConfig } from '#engine/foundation/connections/zotonic/module-config.ts'
import { type Settings, textSetting } from '#engine/foundation/connections/zotonic/printed-settings.ts'
import { openZotonic, type Zotonic } from '#engine/foundation/connections/zotonic/zotonic.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { JobContext } from '#engine/foundation/jobs/types.ts'
import { AppError, toAppError } from '#shared/errors.ts'
import { formatPlural } from '#shared/format.ts'
import type { ZotonicSite } from '#shared/model/server.ts'
import { SITE_NAME, type ZotonicSettings } from '#shared/model/site.ts'
import { findFolders, homeOf, type ServerPlaces } from './folders.ts'
import { type FoundDatabase, type FoundFilestore, readDatabase, readFilestore } from './found-settings.ts'
import type { Discovery } from './shelf.ts'

/** A site with many tables answers within this time, or the file store has to be given by hand. */
const CONFIG_MS = 10_000

/**
 * Looks at the sites of a server; changes nothing there. What can't be found of a site is named in its `missing`, and stops no other.
 * @throws AppError those of the connection, `zotonic-missing`, `zotonic-refused`, `sudo-refused`
 */
export async function discover(
  { ssh }: Pick<EngineContext, 'ssh'>,
  job: JobContext,
  target: SshTarget,
  settings: ZotonicSettings,
): Promise<Discovery> {
  const { signal } = job
  job.phase('Connecting', null, 'steps')
  const onStep = ({ finding }: { finding: string }) => job.log(finding)
  const connection = await ssh.connect(target, { signal, onStep })
  job.phase('Looking for Zotonic’s command', null, 'steps')
  const { zotonic, status } = await openAsRightUser(connection, settings, job)
  const { path, runAs } = zotonic
  job.log(`${zotonic.byHand('status')} lists ${formatPlural(status.sites.length, 'site')}.`)
  const server = await zotonic.serverConfig(signal).catch((error) => {
    signal.throwIfAborted()
    job.log(toAppError(error).message)
    return new Map() as Settings
  })
  const own = sub(server, 'zotonic')
  const places: ServerPlaces = {
    dataDir: textSetting(own, 'data_dir'),
    securityDir: textSetting(own, 'security_dir'),
    home: await homeOf(connection, runAs, signal),
    command: path,
  }
  const found: Discovery = {
    command: path,
    runAs,
    sites: [],
    secrets: { ssh: target.secrets, database: new Map(), filestore: new Map() },
  }
  const secrets = { database: new Map<string, string>(), filestore: new Map<string, string>() }
  job.phase('Looking at the sites', status.sites.length, 'steps')
  for (const { name, state } of status.sites) {
    signal.throwIfAborted()
    const site = await lookAtSite({ ssh, target, connection, zotonic, server, places, name, signal })
    const password = site.database?.password
    const secret = site.filestore?.secret
    if (password) secrets.database.set(name, password)
    if (secret) secrets.filestore.set(name, secret)
    found.sites.push({ ...site.seen, name, state })
    job.advance(1)
  }
  return { ...found, secrets: { ...found.secrets, ...secrets } }
}

/** Zotonic answers the user it runs as: when who logs in is another one, that is tried who owns the command. */
async function openAsRightUser(connection: SshConnection, settings: ZotonicSettings, job: JobContext) {
  const { signal } = job
  const zotonic = await openZotonic(connection, settings, signal)
  try {
    return { zotonic, status: await zotonic.status(signal) }
  } catch (error) {
    if (settings.runAs !== undefined || !(error instanceof AppError) || error.code !== 'zotonic-refused') throw error
    const { stdout } = await connection.run(['stat', '-L', '-c', '%U', '--', zotonic.path], { timeoutMs: 20_000, signal })
    const owner = stdout.trim()
    if (!/^[a-z_][a-z0-9_-]*$/.test(owner) || owner === 'root') throw error
    job.log(`It did not answer who logs in; trying it as ${owner}, who owns it.`)
    try {
      const asOwner = await openZotonic(connection, { ...settings, command: zotonic.path, runAs: owner }, signal)
      return { zotonic: asOwner, status: await asOwner.status(signal) }
    } catch (second) {
      job.log(toAppError(second).message)
      throw error
    }
  }
}

interface Seen {
  seen: Omit<ZotonicSite, 'name' | 'state'>
  database: FoundDatabase | null
  filestore: FoundFilestore | null
}

async function lookAtSite(look: {
  ssh: EngineContext['ssh']
  target: SshTarget
  connection: SshConnection
  zotonic: Zotonic
  server: Settings
  places: ServerPlaces
  name: string
  signal: AbortSignal
}): Promise<Seen> {
  const { ssh, target, connection, zotonic, server, places, name, signal } = look
  const missing: string[] = []
  const orMissing = async <T>(what: string, action: Promise<T>): Promise<T | null> => {
    try {
      return await action
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof AppError && error.code === 'connection-lost') throw error
      missing.push(`${what} (${toAppError(error).message})`)
      return null
    }
  }
  if (!SITE_NAME.test(name)) missing.push('A name: this program takes a-z, 0-9, - and _ only, with a letter first.')
  const config = (await orMissing('Its settings.', zotonic.siteConfig(name, signal))) ?? (new Map() as Settings)
  const siteDir = await orMissing('The site’s folder.', zotonic.siteDir(name, signal))
  const folders = await orMissing('Its folders.', findFolders(connection.files, name, siteDir, places))
  const closed = folders && folders.closed.length > 0 ? ` Who logs in may not look into ${folders.closed.join(', ')}.` : ''
  if (folders && folders.filesDir === null) missing.push(`The files folder, which holds archive and backup.${closed}`)
  if (folders && folders.securityDir === null) missing.push(`The security folder.${closed}`)
  const database = readDatabase(config)
  if (!database) missing.push('The database: its settings name none.')
  else if (database.password === null) missing.push(`The password of the database user ${database.settings.user}.`)
  const own = database ? await orMissing('Its file store, if it has one.', ownFilestore(ssh, target, database, signal)) : null
  const filestore = readFilestore(name, own ?? new Map(), sub(server, 'zotonic_mod_filestore'))
  if (typeof filestore === 'string') missing.push(filestore)
  const bucket = typeof filestore === 'string' ? null : filestore
  if (bucket && bucket.secret === null) missing.push(`The secret key of its file store, the bucket ${bucket.settings.bucket}.`)
  return {
    database,
    filestore: bucket,
    seen: {
      environment: textSetting(config, 'environment') ?? textSetting(sub(server, 'zotonic'), 'environment'),
      hostname: textSetting(config, 'hostname'),
      found: {
        ...(database ? { database: database.settings } : {}),
        ...(bucket ? { filestore: bucket.settings } : {}),
        ...(siteDir === null ? {} : { siteDir }),
        ...(folders?.filesDir ? { filesDir: folders.filesDir } : {}),
        ...(folders?.securityDir ? { securityDir: folders.securityDir } : {}),
      },
      hasDatabasePassword: database?.password != null,
      hasFilestoreSecret: bucket?.secret != null,
      missing,
    },
  }
}

/** What a site's own database says of its file store: the site's admin writes it there. */
async function ownFilestore(ssh: EngineContext['ssh'], target: SshTarget, found: FoundDatabase, signal: AbortSignal) {
  const { settings, password } = found
  const { host, port, database, user, tls, schema } = settings
  const client = await connectPostgres(
    { host, port, database, user, tls, tunnel: databaseTunnel(ssh, target, { host, port }), ...(password ? { password } : {}) },
    signal,
    { statementMs: CONFIG_MS },
  )
  try {
    return await readModuleConfig(client, schema, 'mod_filestore')
  } finally {
    await client.end().catch(() => {})
  }
}

function sub(settings: Settings, key: string): Settings {
  const found = settings.get(key)
  return found instanceof Map ? found : new Map()
}
