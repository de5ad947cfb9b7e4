import { readdir, rm } from 'node:fs/promises'
import { isAbsolute, join, posix, sep } from 'node:path'
import type { SettingsProblem } from '#shared/contract/sites.ts'
import { AppError } from '#shared/errors.ts'
import {
  SITE_NAME,
  type Site,
  type SiteInput,
  type SiteView,
  type SshSecrets,
  siteInputSchema,
  siteSchema,
} from '#shared/model/site.ts'
import type { PostgresConnection } from '../connections/postgres.ts'
import type { SshConnections } from '../connections/ssh/types.ts'
import { writeFileAtomic } from '../files/atomic.ts'
import type { Home } from '../home.ts'
import type { Locks } from '../locks.ts'
import { databaseConnection } from './database-connection.ts'
import { setEncryptionPassword } from './encryption-passwords.ts'
import { keptAsideProblems, problemError, readJsonFile } from './json-file.ts'
import type { Secrets } from './secrets.ts'

const VERSION = 1
const FILE = /^([a-z][a-z0-9_-]{0,62})\.json$/

/** The configured sites: `sites/NAME.json`, their secrets in the secret store. */
export interface Sites {
  list(): Promise<{ sites: SiteView[]; problems: SettingsProblem[] }>
  /** @throws AppError `unknown-site` */
  get(name: string): Promise<Site>
  view(name: string): Promise<SiteView>
  /** @throws AppError `site-exists`, `secrets-locked`; nothing was changed then */
  add(input: SiteInput): Promise<SiteView>
  /** Secrets that are left out stay as they are; a replaced encryption password is kept for older files. @throws AppError `unknown-site`, `secrets-locked` */
  update(input: SiteInput): Promise<SiteView>
  /** Forgets settings and secrets; the vault stays. @throws AppError `unknown-site` */
  remove(name: string): Promise<void>
  /** The vault's folder of a site. */
  vaultPath(site: Site): string
  /** The way to its database, password and tunnel included. @throws AppError `secrets-locked`, `no-ssh-server` */
  connection(site: Site): Promise<PostgresConnection>
  /** The secrets of its SSH connection. @throws AppError `secrets-locked` */
  sshSecrets(site: Pick<Site, 'name'>): Promise<SshSecrets>
  /** The secret key of its filestore; null: none stored. @throws AppError `secrets-locked` */
  filestoreSecret(site: Pick<Site, 'name'>): Promise<string | null>
  /** The password for its `.enc` files; null: none stored. @throws AppError `secrets-locked` */
  encryptionPassword(site: Site): Promise<string | null>
}

