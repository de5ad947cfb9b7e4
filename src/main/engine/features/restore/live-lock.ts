import { heldBy, holderName, type LockHolder, watchLockHolders } from '#engine/foundation/connections/lock-holders.ts'
import { type PostgresConnection, type QuerySession, quoteIdentifier } from '#engine/foundation/connections/postgres.ts'
import { AppError } from '#shared/errors.ts'

/** How long a load waits for whoever holds the live tables. */
export const LOCK_WAIT_MS = 10_000

export interface LockWait {
  /** Milliseconds for each statement; default 10,000. */
  waitMs?: number | undefined
  /** What is waited for: "Tables of the live site". */
  what?: string
  /** Told who is waited for ("Waiting for process 1 of …"), and null once nobody is any more. */
  onWait?: ((text: string | null) => void) | undefined
}

/**
 * Runs statements that wait for locks, at most 10 s each; when they time out, the error tells who held them.
 * @throws AppError `database-locked`
 */
export async function withLockWait<T>(
  client: QuerySession,
  connection: PostgresConnection,
  action: () => Promise<T>,
  options: LockWait = {},
): Promise<T> {
  const { waitMs = LOCK_WAIT_MS, what = 'Tables of the live site', onWait = () => {} } = options
  const { rows } = await client.query<{ pid: number }>(
    `SELECT pg_backend_pid() AS pid, set_config('lock_timeout', '${waitMs}', false)`,
  )
  const watch = watchLockHolders(connection, { pid: rows[0]?.pid ?? 0 }, (holders) => {
    onWait(`Waiting for ${holders.map(holderName).join('; ')} to let go of ${what[0]?.toLowerCase()}${what.slice(1)}`)
  })
  try {
    return await action()
  } catch (error) {
    if ((error as { code?: string }).code === '55P03') throw locked(watch.holders(), waitMs, what)
    throw error
  } finally {
    await watch.stop()
    if (watch.holders().length > 0) onWait(null)
  }
}

/**
 * Keeps writers out of the live tables until the transaction ends, once those that are under way are done. A table that
 * somebody else put into the schema, and that this role may not touch, is none of the site's.
 */
export async function lockLiveTables(client: QuerySession, schema: string): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND pg_catalog.has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE')
     ORDER BY c.oid`,
    [schema],
  )
  if (rows.length === 0) return
  const tables = rows.map(({ name }) => `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`).join(', ')
  await client.query(`LOCK TABLE ${tables} IN SHARE ROW EXCLUSIVE MODE`)
}

function locked(holders: LockHolder[], waitMs: number, what: string): AppError {
  return new AppError('database-locked', `${what} were not free within ${waitMs / 1000} s: ${heldBy(holders)}.`, {
    hint: 'Wait until it has ended, or end it on the server (pg_terminate_backend), then run it again.',
    details: { holders },
  })
}
