import { AppError } from '#shared/errors.ts'
import type { Site, SshSecrets } from '#shared/model/site.ts'
import type { PostgresConnection } from '../connections/postgres.ts'
import { databaseTunnel } from '../connections/ssh/database-tunnel.ts'
import type { SshConnections } from '../connections/ssh/types.ts'

/**
 * The way to a site's database, as its settings have it; nothing is connected yet.
 * @throws AppError `no-ssh-server`: it is to go through a server that the site does not have
 */
export function databaseConnection(
  { database, server }: Pick<Site, 'database' | 'server'>,
  secrets: { password: string | null; ssh: SshSecrets },
  ssh: SshConnections,
): PostgresConnection {
  const { host, port, user, tls, caFile, certificateFile, keyFile } = database
  const direct: PostgresConnection = {
    host,
    port,
    database: database.database,
    user,
    tls,
    ...(secrets.password === null ? {} : { password: secrets.password }),
    ...(caFile === undefined ? {} : { caFile }),
    ...(certificateFile === undefined ? {} : { certificateFile }),
    ...(keyFile === undefined ? {} : { keyFile }),
  }
  if (database.via === 'direct') return direct
  if (server?.kind !== 'ssh') {
    throw new AppError('no-ssh-server', 'The database is to be reached through the server, but the site has none with SSH.', {
      hint: 'Give the server’s SSH connection in the site’s settings, or connect to the database directly.',
    })
  }
  return { ...direct, tunnel: databaseTunnel(ssh, { settings: server.ssh, secrets: secrets.ssh }, { host, port }) }
}
