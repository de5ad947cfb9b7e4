import { pipeline } from 'node:stream/promises'
import type pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { connectPostgres, type QuerySession, quoteIdentifier, schemaOid } from '#engine/foundation/connections/postgres.ts'
import { AppError } from '#shared/errors.ts'
import { DumpGate, type DumpTarget, type LeftOut } from './allow-list/dump-gate.ts'
import type { StatementFacts } from './allow-list/facts.ts'
import { type Backend, beginLoading, type ConnectionWatch, endBackend, watchConnection } from './backend.ts'
import { asLoadError, runsAsSuperuser, statementFailed, transactionEnded } from './load-errors.ts'
import { checkWhole, commitLoad, type LoadFrame, moveLiveAway } from './load-frame.ts'
import { type OutsideGuard, watchOutside } from './outside-guard.ts'
import { scriptError } from './script/errors.ts'
import { readScript, type ScriptCopy, type ScriptItem } from './script/script-reader.ts'

export interface LoadRequest extends DumpTarget, LoadFrame {
  /** Plain SQL bytes. Its end means that everything before it, decryption and gzip, ended well. */
  script: AsyncIterable<Buffer>
  signal: AbortSignal
  onProgress?: (progress: LoadProgress) => void
  /** Told of each statement that is allowed, before it runs. */
  beforeStatement?: (facts: StatementFacts) => Promise<void>
  /**
   * After everything was loaded and checked, right before COMMIT, with the session that loaded it. An error here rolls
   * everything back.
   */
  beforeCommit?: (committing: Committing, session: QuerySession) => Promise<void>
  /** Milliseconds without an answer after which the server is asked over another connection; default 20,000. */
  silenceMs?: number
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
  leftOut: LeftOut
}

/**
 * Loads a dump in place of a site's schema, in one transaction on a connection of its own: other sessions see the old
 * data until COMMIT, and whatever goes wrong leaves the database as it was. Statements go through the allow-list one by
 * one; COMMIT goes out only after the script ended as a whole dump does. Source: docs/formats.md, "Loading a dump".
 * @throws AppError `statement-refused`, `other-schema`, `schema-in-text`, `superuser-functions`, `statement-failed`,
 * `dump-cut`, `script-…`, `rows-lost`, `transaction-ended`, `outside-changed`, `database-locked`, `connection-lost`,
 * `commit-unknown`, `cancelled`, and those of the source and of `connectPostgres`
 */
export async function loadDump(request: LoadRequest): Promise<LoadResult> {
  const { signal, connection } = request
  const client = await connectPostgres(connection, signal)
  const loader = new Loader(client, request)
  try {
    return await loader.run()
  } catch (error) {
    const isUnknown = error instanceof AppError && error.code === 'commit-unknown'
    const known = asLoadError(isUnknown ? error : (loader.lost ?? error), signal)
    // a server that builds an index would not notice the end of its connection, and would hold its locks on
    if (loader.backend && (signal.aborted || loader.lost) && !isUnknown) {
      await endBackend(connection, loader.backend)
    }
    throw known
  } finally {
    loader.close()
    // without COMMIT the end of the connection is a rollback
    await closeClient(client)
  }
}

class Loader {
  readonly #client: pg.Client
  readonly #request: LoadRequest
  readonly #gate: DumpGate
  #backend: Backend | null = null
  #watch: ConnectionWatch | null = null
  #isSuperuser = false
  #doing = ''
  #bytes = 0
  #statements = 0
  #rows = 0

  constructor(client: pg.Client, request: LoadRequest) {
    this.#client = client
    this.#request = request
    this.#gate = new DumpGate(request)
  }

  get backend(): Backend | null {
    return this.#backend
  }

  /** Why the connection was given up; null: it was not. */
  get lost(): AppError | null {
    return this.#watch?.lost ?? null
  }

  close(): void {
    this.#watch?.stop()
  }

