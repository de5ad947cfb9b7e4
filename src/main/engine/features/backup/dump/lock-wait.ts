import type pg from 'pg'
import { watchLockHolders } from '#engine/foundation/connections/lock-holders.ts'
import type { PostgresConnection } from '#engine/foundation/connections/postgres.ts'
import { errorCode, lockedError } from './errors.ts'

/**
 * Runs what may wait for locks, up to the session's `lock_timeout`, and tells who held them when it took too long.
 * @throws AppError `database-locked`
 */
export async function tellingWhoLocks<T>(
  client: pg.Client,
  connection: PostgresConnection,
  schema: string,
  lockWaitMs: number,
  action: () => Promise<T>,
): Promise<T> {
  const watch = watchLockHolders(connection, { pid: Number(Reflect.get(client, 'processID')) })
  try {
    return await action()
  } catch (error) {
    if (errorCode(error) === '55P03') throw lockedError(`schema "${schema}"`, lockWaitMs, watch.holders(), error)
    throw error
  } finally {
    await watch.stop()
  }
}
