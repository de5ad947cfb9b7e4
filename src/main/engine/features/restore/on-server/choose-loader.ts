import { posix } from 'node:path'
import { connectPostgres, type PostgresConnection } from '#engine/foundation/connections/postgres.ts'
import { serverFreeBytes } from '#engine/foundation/connections/ssh/server-disk.ts'
import { hashOnServer } from '#engine/foundation/connections/ssh/server-hash.ts'
import { connectSiteServer, type SiteServer } from '#engine/foundation/connections/ssh/site-server.ts'
import type { SshConnection } from '#engine/foundation/connections/ssh/types.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import { check } from '#engine/foundation/plans/check.ts'
import { serverBackupFolder } from '#engine/foundation/repository/open.ts'
import { AppError, isCancelled } from '#shared/errors.ts'
import { formatBytes } from '#shared/format.ts'
import type { PlanCheck } from '#shared/model/plan.ts'
import type { Site } from '#shared/model/site.ts'
import { beginLoading } from '../backend.ts'
import type { PlannedPart, ServerLoading } from '../plan/stored-plan.ts'
import type { DumpSurvey } from '../survey-dump.ts'
import { requireSameDatabase } from './load-on-server.ts'
import { PsqlAnswer } from './psql-messages.ts'
import { choosePsql, findServerPsqls, knowsRestrict, type PsqlProgram } from './psql-program.ts'
import { PsqlSession } from './psql-session.ts'

/** Statements that this computer's loader leaves out, and which do nothing that matters: they set no time limits. */
const HARMLESS = ['SET statement_timeout', 'SET lock_timeout', 'SET idle_in_transaction_session_timeout']
const TRANSACTION_TIMEOUT_SINCE = 17

export interface ServerLoadQuestion {
  site: Site
  part: PlannedPart
  survey: DumpSurvey
  /** True when what is loaded is not what stands in the dump: another schema, or something is left out. */
  isRewritten: boolean
  signal: AbortSignal
}

/** What was found out: a plan that can't be run has no way. */
export interface ServerLoadAnswer {
  check: PlanCheck
  loading: ServerLoading | null
}

/** Whether psql on a site's server can load a dump, and from where: tried, as far as nothing is changed by it. */
export async function planServerLoad(
  context: Pick<EngineContext, 'sites' | 'ssh'>,
  question: ServerLoadQuestion,
): Promise<ServerLoadAnswer> {
  const { site, part, survey, signal } = question
  const server = await connectSiteServer(context, site, signal)
  if (!server) return refusal('The site has no server that is reached by SSH')
  const { connection: ssh } = server
  try {
    const connection = await context.sites.connection(site)
    const major = await readServerMajor(connection, signal)
    const found = await findServerPsqls(ssh, signal)
    const psql = choosePsql(found, major)
    if (!psql) return refusal(`${ssh.place} has no psql ${major} or later${foundOnly(found)}`)
    await trySession(ssh, psql, site, connection, signal)
    const file = await fileThere(server, { ...question, major, psql })
    const free = await serverFreeBytes(ssh, server.settings.filesDir, signal)
    if (free !== null && free < part.storedBytes * 1.2) {
      return refusal(`${ssh.place} has ${formatBytes(free)} free, and the dump needs ${formatBytes(part.storedBytes)} there`)
    }
    const who = `psql ${psql.version} on ${ssh.place}`
    return {
      check: check('Loader', 'passed', `${who} loads the database; ${travels(file, part)}`),
      loading: { psql, file, isRestricted: file !== null && survey.isRestricted },
    }
  } catch (error) {
    if (isCancelled(error) || !(error instanceof AppError || error instanceof PsqlAnswer)) throw error
    return refusal(error.message.replace(/\.$/, ''))
  }
}

function refusal(why: string): ServerLoadAnswer {
  return { check: check('Loader', 'failed', `${why}. Load the database from this computer instead`), loading: null }
}

function travels(file: string | null, { storedBytes, isEncrypted }: PlannedPart): string {
  if (file !== null) return `the dump lies there already, in ${file}, and does not travel`
  const sent = `about ${formatBytes(storedBytes)} are sent there first`
  return isEncrypted ? `${sent}, decrypted here; until they are loaded they lie there for this log-in only` : sent
}

function foundOnly(found: readonly PsqlProgram[]): string {
  return found.length === 0 ? '' : `, only ${found.map(({ version }) => version).join(', ')}`
}

async function readServerMajor(connection: PostgresConnection, signal: AbortSignal): Promise<number> {
  const client = await connectPostgres(connection, signal)
  try {
    const { rows } = await client.query<{ number: number }>(
      "SELECT pg_catalog.current_setting('server_version_num')::int AS number",
    )
    return Math.floor((rows[0]?.number ?? 0) / 10_000)
  } finally {
    await client.end()
  }
}

/** Logs in as the load would. @throws AppError `psql-failed`, `other-database` */
async function trySession(
  server: SshConnection,
  psql: PsqlProgram,
  site: Site,
  connection: PostgresConnection,
  signal: AbortSignal,
): Promise<void> {
  const { password } = connection
  const session = await PsqlSession.open({ server, psql, database: site.database, password, signal })
  try {
    const { backend } = await beginLoading(session)
    await requireSameDatabase(connection, backend, server)
  } finally {
    await session.close()
  }
}

/** The path of the dump in the server's own backup folder, when psql can load it as it stands; null: it has to be sent. */
async function fileThere(
  { connection }: SiteServer,
  { site, part, survey, isRewritten, signal, major, psql }: ServerLoadQuestion & { major: number; psql: PsqlProgram },
): Promise<string | null> {
  const folder = serverBackupFolder(site)
  const isHarmless = (name: string) =>
    HARMLESS.includes(name) || (name === 'SET transaction_timeout' && major >= TRANSACTION_TIMEOUT_SINCE)
  if (folder === null || part.isEncrypted || isRewritten || !survey.leftOut.others.every(isHarmless)) return null
  // what is sent does without that line
  if (survey.isRestricted && !knowsRestrict(psql)) return null
  const path = posix.join(folder, part.file)
  const facts = await connection.files.facts(path)
  if (facts?.kind !== 'file' || facts.size !== part.storedBytes) return null
  return (await hashOnServer(connection, path, signal)) === part.storedHash ? path : null
}
