import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import type { PostgresConnection } from '#engine/foundation/connections/postgres.ts'
import { cleanEnvironment } from '#engine/foundation/embedded-postgres/server-process.ts'

const CONNECT_SECONDS = 10

/** A folder with what pg_dump has to find in files. Removed by `remove`. */
export interface Surroundings {
  folder: string
  remove(): Promise<void>
}

/**
 * Makes the folder. For `verify-full` it has the authorities that Node trusts, so that both engines accept the same servers.
 * @param scratch the home's folder for temporary files
 */
export async function makeSurroundings(scratch: string, tls: PostgresConnection['tls']): Promise<Surroundings> {
  const folder = await mkdtemp(join(scratch, 'pg-dump-'))
  const remove = () => rm(folder, { recursive: true, force: true })
  try {
    if (tls === 'verify-full') {
      const own = process.env.NODE_EXTRA_CA_CERTS
      const more = own ? [await readFile(own, 'utf8')] : []
      await writeFile(join(folder, 'authorities.pem'), [...rootCertificates, ...more].join('\n'), { mode: 0o600 })
    }
    return { folder, remove }
  } catch (error) {
    await remove()
    throw error
  }
}

/**
 * Everything that pg_dump is told apart from its arguments, which other users of this computer can see. Nothing of the
 * operator's own PostgreSQL settings (PG* variables, ~/.pgpass, ~/.postgresql) takes part: it reaches the same server as
 * the same user as the built-in engine does, or none.
 */
export function pgDumpEnvironment(connection: PostgresConnection, program: string, { folder }: Surroundings): NodeJS.ProcessEnv {
  const none = join(folder, 'none')
  return cleanEnvironment({
    PGHOST: connection.host,
    PGPORT: String(connection.port),
    PGDATABASE: connection.database,
    PGUSER: connection.user,
    // an empty one is no answer to a server that wants one, and keeps ~/.pgpass out
    PGPASSWORD: connection.password ?? '',
    PGPASSFILE: none,
    PGSSLMODE: connection.tls,
    PGSSLROOTCERT: connection.tls === 'verify-full' ? join(folder, 'authorities.pem') : none,
    PGSSLCERT: none,
    PGSSLKEY: none,
    PGGSSENCMODE: 'disable',
    PGCONNECT_TIMEOUT: String(CONNECT_SECONDS),
    PGCLIENTENCODING: 'UTF8',
    PGAPPNAME: program,
  })
}