export function openSites(options: {
  home: Home
  locks: Locks
  secrets: Secrets
  ssh: SshConnections
  onChange: () => void
}): Sites {
  const { home, locks, secrets, ssh, onChange } = options
  const fileOf = (name: string) => join(home.sites, `${name}.json`)
  const vaultPath = (site: Site) => site.vault?.path ?? join(home.vaults, site.name)

  async function get(name: string): Promise<Site> {
    if (!SITE_NAME.test(name)) throw unknownSite(name)
    const found = await readJsonFile(fileOf(name), siteSchema, VERSION)
    if (found.state === 'problem') throw problemError(found.problem)
    if (found.state === 'absent' || found.value.name !== name) throw unknownSite(name)
    return found.value
  }

  async function viewOf(site: Site): Promise<SiteView> {
    return {
      site,
      vaultPath: vaultPath(site),
      hasDatabasePassword: await secrets.has(`site/${site.name}/database-password`),
      hasEncryptionPassword: await secrets.has(`site/${site.name}/encryption-password`),
      hasSshPassword: await secrets.has(`site/${site.name}/ssh-password`),
      hasSshPassphrase: await secrets.has(`site/${site.name}/ssh-passphrase`),
      hasFilestoreSecret: await secrets.has(`site/${site.name}/filestore-secret`),
      isDemo: site.server?.siteDir.startsWith(home.demo + sep) ?? false,
    }
  }

  async function storeSecrets(input: SiteInput): Promise<void> {
    if (input.database.password) await secrets.set(`site/${input.name}/database-password`, input.database.password)
    if (input.sshSecrets?.password) await secrets.set(`site/${input.name}/ssh-password`, input.sshSecrets.password)
    if (input.sshSecrets?.passphrase) await secrets.set(`site/${input.name}/ssh-passphrase`, input.sshSecrets.passphrase)
    if (input.filestoreSecret) await secrets.set(`site/${input.name}/filestore-secret`, input.filestoreSecret)
    if (input.encryption?.password) await setEncryptionPassword({ secrets }, input.name, input.encryption.password)
  }

  /** Two programs changing the same site take turns. */
  async function locked<T>(name: string, action: () => Promise<T>): Promise<T> {
    const lock = await locks.acquire(`settings:${name}`)
    try {
      return await action()
    } finally {
      await lock.release()
    }
  }

  async function write(site: Site, ifAbsent: boolean): Promise<SiteView> {
    await writeFileAtomic(fileOf(site.name), `${JSON.stringify(site, null, 2)}\n`, { ifAbsent })
    onChange()
    return viewOf(site)
  }

  async function sshSecrets({ name }: Pick<Site, 'name'>): Promise<SshSecrets> {
    const password = await secrets.get(`site/${name}/ssh-password`)
    const passphrase = await secrets.get(`site/${name}/ssh-passphrase`)
    return { ...(password === null ? {} : { password }), ...(passphrase === null ? {} : { passphrase }) }
  }

  return {
    get,
    vaultPath,
    async list() {
      const sites: SiteView[] = []
      const problems = await keptAsideProblems(home.sites, (file) => FILE.test(file))
      for (const file of (await readdir(home.sites)).sort()) {
        const name = FILE.exec(file)?.[1]
        if (name === undefined) continue
        const found = await readJsonFile(fileOf(name), siteSchema, VERSION)
        if (found.state === 'problem') problems.push(found.problem)
        else if (found.state === 'ok' && found.value.name === name) sites.push(await viewOf(found.value))
      }
      return { sites, problems }
    },
    async view(name) {
      return viewOf(await get(name))
    },
    add(input) {
      const site = withoutSecrets(input)
      return locked(site.name, async () => {
        const found = await readJsonFile(fileOf(site.name), siteSchema, VERSION)
        if (found.state === 'problem' && found.problem.keptAs === null) throw problemError(found.problem)
        if (found.state === 'ok') {
          throw new AppError('site-exists', `There is a site "${site.name}" already. It was left as it is.`, {
            hint: 'Change it in its settings, or remove it first.',
            details: { site: site.name },
          })
        }
        await storeSecrets(input)
        return write(site, true)
      })
    },
    update(input) {
      const site = withoutSecrets(input)
      return locked(site.name, async () => {
        await get(site.name)
        await storeSecrets(input)
        return write(site, false)
      })
    },
    remove(name) {
      return locked(name, async () => {
        await get(name)
        await rm(fileOf(name))
        await secrets.removeAll(`site/${name}/`)
        onChange()
      })
    },
    async connection(site) {
      const password = await secrets.get(`site/${site.name}/database-password`)
      const sshSecretsOfSite = site.database.via === 'ssh' ? await sshSecrets(site) : {}
      return databaseConnection(site, { password, ssh: sshSecretsOfSite }, ssh)
    },
    sshSecrets,
    filestoreSecret({ name }) {
      return secrets.get(`site/${name}/filestore-secret`)
    },
    encryptionPassword(site) {
      return secrets.get(`site/${site.name}/encryption-password`)
    },
  }
}

function unknownSite(name: string): AppError {
  return new AppError('unknown-site', `There is no site "${name.slice(0, 64)}" here.`, {
    hint: 'See the list of sites ("zbd sites"), or add it.',
    details: { site: name.slice(0, 64) },
  })
}

/** What goes into the settings file of a site: everything but its passwords. */
function withoutSecrets(input: SiteInput): Site {
  const {
    database,
    encryption,
    discovery: _discovery,
    sshSecrets: _sshSecrets,
    filestoreSecret: _filestoreSecret,
    ...rest
  } = siteInputSchema.parse(input)
  const { password: _databasePassword, ...databaseSettings } = database
  const { password: _encryptionPassword, ...encryptionSettings } = encryption ?? { enabled: false }
  const site = siteSchema.parse({
    ...rest,
    database: databaseSettings,
    ...(encryption ? { encryption: encryptionSettings } : {}),
  })
  const isRemote = site.server?.kind === 'ssh'
  const there = [site.server?.siteDir, site.server?.filesDir, site.server?.securityDir, site.server?.backupDir]
  const here = [
    site.vault?.path,
    site.database.caFile,
    site.database.certificateFile,
    site.database.keyFile,
    site.filestore?.caFile,
  ]
  for (const [path, isFull] of [
    ...there.map((path) => [path, isRemote ? posix.isAbsolute : isAbsolute] as const),
    ...here.map((path) => [path, isAbsolute] as const),
  ]) {
    if (path !== undefined && !isFull(path)) {
      throw new AppError('path-not-absolute', `"${path}" is not a full path. The site was not saved.`, {
        hint: 'Give the path from the root of the file system.',
      })
    }
  }
  return site
}
