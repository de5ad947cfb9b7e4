import { readFile, statfs } from 'node:fs/promises'
import { isAbsolute } from 'node:path'
import type pg from 'pg'
import { connectPostgres, type PostgresConnection } from '#engine/foundation/connections/postgres.ts'

/** Room where a database's tables are written. */
export interface DatabaseSpace {
  /** About what a load needs: tables, their indexes, and the log of both. */
  neededBytes: number
  /** null: it can't be seen from here. */
  freeBytes: number | null
  /** The folder that was looked at; else why none was. */
  place: string
}

interface ServerFacts {
  pid: number
  /** Seconds since 1970 at which the server process of this session began. */
  started: number
  /** Of the database's default tablespace; empty: it is in the data folder. */
  tablespace: string
  /** null: this role may not see it. */
  data_directory: string | null
  table_bytes: number
  index_bytes: number
  max_wal_bytes: number
}

/**
 * What loading a dump needs on the database server's disk, and what is free there. PostgreSQL tells no free space, so that
 * it is known only of a server on this computer: its process is looked for here, then the disk of its folder.
 * @param dumpBytes of the plain script
 */
export async function readDatabaseSpace(
  connection: PostgresConnection,
  schema: string,
  dumpBytes: number,
  signal: AbortSignal,
): Promise<DatabaseSpace> {
  const client = await connectPostgres(connection, signal)
  try {
    const facts = await readFacts(client, schema)
    const tables = dumpBytes
    // text and rows take about the same room; indexes as much as the live ones in proportion
    const indexes = tables * (facts.table_bytes > 0 ? facts.index_bytes / facts.table_bytes : 0.3)
    const neededBytes = Math.ceil(tables + indexes + Math.min(tables + indexes, facts.max_wal_bytes))
    const folder = await dataFolder(facts)
    if (folder === null) return { neededBytes, freeBytes: null, place: 'it does not run on this computer, or hides its folder' }
    const disk = await statfs(folder).catch(() => null)
    return { neededBytes, freeBytes: disk ? disk.bavail * disk.bsize : null, place: folder }
  } finally {
    await client.end()
  }
}

async function readFacts(client: pg.Client, schema: string): Promise<ServerFacts> {
  const { rows } = await client.query<ServerFacts>(
    `SELECT pg_catalog.pg_backend_pid() AS pid, extract(epoch FROM a.backend_start)::float8 AS started,
            coalesce(pg_catalog.pg_tablespace_location(d.dattablespace), '') AS tablespace,
            CASE WHEN r.rolsuper OR pg_catalog.pg_has_role(current_user, 'pg_read_all_settings', 'MEMBER')
              THEN pg_catalog.current_setting('data_directory') END AS data_directory,
            s.table_bytes, s.index_bytes,
            pg_catalog.pg_size_bytes(pg_catalog.current_setting('max_wal_size'))::float8 AS max_wal_bytes
     FROM pg_catalog.pg_stat_activity a, pg_catalog.pg_database d, pg_catalog.pg_roles r,
       (SELECT coalesce(sum(pg_catalog.pg_table_size(c.oid)), 0)::float8 AS table_bytes,
               coalesce(sum(pg_catalog.pg_indexes_size(c.oid)), 0)::float8 AS index_bytes
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relkind IN ('r', 'm')) s
     WHERE a.pid = pg_catalog.pg_backend_pid() AND d.datname = current_database() AND r.rolname = current_user`,
    [schema],
  )
  const [facts] = rows
  if (!facts) throw new Error('the server does not tell about this session')
  return facts
}

/** The folder of the server behind a session, when that very server runs on this computer; null: not known. */
async function dataFolder(facts: ServerFacts): Promise<string | null> {
  const server = await findServerProcess(facts)
  if (!server) return null
  const folder = facts.tablespace || facts.data_directory || server.dataArgument
  return folder !== null && isAbsolute(folder) ? folder : null
}

/** Seconds by which two counts of one start may differ. */
const START_TOLERANCE = 5

/**
 * A port of this computer may lead elsewhere (an SSH tunnel): it is this computer's server only when the session's
 * process is one of PostgreSQL here that began in the same moment. Linux tells; elsewhere it is not known.
 */
async function findServerProcess({ pid, started }: ServerFacts): Promise<{ dataArgument: string | null } | null> {
  try {
    const process = parseStat(await readFile(`/proc/${pid}/stat`, 'latin1'))
    const boot = Number(/^btime (\d+)$/m.exec(await readFile('/proc/stat', 'latin1'))?.[1])
    const isIt =
      process.name.startsWith('postgres') && Math.abs(boot + process.startTicks / TICKS_PER_SECOND - started) < START_TOLERANCE
    if (!isIt) return null
    const command = (await readFile(`/proc/${process.parent}/cmdline`, 'utf8').catch(() => '')).split('\0')
    const at = command.indexOf('-D')
    return { dataArgument: at < 0 ? null : (command[at + 1] ?? null) }
  } catch {
    return null
  }
}

/** Of /proc, on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100

function parseStat(stat: string): { name: string; parent: number; startTicks: number } {
  // the name in parentheses may hold anything, so fields are counted from its end
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return {
    name: stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')')),
    parent: Number(fields[1]),
    startTicks: Number(fields[19]),
  }
}
