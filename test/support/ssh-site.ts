import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { SiteInput, SshSettings } from '#shared/model/site.ts'
import { type ServerFolder, siteInput } from './backup-site.ts'
import type { Postgres15 } from './postgres.ts'
import type { Sshd } from './sshd.ts'

/** How to log in to the server of a test. */
export function sshSettings(sshd: Sshd): SshSettings {
  return { host: sshd.host, port: sshd.port, user: sshd.user, auth: 'key', keyFile: sshd.keyFile }
}

/** The same site as `siteInput` makes, whose folders and database are reached through a server. */
export function sshSiteInput(
  database: string,
  postgres: Pick<Postgres15, 'host' | 'port'>,
  folder: ServerFolder,
  sshd: Sshd,
): SiteInput {
  const input = siteInput(database, postgres, folder)
  const { siteDir, filesDir, securityDir } = folder
  return {
    ...input,
    database: { ...input.database, via: 'ssh' },
    server: { kind: 'ssh', ssh: sshSettings(sshd), siteDir, filesDir, securityDir },
  }
}

/** Has a home folder know the server's key, as if it had been accepted. */
export async function knowHost(home: string, sshd: Sshd): Promise<void> {
  const file = join(home, 'known_hosts')
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  await writeFile(file, `${await sshd.knownHostsLine()}\n`, { mode: 0o600 })
}
