import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSshConnections } from '#engine/foundation/connections/ssh/connections.ts'
import type { SshConnections, SshTarget } from '#engine/foundation/connections/ssh/types.ts'
import { openLocks } from '#engine/foundation/locks.ts'
import type { SshSecrets, SshSettings } from '#shared/model/site.ts'
import { directWorkers } from './direct-workers.ts'
import type { Sshd } from './sshd.ts'

/** An operator's computer: a home folder with `~/.ssh`, and the engine's connections. */
export interface SshDesk {
  readonly ssh: SshConnections
  /** The operator's home folder. */
  readonly userHome: string
  /** The app's own file of host keys. */
  readonly knownHostsFile: string
  /** Writes a file of `~/.ssh`. */
  put(name: string, content: string): Promise<string>
  /** Closes the connections and removes the folder. */
  close(): Promise<void>
}

export async function openSshDesk(
  options: { env?: NodeJS.ProcessEnv; keepAliveMs?: number; idleMs?: number; trusted?: Sshd[] } = {},
): Promise<SshDesk> {
  const { env = {}, trusted = [], ...times } = options
  const folder = await mkdtemp(join(tmpdir(), 'backup-desk-ssh-'))
  const userHome = join(folder, 'user')
  await mkdir(join(userHome, '.ssh'), { recursive: true, mode: 0o700 })
  await mkdir(join(folder, 'locks'))
  const knownHostsFile = join(folder, 'known_hosts')
  const lines = await Promise.all(trusted.map((sshd) => sshd.knownHostsLine()))
  await writeFile(knownHostsFile, lines.map((line) => `${line}\n`).join(''))
  const locks = openLocks(join(folder, 'locks'), 'test')
  const ssh = openSshConnections({ knownHostsFile, locks, workers: directWorkers, around: { userHome, env }, ...times })
  return {
    ssh,
    userHome,
    knownHostsFile,
    async put(name, content) {
      const file = join(userHome, '.ssh', name)
      await writeFile(file, content, { mode: 0o600 })
      return file
    },
    async close() {
      await ssh.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** As the operator would set it: with the key that the server accepts, unless told otherwise. */
export function targetOf(sshd: Sshd, settings: Partial<SshSettings> = {}, secrets: SshSecrets = {}): SshTarget {
  return {
    settings: { host: sshd.host, port: sshd.port, user: sshd.user, auth: 'key', keyFile: sshd.keyFile, ...settings },
    secrets,
  }
}
