import { Readable } from 'node:stream'
import type { PostgresConnection } from '#engine/foundation/connections/postgres.ts'
import { readError } from './errors.ts'
import { estimateBytes } from './estimate.ts'
import { type ReadSchema, readWholeSchema } from './read-schema.ts'
import { COMPLETION, writeScript } from './script.ts'
import { openSnapshot, type Snapshot } from './session.ts'

export interface DumpOptions {
  connection: PostgresConnection
  schema: string
  /** Ends the stream with `cancelled`, and the server's backend with it. */
  signal?: AbortSignal
  /** How long to wait for whoever changes the form of a table; default 30,000 ms. */
  lockWaitMs?: number
  /** Called for each piece with the bytes added by it, so that `job.advance` fits. */
  onProgress?: (bytes: number) => void
}

/** What is known of the snapshot before the first byte. */
export interface DumpFacts {
  /** "15.18 (Debian 15.18-0+deb12u1)". */
  serverVersion: string
  /** 150018. */
  serverVersionNumber: number
  /** When the snapshot was taken, by this computer's clock. */
  startedAt: Date
  tableCount: number
  /** What stays behind because it belongs to the database and not to the schema; sentences for the job's log. */
  notes: string[]
  /** Extensions and roles that a database needs before the dump can be loaded. */
  extensions: string[]
  roles: string[]
}

export interface SchemaDump {
  /**
   * Plain SQL bytes (UTF-8). Ends only when everything came and the completion line is out; any error destroys it with an
   * AppError. Must be read or destroyed: it holds a connection with a snapshot.
   */
  stream: Readable
  /** About how many bytes will come; see `estimateDumpBytes`. */
  estimate: number
  facts: DumpFacts
}

/**
 * Dumps one schema as a plain script that psql, the server's own restore and our loader accept, as
 * `pg_dump --quote-all-identifiers -n SCHEMA` would, from one REPEATABLE READ snapshot. Everything that can be refused is
 * refused here, before the first byte.
 * @throws AppError `dump-unsupported` (names every object; `details.objects`), `dump-permission`, `schema-unknown`,
 * `database-locked`, `database-lost`, `dump-failed`, `cancelled`, and those of `connectPostgres`
 * Source: docs/formats.md, "Backup directory" and "Restoring".
 */
export async function dumpSchema(options: DumpOptions): Promise<SchemaDump> {
  const { connection, schema, signal } = options
  const snapshot = await openSnapshot(connection, schema, signal, options.lockWaitMs)
  try {
    const read = await readWholeSchema(snapshot)
    const estimate = await estimateBytes(snapshot.client, snapshot.schemaOid)
    signal?.throwIfAborted()
    return {
      stream: new DumpStream(snapshot, read, options),
      estimate,
      facts: {
        serverVersion: snapshot.serverVersion,
        serverVersionNumber: snapshot.serverVersionNumber,
        startedAt: snapshot.startedAt,
        tableCount: read.tableCount,
        notes: read.notes,
        extensions: read.extensions,
        roles: read.roles,
      },
    }
  } catch (error) {
    const explained = readError(error, `schema "${schema}"`, connection.user, signal)
    snapshot.abandon()
    throw explained
  }
}

/** Pulls the script piece by piece; being destroyed, by whomever, takes the server's backend along. */
class DumpStream extends Readable {
  readonly #snapshot: Snapshot
  readonly #pieces: AsyncGenerator<Buffer, void, void>
  readonly #options: DumpOptions
  readonly #onAbort: () => void
  #doing: string

  constructor(snapshot: Snapshot, read: ReadSchema, options: DumpOptions) {
    super({ highWaterMark: 256 * 1024 })
    this.#snapshot = snapshot
    this.#options = options
    this.#doing = `schema "${options.schema}"`
    this.#pieces = writeScript(snapshot, read, (what) => {
      this.#doing = what
    })
    this.#onAbort = () => this.destroy(this.#explain(new DOMException('', 'AbortError')))
    options.signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  override _read(): void {
    this.#pull().catch((error: unknown) => this.destroy(this.#explain(error)))
  }

  async #pull(): Promise<void> {
    const { done, value } = await this.#pieces.next()
    if (!done) {
      this.#options.onProgress?.(value.length)
      this.push(value)
      return
    }
    // the completion says that everything came, so the transaction must have ended well before it
    await this.#snapshot.client.query('COMMIT')
    await this.#snapshot.close()
    this.#options.onProgress?.(COMPLETION.length)
    this.push(COMPLETION)
    this.push(null)
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
    this.#snapshot.abandon()
    this.#pieces.return().catch(() => {})
    callback(error)
  }

  #explain(error: unknown): Error {
    return readError(error, this.#doing, this.#options.connection.user, this.#options.signal)
  }
}
