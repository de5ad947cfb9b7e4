import { type PostgresConnection, type QuerySession, quoteIdentifier } from '#engine/foundation/connections/postgres.ts'
import { AppError } from '#shared/errors.ts'
import type { Backend } from './backend.ts'
import { commitUnknown, wasCommitted } from './commit-outcome.ts'
import { checkNothingOutside } from './copied-schema.ts'
import { lockLiveTables, withLockWait } from './live-lock.ts'
import { connectionLost, statementFailed, UNCHANGED } from './load-errors.ts'
import type { OutsideGuard } from './outside-guard.ts'

/*
 * What comes before and after the statements of a dump, whoever runs them.
 */

/** What is replaced, and how it is waited for. */
export interface LoadFrame {
  /** The way of this computer to the database. */
  connection: PostgresConnection
  /** The schema that is written: the site's own. */
  schema: string
  /** The schema that the dump makes; default `schema`. */
  dumpSchema?: string | undefined
  /** The name under which the live schema is kept; null: there is no live schema. */
  keepLiveAs: string | null
  /** Milliseconds to wait for locks on the live tables; default 10,000. */
  lockWaitMs?: number
  /** Told who the load waits for, and null once it goes on. */
  onLockWait?: (text: string | null) => void
}

/** Other sessions find the live schema under its name until COMMIT. @throws AppError `database-locked` */
export async function moveLiveAway(session: QuerySession, frame: LoadFrame): Promise<void> {
  const { connection, schema, keepLiveAs, lockWaitMs, onLockWait } = frame
  if (keepLiveAs === null) return
  await withLockWait(
    session,
    connection,
    async () => {
      // only a try: whoever holds the tables is told before the load, not after it
      await session.query('SAVEPOINT try_locks')
      await lockLiveTables(session, schema)
      await session.query('ROLLBACK TO SAVEPOINT try_locks')
      await session.query('RELEASE SAVEPOINT try_locks')
      await session.query(`ALTER SCHEMA ${quoteIdentifier(schema)} RENAME TO ${quoteIdentifier(keepLiveAs)}`)
    },
    { waitMs: lockWaitMs, onWait: onLockWait },
  )
}

/**
 * Once the whole dump was run: constraints hold, nothing outside was touched, and no writer is left in the live tables.
 * @throws AppError `statement-failed`, `schema-in-text`, `database-locked`, `outside-changed`: nothing must be committed
 */
export async function checkWhole(session: QuerySession, frame: LoadFrame, outside: OutsideGuard): Promise<void> {
  const { connection, schema, dumpSchema = schema, keepLiveAs, lockWaitMs, onLockWait } = frame
  try {
    await session.query('SET CONSTRAINTS ALL IMMEDIATE')
  } catch (error) {
    throw statementFailed(error, { text: 'SET CONSTRAINTS ALL IMMEDIATE', place: null })
  }
  if (dumpSchema !== schema) await checkNothingOutside(session, schema, dumpSchema)
  // what others write right now belongs to the old data: they finish first
  if (keepLiveAs !== null) {
    const wait = { waitMs: lockWaitMs, onWait: onLockWait }
    await withLockWait(session, connection, () => lockLiveTables(session, keepLiveAs), wait)
  }
  await outside.check()
}

/**
 * Commits, and finds out whether that took place when the answer is lost.
 * @param send resolves with what the server did: `COMMIT`, or else it rolled back
 * @throws AppError `statement-failed`, `transaction-ended`, `connection-lost`: not committed; `commit-unknown`
 */
export async function commitLoad(
  send: () => Promise<string>,
  { connection, schema }: Pick<LoadFrame, 'connection' | 'schema'>,
  { backend, liveOid }: { backend: Backend; liveOid: number | null },
): Promise<void> {
  let command: string
  try {
    command = await send()
  } catch (error) {
    // an answer of the server is a no; a lost connection is neither yes nor no
    const answer = error as { code?: string; severity?: string; message: string }
    if (answer.severity !== undefined && answer.severity !== 'FATAL') {
      throw new AppError('statement-failed', `The server did not commit: ${answer.message}. ${UNCHANGED}`)
    }
    const committed = await wasCommitted(connection, schema, liveOid, backend).catch(() => {
      throw commitUnknown(backend, error)
    })
    if (committed) return
    throw connectionLost(answer, null)
  }
  if (command !== 'COMMIT') throw new AppError('transaction-ended', `The server rolled back instead of committing. ${UNCHANGED}`)
}
