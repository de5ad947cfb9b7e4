import { heldBy, type LockHolder } from '#engine/foundation/connections/lock-holders.ts'
import { AppError, cancelledError, isCancelled } from '#shared/errors.ts'

/** How long a dump waits for whoever changes the form of a table. */
export const LOCK_WAIT_MS = 30_000

/** Something in the schema that this engine does not write. */
export interface UnsupportedObject {
  /** In words: `foreign table`, `row security policy`. */
  kind: string
  name: string
}

const PG_DUMP_HINT =
  'Nothing was written. Choose auto or pg_dump as the dump engine of this site (zbd backup --engine pg_dump for once): it writes more kinds of objects, and what it leaves out is listed with the backup.'

/** `dump-unsupported`: names every object; `details.objects` has them as data. */
export function unsupportedError(schema: string, objects: readonly UnsupportedObject[]): AppError {
  const list = objects.map((object) => `${object.kind} ${object.name}`).join(', ')
  return new AppError(
    'dump-unsupported',
    `The built-in dump engine would not copy everything in schema "${schema}", so it refuses. It does not handle: ${list}.`,
    { hint: PG_DUMP_HINT, details: { schema, objects: objects.map((object) => ({ ...object })) } },
  )
}

export function schemaUnknownError(schema: string, database: string): AppError {
  return new AppError('schema-unknown', `Database "${database}" has no schema "${schema}".`, {
    hint: 'Check the schema name in the site’s settings.',
    details: { schema, database },
  })
}

/** `dump-permission`, with the server's own words for each object. */
export function permissionError(user: string, denials: readonly string[], cause?: unknown): AppError {
  return new AppError(
    'dump-permission',
    `The backup needs to read everything, and PostgreSQL does not let user "${user}" do so: ${denials.join(', ')}.`,
    {
      hint: 'Let the owner of the schema make the backup, or grant this user the right to read (GRANT SELECT).',
      details: { user, denials: [...denials] },
      cause,
    },
  )
}

/**
 * `database-locked`: somebody changes a table's form, and kept the backup waiting for too long.
 * @param doing what was to be read, e.g. `schema "s"`
 */
export function lockedError(doing: string, waitMs: number, holders: LockHolder[], cause?: unknown): AppError {
  return new AppError(
    'database-locked',
    `The backup could not read ${doing} within ${waitMs / 1000} s: the lock on a table is ${heldBy(holders)}.`,
    {
      hint: 'Somebody is changing the tables right now. Wait until it has ended, or end it on the server (pg_terminate_backend), then run it again.',
      details: { doing, holders },
      cause,
    },
  )
}

/**
 * What went wrong while the schema was read, as an AppError: `dump-permission`, `database-locked`, `dump-failed`,
 * `database-lost`, `cancelled`.
 * @param doing what was being read, e.g. `table "s"."t"`
 */
export function readError(error: unknown, doing: string, user: string, signal?: AbortSignal): AppError {
  if (signal?.aborted || isCancelled(error)) return cancelledError()
  if (error instanceof AppError) return error
  const { code, message } = errorFacts(error)
  if (code === '42501') return permissionError(user, [message], error)
  if (code === '55P03') return lockedError(doing, LOCK_WAIT_MS, [], error)
  // an SQLSTATE has five characters; 57P01..57P03 and class 08 say that the server went away
  if (code && /^[0-9A-Z]{5}$/.test(code) && !/^(57P0|08)/.test(code)) {
    return new AppError('dump-failed', `PostgreSQL reported an error while ${doing} was read: ${message}.`, {
      hint: 'The backup was not finished; earlier backups are unchanged.',
      details: { doing, sqlState: code },
      cause: error,
    })
  }
  return new AppError('database-lost', `The connection to PostgreSQL was lost while ${doing} was read: ${message}.`, {
    hint: 'The backup was not finished; earlier backups are unchanged. Try again when the server is back.',
    details: { doing, system: code ?? null },
    cause: error,
  })
}

function errorFacts(error: unknown): { code: string | undefined; message: string } {
  if (!(error instanceof Error)) return { code: undefined, message: String(error) }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  return { code, message: error.message.replace(/\.$/, '') }
}

/** The SQLSTATE or system code of a thrown error, when it has one. */
export function errorCode(error: unknown): string | undefined {
  return errorFacts(error).code
}
