import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { connectPostgres, type PostgresConnection, type QuerySession } from '#engine/foundation/connections/postgres.ts'
import { AppError } from '#shared/errors.ts'

const SILENCE_MS = 20_000
const LOOKS = 3
const MAX_UNREACHABLE = 4
const END_WAIT_MS = 5_000

/** The server process that loads. */
export interface Backend {
  pid: number
  startedAt: string
}

/** Begins the one transaction of a load, without time limits. */
export async function beginLoading(client: QuerySession): Promise<{ backend: Backend; isSuperuser: boolean }> {
  await client.query('BEGIN')
  await client.query('SET LOCAL statement_timeout = 0')
  await client.query('SET LOCAL idle_in_transaction_session_timeout = 0')
  const { rows } = await client.query<{ pid: number; started: string; is_superuser: boolean }>(
    `SELECT pid, backend_start::text AS started, EXISTS (
        SELECT FROM pg_catalog.pg_roles r WHERE pg_catalog.pg_has_role(current_user, r.oid, 'MEMBER')
          AND (r.rolsuper OR r.rolname IN ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files'))
      ) AS is_superuser
     FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()`,
  )
  const backend = { pid: rows[0]?.pid ?? 0, startedAt: rows[0]?.started ?? '' }
  return { backend, isSuperuser: rows[0]?.is_superuser ?? true }
}

/** What a server process does, as another session sees it. */
export type BackendState = 'gone' | 'waits-for-us' | 'busy'

const STATE = `SELECT state <> 'active' OR coalesce(wait_event, '') = 'ClientRead' AS waits
  FROM pg_catalog.pg_stat_activity WHERE pid = $1 AND backend_start::text = $2`

export async function backendState(client: pg.Client, backend: Backend): Promise<BackendState> {
  const { rows } = await client.query<{ waits: boolean }>(STATE, [backend.pid, backend.startedAt])
  if (rows.length === 0) return 'gone'
  return rows[0]?.waits ? 'waits-for-us' : 'busy'
}

/** Bytes of COPY that a process took so far; 0 where the server does not tell (before PostgreSQL 14). */
async function copiedBytes(client: pg.Client, backend: Backend): Promise<number> {
  const { rows: found } = await client.query<{ tells: boolean }>(
    "SELECT pg_catalog.to_regclass('pg_catalog.pg_stat_progress_copy') IS NOT NULL AS tells",
  )
  if (!found[0]?.tells) return 0
  const { rows } = await client.query<{ bytes: number }>(
    'SELECT bytes_processed::float8 AS bytes FROM pg_catalog.pg_stat_progress_copy WHERE pid = $1',
    [backend.pid],
  )
  return rows[0]?.bytes ?? 0
}

/** Asks the server to end a process of ours. What it did and did not commit is rolled back. */
export async function terminateBackend(client: pg.Client, backend: Backend): Promise<void> {
  await client.query(
    'SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE pid = $1 AND backend_start::text = $2',
    [backend.pid, backend.startedAt],
  )
}

/** Ends a server process and waits until its locks are free; at most some seconds, and without complaint when it can't. */
export async function endBackend(connection: PostgresConnection, backend: Backend): Promise<void> {
  try {
    const client = await connectPostgres(connection)
    try {
      await terminateBackend(client, backend)
      const until = Date.now() + END_WAIT_MS
      while (Date.now() < until && (await backendState(client, backend)) !== 'gone') await sleep(50)
    } finally {
      await client.end()
    }
  } catch {
    // the server notices by itself, later
  }
}

async function askAbout(connection: PostgresConnection, backend: Backend): Promise<{ state: BackendState; bytes: number }> {
  const client = await connectPostgres(connection)
  try {
    return { state: await backendState(client, backend), bytes: await copiedBytes(client, backend) }
  } finally {
    await client.end()
  }
}

/** Notices a connection on which nothing comes through any more. */
export interface ConnectionWatch {
  /** Why the connection was given up; null: it was not. */
  readonly lost: AppError | null
  /** Passes things through; while the next one is awaited, nobody waits for the server. */
  reading<T>(source: AsyncIterable<T>): AsyncGenerator<T, void, void>
  stop(): void
}

/**
 * TCP alone tells of a network that swallows everything only after a quarter of an hour, or never. So after a silence the
 * server is asked over another connection what the process does: when it waits for us while we wait for it, several
 * times in a row, what is between them is lost, and the connection is closed.
 */
export function watchConnection(
  client: pg.Client,
  connection: PostgresConnection,
  backend: Backend,
  silenceMs = SILENCE_MS,
): ConnectionWatch {
  let lost: AppError | null = null
  let isReading = 0
  let suspicions = 0
  let copied = -1
  let unreachable = 0
  let isStopped = false
  let isLooking = false
  const stream = client.connection.stream as Socket
  let received = stream.bytesRead
  let sent = stream.bytesWritten

  const giveUp = (what: string) => {
    lost = new AppError('connection-lost', `The connection to the database was lost: ${what}.`, {
      hint: 'When the network is well again, run it again.',
    })
    stream.destroy()
  }
  const look = async () => {
    const isWaiting = isReading === 0 && (client as pg.Client & { readyForQuery?: boolean }).readyForQuery !== true
    const isSilent = isWaiting && stream.bytesRead === received && stream.bytesWritten === sent
    received = stream.bytesRead
    sent = stream.bytesWritten
    if (!isSilent) {
      suspicions = 0
      unreachable = 0
      return
    }
    try {
      const { state, bytes } = await askAbout(connection, backend)
      unreachable = 0
      // on a slow line, much is still on its way
      suspicions = state === 'busy' || (bytes !== copied && state !== 'gone') ? 0 : suspicions + 1
      copied = bytes
      if (suspicions >= LOOKS && isReading === 0)
        giveUp(state === 'gone' ? 'its server process is gone' : 'nothing comes through')
    } catch (error) {
      if (error instanceof AppError && error.code === 'database-unreachable') unreachable += 1
      if (unreachable >= MAX_UNREACHABLE) giveUp('the server cannot be reached any more')
    }
  }
  const timer = setInterval(() => {
    if (isLooking || isStopped || lost) return
    isLooking = true
    void look().finally(() => {
      isLooking = false
    })
  }, silenceMs)
  timer.unref()
  return {
    get lost() {
      return lost
    },
    async *reading(source) {
      isReading += 1
      try {
        for await (const item of source) {
          isReading -= 1
          try {
            yield item
          } finally {
            isReading += 1
          }
        }
      } finally {
        isReading -= 1
      }
    },
    stop() {
      isStopped = true
      clearInterval(timer)
    },
  }
}
