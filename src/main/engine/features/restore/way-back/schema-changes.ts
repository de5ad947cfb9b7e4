import type pg from 'pg'
import { connectPostgres, type PostgresConnection, quoteIdentifier, schemaOid } from '#engine/foundation/connections/postgres.ts'
import { outdated } from '#engine/foundation/plans/plan-shelf.ts'
import { AppError, cancelledError, isCancelled, toAppError } from '#shared/errors.ts'
import { formatSome } from '#shared/format.ts'
import { type Backend, beginLoading, endBackend } from '../backend.ts'
import { commitUnknown, wasCommitted } from '../commit-outcome.ts'
import { lockLiveTables, withLockWait } from '../live-lock.ts'
import type { Committing } from '../load.ts'
import { readOutsideDependents } from './outside-dependents.ts'

const UNCHANGED = 'The database is exactly as before.'

interface SchemaChange {
  connection: PostgresConnection
  signal: AbortSignal
  /** Milliseconds to wait for locks; default 10,000. */
  lockWaitMs?: number | undefined
  onLockWait?: (text: string | null) => void
  /** Right before COMMIT; an error here rolls everything back. */
  beforeCommit?: (committing: Committing) => Promise<void>
}

export interface SwapRequest extends SchemaChange {
  /** The live schema's name. */
  schema: string
  /** The object that has it now; null: none has. */
  liveOid: number | null
  kept: { name: string; oid: number }
  /** The name that what is live now gets; null: there is none. */
  keepLiveAs: string | null
}

/**
 * Makes a kept schema the live one again, in one transaction: others see the one or the other.
 * @throws AppError `plan-outdated`, `database-locked`, `commit-unknown`, `cancelled`
 */
export async function swapSchemas(request: SwapRequest): Promise<void> {
  const { schema, liveOid, kept, keepLiveAs } = request
  await inTransaction(request, { schema, oid: liveOid }, async (client, wait) => {
    if ((await schemaOid(client, schema)) !== liveOid) throw outdated('the live schema is another one')
    if ((await schemaOid(client, kept.name)) !== kept.oid) throw outdated(`the schema ${kept.name} is another one or gone`)
    await wait('Tables of the live site', async () => {
      // writers finish first: what they write belongs to the state that is set aside
      await lockLiveTables(client, schema)
      if (keepLiveAs !== null) await rename(client, schema, keepLiveAs)
      await rename(client, kept.name, schema)
    })
    if ((await schemaOid(client, schema)) !== kept.oid) throw new AppError('not-swapped', 'The schemas were not swapped.')
  })
}

export interface DropRequest extends SchemaChange {
  kept: { name: string; oid: number }
}

/**
 * Deletes a kept schema with all that is in it, and nothing else: with a dependent outside, all stays.
 * @throws AppError `plan-outdated`, `schema-in-use`, `database-locked`, `commit-unknown`, `cancelled`
 */
export async function dropSchema(request: DropRequest): Promise<void> {
  const { kept } = request
  await inTransaction(request, { schema: kept.name, oid: kept.oid }, async (client, wait) => {
    if ((await schemaOid(client, kept.name)) !== kept.oid) throw outdated(`the schema ${kept.name} is another one or gone`)
    await wait(`Tables of ${kept.name}`, async () => {
      // with all of them locked, nothing new can come to depend on them
      await lockAll(client, kept.oid)
      const dependents = await readOutsideDependents(client, kept.oid)
      if (dependents.length > 0) throw inUse(kept.name, dependents)
      await client.query(`DROP SCHEMA ${quoteIdentifier(kept.name)} CASCADE`)
    })
  })
}

type Wait = (what: string, action: () => Promise<void>) => Promise<void>

/** @param watched the name whose object is another one once the transaction took place */
async function inTransaction(
  request: SchemaChange,
  watched: { schema: string; oid: number | null },
  change: (client: pg.Client, wait: Wait) => Promise<void>,
): Promise<void> {
  const { connection, signal, lockWaitMs, onLockWait, beforeCommit } = request
  const client = await connectPostgres(connection, signal)
  let backend: Backend | null = null
  try {
    backend = (await beginLoading(client)).backend
    await change(client, (what, action) =>
      withLockWait(client, connection, action, { waitMs: lockWaitMs, what, onWait: onLockWait }),
    )
    await beforeCommit?.({ backend, liveOid: watched.oid })
    signal.throwIfAborted()
    await commit(client, connection, watched, backend)
  } catch (error) {
    const known = asChangeError(error, signal)
    // a server that waits for a lock would not notice the end of its connection
    if (backend && signal.aborted && known.code !== 'commit-unknown') await endBackend(connection, backend)
    throw known
  } finally {
    // without COMMIT the end of the connection is a rollback
    if (client.getTransactionStatus() !== 'I') client.connection.stream.destroy()
    await client.end().catch(() => {})
  }
}

async function commit(
  client: pg.Client,
  connection: PostgresConnection,
  watched: { schema: string; oid: number | null },
  backend: Backend,
): Promise<void> {
  let command: string
  try {
    command = (await client.query('COMMIT')).command
  } catch (error) {
    // an answer of the server is a no; a lost connection is neither yes nor no
    const { severity } = error as { severity?: string }
    if (severity !== undefined && severity !== 'FATAL') throw error
    const isDone = await wasCommitted(connection, watched.schema, watched.oid, backend).catch(() => {
      throw commitUnknown(backend, error)
    })
    if (isDone) return
    throw error
  }
  if (command !== 'COMMIT') throw new AppError('transaction-ended', 'The server rolled back instead of committing.')
}

async function rename(client: pg.Client, from: string, to: string): Promise<void> {
  await client.query(`ALTER SCHEMA ${quoteIdentifier(from)} RENAME TO ${quoteIdentifier(to)}`)
}

async function lockAll(client: pg.Client, schemaOid: number): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.oid = $1 AND c.relkind IN ('r', 'p') AND pg_catalog.has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE')
     ORDER BY c.oid`,
    [schemaOid],
  )
  if (rows.length > 0) await client.query(`LOCK TABLE ${rows.map(({ name }) => name).join(', ')} IN ACCESS EXCLUSIVE MODE`)
}

function inUse(schema: string, dependents: string[]): AppError {
  return new AppError('schema-in-use', `Outside of ${schema}, something depends on it: ${formatSome(dependents, 3)}.`, {
    hint: 'Change or remove that first, then make the plan again.',
    details: { dependents },
  })
}

function asChangeError(error: unknown, signal: AbortSignal): AppError {
  if (error instanceof AppError && error.code === 'commit-unknown') return error
  if (signal.aborted || isCancelled(error)) return cancelledError()
  const known = toAppError(error)
  const message = /[.!]$/.test(known.message) ? known.message : `${known.message}.`
  return new AppError(known.code === 'internal' ? 'database-refused' : known.code, `${message} ${UNCHANGED}`, {
    hint: known.hint,
    details: known.details,
    cause: error,
  })
}
