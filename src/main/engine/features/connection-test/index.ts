import { join } from 'node:path'
import type { EngineContext } from '#engine/foundation/context.ts'
import { databaseConnection } from '#engine/foundation/settings/database-connection.ts'
import type { HostKey } from '#shared/contract/servers.ts'
import type { ConnectionCheck } from '#shared/contract/sites.ts'
import { type SiteInput, type SshSecrets, siteInputSchema } from '#shared/model/site.ts'
import { testDatabase } from './database.ts'
import { testFolderServer, testVault } from './folder-server.ts'
import { testSshServer } from './ssh-server.ts'
import { failed, Steps } from './steps.ts'
import { testZotonic } from './zotonic.ts'

type Context = Pick<EngineContext, 'ssh' | 'secrets' | 'home'>
type GivenSite = ReturnType<typeof siteInputSchema.parse>

export interface ConnectionTest {
  checks: ConnectionCheck[]
  /** The SSH host whose key must be accepted first. */
  unknownHost: HostKey | null
}

/**
 * Tries every connection of a site step by step. What it writes, to see whether it may, it removes again. A step that fails says why
 * and what to do; those that stand on it are `skipped`. Stored secrets are used where the input has none.
 */
export async function testConnections(context: Context, input: SiteInput): Promise<ConnectionTest> {
  const site = siteInputSchema.parse(input)
  const vault = new Steps('vault')
  const [machine, filestore] = await Promise.all([
    testMachine(context, site),
    testBucket(context, site),
    testVault(vault, site.vault?.path ?? join(context.home.vaults, site.name)),
  ])
  return { checks: [...machine.checks, ...filestore, ...vault.checks], unknownHost: machine.unknownHost }
}

/** The server, what is run there, and the database, which may be reached through it. */
async function testMachine(context: Context, site: GivenSite): Promise<ConnectionTest> {
  const { ssh, secrets } = context
  const server = new Steps('server')
  const zotonic = new Steps('zotonic')
  const database = new Steps('database')
  const sshSecrets = await secretsOf(context, site)
  let unknownHost: HostKey | null = null
  let isReached = true
  if (site.server?.kind === 'folder') await testFolderServer(server, site.server)
  if (site.server?.kind === 'ssh') {
    const target = { settings: site.server.ssh, secrets: sshSecrets }
    const tried = await testSshServer(server, ssh, target, site.server)
    unknownHost = tried.unknownHost
    isReached = tried.connection !== null
    await testZotonic(zotonic, tried.connection, site.name, site.zotonic ?? {})
  }
  const password = site.database.password ?? (await secrets.get(`site/${site.name}/database-password`))
  await testDatabase(
    database,
    () => databaseConnection(site, { password, ssh: sshSecrets }, ssh),
    site.database.schema,
    site.database.via === 'ssh' && !isReached ? 'the server was not reached' : null,
  )
  return { checks: [...server.checks, ...zotonic.checks, ...database.checks], unknownHost }
}

async function secretsOf({ secrets }: Context, { name, server, sshSecrets }: GivenSite): Promise<SshSecrets> {
  if (server?.kind !== 'ssh') return {}
  const password = sshSecrets?.password ?? (await secrets.get(`site/${name}/ssh-password`)) ?? undefined
  const passphrase = sshSecrets?.passphrase ?? (await secrets.get(`site/${name}/ssh-passphrase`)) ?? undefined
  return { ...(password === undefined ? {} : { password }), ...(passphrase === undefined ? {} : { passphrase }) }
}

async function testBucket({ secrets }: Context, { name, filestore, filestoreSecret }: GivenSite): Promise<ConnectionCheck[]> {
  if (!filestore) return []
  const secret = filestoreSecret ?? (await secrets.get(`site/${name}/filestore-secret`))
  if (secret === null) {
    const steps = new Steps('filestore')
    steps.add('Log in', failed('There is no secret key.', 'Enter the secret key of the filestore in the site’s settings.'), 0)
    return steps.checks
  }
  const checks: ConnectionCheck[] = []
  // the client of filestores is large: most starts of the program need none
  const { testFilestore } = await import('#engine/foundation/connections/s3/test-filestore.ts')
  for await (const check of testFilestore(filestore, secret)) checks.push({ ...check, name: labelOf(check.name) })
  return checks
}

/** `log-in` → `Log in`, as steps are named elsewhere. */
function labelOf(name: string): string {
  const words = name.replaceAll('-', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}
