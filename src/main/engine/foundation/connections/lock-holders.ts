import { formatDuration } from '#shared/format.ts'
import { connectPostgres, type PostgresConnection } from './postgres.ts'

const LOOK_MS = 500

/** A session that holds a lock. */
export interface LockHolder {
  pid: number
  user: string
  program: string
  /** Seconds since its transaction began. */
  since: number
  /** PostgreSQL's word: `active`, `idle in transaction`. */
  doing: string
  /** When its latest statement began, ISO UTC; null: not told to this user. */
  statementAt: string | null
}

export interface LockWatch {
  /** Who was seen last; empty when nobody was, or it could not be asked. */
  holders(): LockHolder[]
  stop(): Promise<void>
}

/**
 * Looks over a second connection, while a session waits, at who it waits for. Most locks are free at once: the
 * connection is opened only after half a second.
 * @param waiting the backend that may wait: its process id, or the name that its program gave itself
 */
export function watchLockHolders(
  connection: PostgresConnection,
  waiting: { pid: number } | { program: string },
  onSeen: (holders: LockHolder[]) => void = () => {},
): LockWatch {
  let seen: LockHolder[] = []
  let stopped = false
  let wake = () => {}
  const pause = () =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, LOOK_MS)
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  const watching = (async () => {
    await pause()
    if (stopped) return
    const client = await connectPostgres(connection)
    try {
      while (!stopped) {
        const { rows } = await client.query<LockHolder>(
          'pid' in waiting ? `${HOLDERS} = ANY (pg_catalog.pg_blocking_pids($1))` : `${HOLDERS} IN (${BLOCKING_PROGRAM})`,
          ['pid' in waiting ? waiting.pid : waiting.program],
        )
        if (rows.length > 0) {
          seen = rows
          onSeen(rows)
        }
        await pause()
      }
    } finally {
      await client.end()
    }
    // who it is, is told when it can be known
  })().catch(() => {})
  return {
    holders: () => seen,
    async stop() {
      stopped = true
      wake()
      await watching
    },
  }
}

const HOLDERS = `
  SELECT pid, coalesce(usename, '') AS user, coalesce(application_name, '') AS program,
         coalesce(extract(epoch FROM pg_catalog.now() - xact_start), 0)::float8 AS since, coalesce(state, '') AS doing,
         pg_catalog.to_char(query_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS "statementAt"
  FROM pg_catalog.pg_stat_activity WHERE pid`

const BLOCKING_PROGRAM = `
  SELECT pg_catalog.unnest(pg_catalog.pg_blocking_pids(w.pid)) FROM pg_catalog.pg_stat_activity w WHERE w.application_name = $1`

/** "process 4711 of user zotonic (psql)". */
export function holderName({ pid, user, program }: LockHolder): string {
  return `process ${pid} of user ${user}${program ? ` (${program})` : ''}`
}

/** "held by process 4711 of user zotonic (psql), idle in transaction for 3 min". */
export function heldBy(holders: LockHolder[]): string {
  if (holders.length === 0) return 'held by another session'
  const who = holders.map((holder) => {
    const { since, doing, statementAt } = holder
    const statement = statementAt ? `, its latest statement at ${statementAt}` : ''
    return `${holderName(holder)}, ${doing || 'busy'}${since > 0 ? ` for ${formatDuration(since)}` : ''}${statement}`
  })
  return `held by ${who.join('; ')}`
}
