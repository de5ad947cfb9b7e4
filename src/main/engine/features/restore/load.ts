import { pipeline } from 'node:stream/promises'
import type pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { connectPostgres, type PostgresConnection, quoteIdentifier } from '#engine/foundation/connections/postgres.ts'
import { AppError } from '#shared/errors.ts'
import { checkStatement, type StatementFacts } from './allow-list/index.ts'
import { type Backend, commitUnknown, wasCommitted } from './commit-outcome.ts'
import { lockLiveTables, withLockWait } from './live-lock.ts'
import { asLoadError, statementFailed, UNCHANGED } from './load-errors.ts'
import { type OutsideGuard, watchOutside } from './outside-guard.ts'
import { scriptError } from './script/errors.ts'
import { readScript, type ScriptCopy, type ScriptStatement } from './script/script-reader.ts'

export interface LoadRequest {
  connection: PostgresConnection
  /** Plain SQL bytes. Its end means that everything before it, decryption and gzip, ended well. */
  script: AsyncIterable<Buffer>
  /** The site's schema, which the dump makes. */
  schema: string
  /** The name under which the live schema is kept; null: there is no live schema. */
  keepLiveAs: string | null
  signal: AbortSignal
  onProgress?: (progress: LoadProgress) => void
  /** Told of each statement that is allowed, before it runs. */
  beforeStatement?: (facts: StatementFacts) => Promise<void>
  /**
   * After everything was loaded and checked, right before COMMIT, with the session that loaded it. An error here rolls
   * everything back.
   */
  beforeCommit?: (committing: Committing, client: pg.Client) => Promise<void>
  /** Milliseconds to wait for locks on the live tables; default 10,000. */
  lockWaitMs?: number
  /** Told who the load waits for, and null once it goes on. */
  onLockWait?: (text: string | null) => void
}

export interface LoadProgress {
  /** Bytes of the script that were taken since the last call. */
  bytes: number
  /** What is being done: a table that is filled, else the kind of statement. */
  doing: string
}

/** What tells afterwards whether the COMMIT that is about to be sent took place. */
export interface Committing {
  backend: Backend
  /** Of the schema that is replaced; null: there is none. */
  liveOid: number | null
}

export interface LoadResult {
  statements: number
  rows: number
  tables: string[]
}

/**
 * Loads a dump in place of a site's schema, in one transaction on a connection of its own: other sessions see the old
 * data until COMMIT, and whatever goes wrong leaves the database as it was. Statements go through the allow-list one by
 * one; COMMIT goes out only after the script ended as a whole dump does. Source: docs/formats.md, "Loading a dump".
 * @throws AppError `statement-refused`, `other-schema`, `statement-failed`, `dump-cut`, `script-…`, `rows-lost`,
 * `transaction-ended`, `database-locked`, `commit-unknown`, `cancelled`, and those of the source and of `connectPostgres`
 */
export async function loadDump(request: LoadRequest): Promise<LoadResult> {
  const { signal, connection } = request
  const client = await connectPostgres(connection, signal)
  try {
    return await new Loader(client, request).run()
  } catch (error) {
    throw asLoadError(error, signal)
  } finally {
    // without COMMIT the end of the connection is a rollback
    await closeClient(client)
  }
}

class Loader {
  readonly #client: pg.Client
  readonly #request: LoadRequest
  readonly #tables = new Set<string>()
  #doing = ''
  #bytes = 0
  #statements = 0
  #rows = 0
  #madeSchema = false

  constructor(client: pg.Client, request: LoadRequest) {
    this.#client = client
    this.#request = request
  }

  async run(): Promise<LoadResult> {
    const { script, signal } = this.#request
    const backend = await this.#begin()
    const liveOid = await this.#liveOid()
    await this.#moveLiveAway()
    const outside = await watchOutside(this.#client, this.#request.schema, this.#request.keepLiveAs)
    const onBytes = (bytes: number) => {
      this.#bytes += bytes
      this.#report()
    }
    for await (const item of readScript(script, { onBytes })) {
      signal.throwIfAborted()
      const facts = await checkStatement(item.text, this.#request.schema, item)
      this.#doing = facts.table ?? facts.name
      await this.#request.beforeStatement?.(facts)
      if (item.kind === 'copy') await this.#copy(item, facts)
      else await this.#statement(item, facts)
    }
    if (!this.#madeSchema) throw new AppError('no-schema', `The dump does not make the schema "${this.#request.schema}".`)
    await this.#finish(backend, liveOid, outside)
    return { statements: this.#statements, rows: this.#rows, tables: [...this.#tables] }
  }

  async #begin(): Promise<Backend> {
    const client = this.#client
    await client.query('BEGIN')
    await client.query('SET LOCAL statement_timeout = 0')
    await client.query('SET LOCAL idle_in_transaction_session_timeout = 0')
    const { rows } = await client.query<{ pid: number; started: string }>(
      'SELECT pid, backend_start::text AS started FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()',
    )
    return { pid: rows[0]?.pid ?? 0, startedAt: rows[0]?.started ?? '' }
  }

  async #liveOid(): Promise<number | null> {
    const { rows } = await this.#client.query<{ oid: number }>('SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1', [
      this.#request.schema,
    ])
    return rows[0]?.oid ?? null
  }

