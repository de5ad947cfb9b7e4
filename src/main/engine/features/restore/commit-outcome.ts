import { setTimeout as sleep } from 'node:timers/promises'
import { connectPostgres, type PostgresConnection, schemaOid } from '#engine/foundation/connections/postgres.ts'
import { AppError } from '#shared/errors.ts'
import { type Backend, backendState, terminateBackend } from './backend.ts'

const WAIT_MS = 60_000
const LOOK_MS = 200

/**
 * Whether a restore whose COMMIT was not answered took place: the schema is then another object than before. Waits until
 * the server process that had the COMMIT is gone, since until then it may still do it; one that does nothing is ended.
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
      const state = await backendState(client, backend)
      if (state === 'gone') break
      // it has done the COMMIT, or never got it: then it must not get it later
      if (state === 'waits-for-us') await terminateBackend(client, backend)
      if (Date.now() - start > WAIT_MS) throw commitUnknown(backend)
    }
    return (await schemaOid(client, schema)) !== liveOid
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
