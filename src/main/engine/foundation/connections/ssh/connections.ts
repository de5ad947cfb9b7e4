import { createHash } from 'node:crypto'
import { throwIfCancelled } from '#shared/errors.ts'
import type { Locks } from '../../locks.ts'
import type { Workers } from '../../workers.ts'
import { namesIn, readSshConfig, valuesFor } from './config-file.ts'
import { type Destination, ownSurroundings, resolveRoute, type Surroundings } from './destination.ts'
import { openHostKeys } from './host-keys.ts'
import { dial } from './link.ts'
import { type PooledConnection, pooledConnection } from './pooled-connection.ts'
import type { SshConnections, SshTarget } from './types.ts'

/** A dead link is noticed after four of these without a sign of life: 30 s. */
const KEEP_ALIVE_MS = 7_500
const IDLE_MS = 5 * 60_000

export interface SshOptions {
  /** Our own file of accepted host keys. */
  knownHostsFile: string
  locks: Locks
  /** They open protected keys. */
  workers: Workers
  /** Whose `~/.ssh` and which variables count; default: those of the operator. */
  around?: Surroundings
  keepAliveMs?: number
  idleMs?: number
}

/** Opens the connections of an engine; nothing is connected before it is used. */
export function openSshConnections(options: SshOptions): SshConnections {
  const { workers, keepAliveMs = KEEP_ALIVE_MS, idleMs = IDLE_MS, around = ownSurroundings() } = options
  const hostKeys = openHostKeys(options.knownHostsFile, options.locks)
  const pool = new Map<string, PooledConnection>()

  /** Who asks with other secrets gets a connection of its own: a wrong password must not pass because a right one did. */
  function keyOf(route: readonly Destination[], { secrets }: SshTarget): string {
    return createHash('sha256')
      .update(JSON.stringify([route, secrets.password, secrets.passphrase]))
      .digest('hex')
  }

  return {
    hostKeys,
    async connect(target, { signal, onStep } = {}) {
      throwIfCancelled(signal)
      const route = resolveRoute(target.settings, await readSshConfig(around.userHome), around)
      const key = keyOf(route, target)
      const place = route.at(-1)?.place ?? target.settings.host
      const connection =
        pool.get(key) ??
        pooledConnection(
          place,
          (attempt, tell) =>
            dial(route, { secrets: target.secrets, hostKeys, workers, keepAliveMs, signal: attempt, onStep: tell }),
          idleMs,
        )
      pool.set(key, connection)
      await connection.ensure({ ...(signal ? { signal } : {}), ...(onStep ? { onStep } : {}) })
      return connection
    },
    async aliases() {
      const config = await readSshConfig(around.userHome)
      return namesIn(config).map((alias) => {
        const [host] = valuesFor(config, alias, 'hostname')
        const [user] = valuesFor(config, alias, 'user')
        return { alias, host: host?.replaceAll('%h', alias) ?? alias, user: user ?? null }
      })
    },
    async close() {
      for (const connection of pool.values()) connection.close()
      pool.clear()
    },
  }
}