  /** Other sessions find the live schema under its name until COMMIT. */
  async #moveLiveAway(): Promise<void> {
    const { schema, keepLiveAs, connection, lockWaitMs, onLockWait } = this.#request
    if (keepLiveAs === null) return
    const client = this.#client
    await withLockWait(
      client,
      connection,
      async () => {
        // only a try: whoever holds the tables is told before the load, not after it
        await client.query('SAVEPOINT try_locks')
        await lockLiveTables(client, schema)
        await client.query('ROLLBACK TO SAVEPOINT try_locks')
        await client.query('RELEASE SAVEPOINT try_locks')
        await client.query(`ALTER SCHEMA ${quoteIdentifier(schema)} RENAME TO ${quoteIdentifier(keepLiveAs)}`)
      },
      { waitMs: lockWaitMs, onWait: onLockWait },
    )
    this.#requireTransaction('moving the live schema away')
  }

  async #statement(item: ScriptStatement, facts: StatementFacts): Promise<void> {
    this.#statements += 1
    if (facts.action === 'skip') return
    if (facts.action === 'copy') throw scriptError('statement-refused', 'COPY without rows', item)
    // the extended protocol takes one statement at a time: the server itself refuses a second one
    const query = { text: item.text, queryMode: 'extended' }
    try {
      await this.#client.query(query)
    } catch (error) {
      throw this.#client.getTransactionStatus() === 'I'
        ? this.#transactionEnded(item.line)
        : statementFailed(error, item.text, item)
    }
    this.#requireTransaction(`line ${item.line} of the dump`)
    if (facts.name === 'CREATE SCHEMA') this.#madeSchema = true
    if (facts.table !== undefined && facts.name === 'CREATE TABLE') this.#tables.add(facts.table)
    this.#rows += facts.rows ?? 0
  }

  async #copy(item: ScriptCopy, facts: StatementFacts): Promise<void> {
    this.#statements += 1
    const { schema } = this.#request
    const columns = facts.columns ? ` (${facts.columns.map(quoteIdentifier).join(', ')})` : ''
    // put together anew: nothing but a table and its columns can be in it
    const target = this.#client.query(
      copyFrom(`COPY ${quoteIdentifier(schema)}.${quoteIdentifier(facts.table ?? '')}${columns} FROM STDIN`),
    )
    try {
      await pipeline(item.rows, target)
    } catch (error) {
      if (error instanceof AppError) throw error
      throw statementFailed(error, item.text, item)
    }
    this.#requireTransaction(`the rows of ${facts.table}`)
    if (target.rowCount !== item.rowCount()) {
      throw scriptError('rows-lost', `${facts.table} has ${item.rowCount()} rows, the server took ${target.rowCount}`, item)
    }
    this.#rows += target.rowCount
  }

  async #finish(backend: Backend, liveOid: number | null, outside: OutsideGuard): Promise<void> {
    const { keepLiveAs, connection, lockWaitMs, onLockWait, signal, beforeCommit } = this.#request
    const client = this.#client
    this.#doing = 'checking constraints'
    this.#report()
    try {
      await client.query('SET CONSTRAINTS ALL IMMEDIATE')
    } catch (error) {
      throw new AppError('statement-failed', `A constraint fails at the end of the dump: ${(error as Error).message}.`)
    }
    // what others write right now belongs to the old data: they finish first
    if (keepLiveAs !== null) {
      const wait = { waitMs: lockWaitMs, onWait: onLockWait }
      await withLockWait(client, connection, () => lockLiveTables(client, keepLiveAs), wait)
    }
    this.#requireTransaction('the whole dump')
    await outside.check()
    await beforeCommit?.({ backend, liveOid }, client)
    signal.throwIfAborted()
    await this.#commit(backend, liveOid)
  }

  async #commit(backend: Backend, liveOid: number | null): Promise<void> {
    let command: string
    try {
      command = (await this.#client.query('COMMIT')).command
    } catch (error) {
      // an answer of the server is a no; a lost connection is neither yes nor no
      if ((error as { code?: string; severity?: string }).severity !== undefined) {
        throw new AppError('statement-failed', `The server did not commit: ${(error as Error).message}. ${UNCHANGED}`)
      }
      const { connection, schema } = this.#request
      const committed = await wasCommitted(connection, schema, liveOid, backend).catch(() => {
        throw commitUnknown(backend, error)
      })
      if (committed) return
      throw error
    }
    if (command !== 'COMMIT')
      throw new AppError('transaction-ended', `The server rolled back instead of committing. ${UNCHANGED}`)
  }

  #requireTransaction(after: string): void {
    if (this.#client.getTransactionStatus() === 'T') return
    throw this.#transactionEnded(after)
  }

  #transactionEnded(after: string | number): AppError {
    return new AppError('transaction-ended', `The server left the transaction after ${after}; the load was stopped at once.`, {
      hint: 'Such a dump must not be loaded. Choose another backup.',
      details: { after },
    })
  }

  #report(): void {
    const bytes = this.#bytes
    this.#bytes = 0
    this.#request.onProgress?.({ bytes, doing: this.#doing })
  }
}

async function closeClient(client: pg.Client): Promise<void> {
  // a backend in the middle of COPY would not hear of a polite end
  if (client.getTransactionStatus() !== 'I') client.connection.stream.destroy()
  await client.end().catch(() => {})
}
