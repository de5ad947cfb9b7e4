import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSshConnections } from '#engine/foundation/connections/ssh/connections.ts'
import type { SshConnection } from '#engine/foundation/connections/ssh/types.ts'
import { openLocks } from '#engine/foundation/locks.ts'
import { directWorkers } from './direct-workers.ts'
import type { Sshd } from './sshd.ts'

export interface TestSsh {
  /** @param port another way to the same server, e.g. through a proxy */
  connect(port?: number): Promise<SshConnection>
  close(): Promise<void>
}

/** Connections to a test's server, whose host key is known. Without any part of the operator's own ~/.ssh. */
export async function openTestSsh(sshd: Sshd, options: { keepAliveMs?: number; ports?: number[] } = {}): Promise<TestSsh> {
  const folder = await mkdtemp(join(tmpdir(), 'backup-desk-ssh-'))
  const knownHostsFile = join(folder, 'known_hosts')
  const line = await sshd.knownHostsLine()
  const ports = [sshd.port, ...(options.ports ?? [])]
  await writeFile(knownHostsFile, ports.map((port) => `${line.replace(`:${sshd.port} `, `:${port} `)}\n`).join(''))
  const connections = openSshConnections({
    knownHostsFile,
    locks: openLocks(join(folder, 'locks'), 'test'),
    workers: directWorkers,
    around: { userHome: folder, env: {} },
    ...(options.keepAliveMs ? { keepAliveMs: options.keepAliveMs } : {}),
  })
  return {
    connect: (port = sshd.port) =>
      connections.connect({
        settings: { host: sshd.host, port, user: sshd.user, auth: 'key', keyFile: sshd.keyFile },
        secrets: {},
      }),
    async close() {
      await connections.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