  async run(): Promise<LoadResult> {
    const { script, schema, dumpSchema = schema, keepLiveAs, connection, silenceMs } = this.#request
    const client = this.#client
    const { backend, isSuperuser } = await beginLoading(client)
    this.#backend = backend
    this.#isSuperuser = isSuperuser
    this.#watch = watchConnection(client, connection, backend, silenceMs)
    const liveOid = await schemaOid(this.#client, this.#request.schema)
    await moveLiveAway(client, this.#request)
    this.#requireTransaction('moving the live schema away')
    const outside = await watchOutside(client, schema, keepLiveAs)
    const onBytes = (bytes: number) => {
      this.#bytes += bytes
      this.#report()
    }
    for await (const item of this.#watch.reading(readScript(script, { onBytes }))) await this.#item(item)
    if (!this.#gate.madeSchema) throw new AppError('no-schema', `The dump does not make the schema "${dumpSchema}".`)
    await this.#finish(backend, liveOid, outside)
    const { tables, leftOut } = this.#gate
    return { statements: this.#statements, rows: this.#rows, tables: [...tables], leftOut }
  }

  async #item(item: ScriptItem): Promise<void> {
    this.#request.signal.throwIfAborted()
    this.#statements += 1
    const passed = await this.#gate.pass(item)
    if (!passed) return
    const { text, facts } = passed
    const [runs] = this.#gate.runs
    if (this.#isSuperuser && runs !== undefined) throw runsAsSuperuser(runs, this.#request.connection.user, item)
    this.#doing = facts.table ?? facts.name
    await this.#request.beforeStatement?.(facts)
    if (item.kind === 'copy') await this.#copy(item, facts)
    else await this.#statement({ ...item, text }, facts)
  }

  async #statement(item: Exclude<ScriptItem, ScriptCopy>, facts: StatementFacts): Promise<void> {
    if (facts.action === 'copy') throw scriptError('statement-refused', 'COPY without rows', item)
    // the extended protocol takes one statement at a time: the server itself refuses a second one
    const query = { text: item.text, queryMode: 'extended' }
    try {
      await this.#client.query(query)
    } catch (error) {
      if (this.#client.getTransactionStatus() === 'I') throw transactionEnded(item.line)
      throw statementFailed(error, { facts, text: item.text, place: item })
    }
    this.#requireTransaction(`line ${item.line} of the dump`)
    this.#rows += facts.rows ?? 0
  }

  async #copy(item: ScriptCopy, facts: StatementFacts): Promise<void> {
    const { schema } = this.#request
    const columns = facts.columns ? ` (${facts.columns.map(quoteIdentifier).join(', ')})` : ''
    // put together anew: nothing but a table and its columns can be in it
    const text = `COPY ${quoteIdentifier(schema)}.${quoteIdentifier(facts.table ?? '')}${columns} FROM STDIN`
    const target = this.#client.query(copyFrom(text))
    const source = { failed: false }
    async function* rows() {
      try {
        yield* item.rows
      } catch (error) {
        source.failed = true
        throw error
      }
    }
    try {
      await pipeline(this.#watch?.reading(rows()) ?? rows(), target)
    } catch (error) {
      if (source.failed || error instanceof AppError) throw error
      throw statementFailed(error, { facts, text, place: item })
    }
    this.#requireTransaction(`the rows of ${facts.table}`)
    if (target.rowCount !== item.rowCount()) {
      throw scriptError('rows-lost', `${facts.table} has ${item.rowCount()} rows, the server took ${target.rowCount}`, item)
    }
    this.#rows += target.rowCount
  }

  async #finish(backend: Backend, liveOid: number | null, outside: OutsideGuard): Promise<void> {
    const { signal, beforeCommit } = this.#request
    this.#doing = 'checking constraints'
    this.#report()
    await checkWhole(this.#client, this.#request, outside)
    this.#requireTransaction('the whole dump')
    await beforeCommit?.({ backend, liveOid }, this.#client)
    signal.throwIfAborted()
    await commitLoad(async () => (await this.#client.query('COMMIT')).command, this.#request, { backend, liveOid })
  }

  #requireTransaction(after: string): void {
    if (this.#client.getTransactionStatus() !== 'T') throw transactionEnded(after)
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
