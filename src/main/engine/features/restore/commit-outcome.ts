import { setTimeout as sleep } from 'node:timers/promises'
import { connectPostgres, type PostgresConnection } from '#engine/foundation/connections/postgres.ts'
import { AppError } from '#shared/errors.ts'

const WAIT_MS = 60_000
const LOOK_MS = 200

/** The server process that was asked to commit. */
export interface Backend {
  pid: number
  startedAt: string
}

/**
 * Whether a restore whose COMMIT was not answered took place: the schema is then another object than before. Waits until
 * the server process that had the COMMIT is gone, since until then it may still do it.
 * @param liveOid of the schema before the restore; null: there was none
 * @throws AppError `commit-unknown` when the process does not end, and those of `connectPostgres`
 */
export async function wasCommitted(
  connection: PostgresConnection,
  schema: string,
  liveOid: number | null,
  backend: Backend,
): Promise<boolean> {
  const client = await connectPostgres(connection)
  try {
    for (const start = Date.now(); ; await sleep(LOOK_MS)) {
      const { rows } = await client.query(
        'SELECT 1 FROM pg_catalog.pg_stat_activity WHERE pid = $1 AND backend_start::text = $2',
        [backend.pid, backend.startedAt],
      )
      if (rows.length === 0) break
      if (Date.now() - start > WAIT_MS) throw commitUnknown(backend)
    }
    const { rows } = await client.query<{ oid: number }>('SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1', [schema])
    return (rows[0]?.oid ?? null) !== liveOid
  } finally {
    await client.end()
  }
}

export function commitUnknown(backend: Backend, cause?: unknown): AppError {
  return new AppError('commit-unknown', 'The connection was lost while the server committed; whether it did is not known.', {
    hint: 'When the database can be reached again, see whether the kept schema is there: then the restore is in place.',
    details: { pid: backend.pid },
    cause,
  })
}
