import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import type { PostgresConnection } from '#engine/foundation/connections/postgres.ts'
import { readTlsFiles } from '#engine/foundation/connections/postgres-tls.ts'
import { cleanEnvironment } from '#engine/foundation/embedded-postgres/server-process.ts'

const CONNECT_SECONDS = 10

/** A folder with what pg_dump has to find in files, and its way through a tunnel. Taken down by `remove`. */
export interface Surroundings {
  folder: string
  /** Of 127.0.0.1, where the tunnel begins; null: none. */
  tunnelPort: number | null
  /** Files for TLS; null: there is none of the kind. */
  authorities: string | null
  certificate: string | null
  key: string | null
  remove(): Promise<void>
}

/**
 * Makes the folder and the way. For `verify-full` it has the authorities that Node trusts unless the site names its own, so
 * that both engines accept the same servers.
 * @param scratch the home's folder for temporary files
 */
export async function makeSurroundings(
  scratch: string,
  connection: PostgresConnection,
  signal?: AbortSignal,
): Promise<Surroundings> {
  const folder = await mkdtemp(join(scratch, 'pg-dump-'))
  let tunnel: { port: number; close(): Promise<void> } | null = null
  const remove = async () => {
    await tunnel?.close()
    await rm(folder, { recursive: true, force: true })
  }
  // libpq takes a key only when nobody else can read it, and knows no other format of lists than one file
  const put = async (name: string, text: string | undefined) => {
    if (text === undefined) return null
    await writeFile(join(folder, name), text, { mode: 0o600 })
    return join(folder, name)
  }
  try {
    const files = await readTlsFiles(connection)
    const trusted = connection.tls === 'verify-full' ? await trustedAuthorities() : undefined
    const authorities = await put('authorities.pem', files.authorities ?? trusted)
    const certificate = await put('certificate.pem', files.certificate)
    const key = await put('key.pem', files.key)
    tunnel = (await connection.tunnel?.listen(signal)) ?? null
    return { folder, tunnelPort: tunnel?.port ?? null, authorities, certificate, key, remove }
  } catch (error) {
    await remove()
    throw error
  }
}

async function trustedAuthorities(): Promise<string> {
  const own = process.env.NODE_EXTRA_CA_CERTS
  const more = own ? [await readFile(own, 'utf8')] : []
  return [...rootCertificates, ...more].join('\n')
}

/**
 * Everything that pg_dump is told apart from its arguments, which other users of this computer can see. Nothing of the
 * operator's own PostgreSQL settings (PG* variables, ~/.pgpass, ~/.postgresql) takes part: it reaches the same server as
 * the same user as the built-in engine does, or none.
 */
export function pgDumpEnvironment(
  connection: PostgresConnection,
  program: string,
  { folder, tunnelPort, authorities, certificate, key }: Surroundings,
): NodeJS.ProcessEnv {
  const none = join(folder, 'none')
  return cleanEnvironment({
    ...placeOf(connection, tunnelPort),
    PGDATABASE: connection.database,
    PGUSER: connection.user,
    // an empty one is no answer to a server that wants one, and keeps ~/.pgpass out
    PGPASSWORD: connection.password ?? '',
    PGPASSFILE: none,
    PGSSLROOTCERT: authorities ?? none,
    PGSSLCERT: certificate ?? none,
    PGSSLKEY: key ?? none,
    PGGSSENCMODE: 'disable',
    PGCONNECT_TIMEOUT: String(CONNECT_SECONDS),
    PGCLIENTENCODING: 'UTF8',
    PGAPPNAME: program,
  })
}

/** Through a tunnel the server's own name stays, since its certificate is for that; the address is the tunnel's. */
function placeOf({ host, port, tls }: PostgresConnection, tunnelPort: number | null): Record<string, string> {
  if (tunnelPort === null) return { PGHOST: host, PGPORT: String(port), PGSSLMODE: tls }
  const isSocket = host.startsWith('/')
  return {
    PGHOST: isSocket ? 'localhost' : host,
    PGHOSTADDR: '127.0.0.1',
    PGPORT: String(tunnelPort),
    PGSSLMODE: isSocket ? 'disable' : tls,
  }
}
