import { mkdir, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { EngineContext } from '#engine/foundation/context.ts'
import { AppError } from '#shared/errors.ts'
import type { SiteInput, SshSettings } from '#shared/model/site.ts'
import type { Postgres15 } from '../postgres.ts'
import { makeRealSite, type RealSite } from '../real-site.ts'
import { type Sshd, type SshdOptions, startSshd } from '../sshd.ts'
import { type FakeServer, type FakeZotonic, installFakeZotonic } from './fake-zotonic.ts'

/** A machine with OpenSSH, PostgreSQL, the fixtures' site in its folders, and a command that stands for Zotonic's. */
export interface ZotonicServer {
  readonly sshd: Sshd
  readonly site: RealSite
  readonly zotonic: FakeZotonic
  /** Logs in with the key. */
  readonly ssh: SshSettings
  readonly database: string
  /** The site, ready to be added; its database through the server. */
  input(settings?: Partial<SiteInput>): SiteInput
  stop(): Promise<void>
}

/** Zotonic is in the home folder of who logs in, its data and secrets where its settings say. */
export async function startZotonicServer(
  postgres: Postgres15,
  database: string,
  options: SshdOptions & { fake?: Partial<FakeServer> } = {},
): Promise<ZotonicServer> {
  const { fake, ...sshdOptions } = options
  const sshd = await startSshd(sshdOptions)
  const { folder } = sshd
  const site = await makeRealSite(postgres, folder, database)
  const home = join(folder, 'zotonic-home')
  const dataDir = join(folder, 'data')
  await mkdir(join(dataDir, 'sites', 'testsite'), { recursive: true })
  await symlink(site.filesDir, join(dataDir, 'sites', 'testsite', 'files'))
  await mkdir(join(folder, 'secrets'), { recursive: true })
  await symlink(site.securityDir, join(folder, 'secrets', 'testsite'))
  const connection = postgres.connection(database, 'zotonic')
  const zotonic = await installFakeZotonic(join(home, 'zotonic'), {
    node: 'zotonic001@web1',
    sites: {
      testsite: {
        state: 'running',
        siteDir: site.siteDir,
        filesDir: site.filesDir,
        securityDir: site.securityDir,
        database: { ...connection, schema: 'testsite' },
        config: {
          dbhost: connection.host,
          dbport: connection.port,
          dbdatabase: database,
          dbuser: 'zotonic',
          dbpassword: connection.password ?? '',
          environment: 'production',
          hostname: 'www.example.org',
        },
      },
    },
    config: { zotonic: { environment: 'production', data_dir: dataDir, security_dir: join(folder, 'secrets') } },
    ...fake,
  })
  const ssh: SshSettings = { host: sshd.host, port: sshd.port, user: sshd.user, auth: 'key', keyFile: sshd.keyFile }
  return {
    sshd,
    site,
    zotonic,
    ssh,
    database,
    input: (settings = {}) => ({
      name: 'testsite',
      database: { ...connection, database, schema: 'testsite', via: 'ssh' },
      server: { kind: 'ssh', ssh, siteDir: site.siteDir, filesDir: site.filesDir, securityDir: site.securityDir },
      zotonic: { command: zotonic.command },
      ...settings,
    }),
    async stop() {
      await sshd.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Accepts the key of a server that is not known yet. */
export async function trust({ ssh }: Pick<EngineContext, 'ssh'>, settings: SshSettings): Promise<void> {
  try {
    await ssh.connect({ settings, secrets: {} })
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'host-key-unknown') throw error
    const { host, port, fingerprint } = error.details as { host: string; port: number; fingerprint: string }
    await ssh.hostKeys.accept({ host, port, fingerprint })
  }
}
