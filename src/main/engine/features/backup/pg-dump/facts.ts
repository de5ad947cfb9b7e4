import { connectPostgres, type PostgresConnection } from '#engine/foundation/connections/postgres.ts'
import { readError } from '../dump/errors.ts'
import { estimateBytes } from '../dump/estimate.ts'
import { tellingWhoLocks } from '../dump/lock-wait.ts'
import { describeServer, findSchema, refuseUnreadable } from '../dump/server.ts'
import { surveyLeftByPgDump, surveyNotes } from '../dump/survey.ts'

/**
 * What must be known before pg_dump dumps a schema, wherever it runs.
 * @throws AppError `schema-unknown`, `dump-permission`, `database-locked`, `database-lost`, `cancelled` and those of `connectPostgres`
 */
export async function readDumpFacts(
  connection: PostgresConnection,
  schema: string,
  signal: AbortSignal | undefined,
  lockWaitMs: number,
) {
  const client = await connectPostgres(connection, signal)
  try {
    const server = await describeServer(client)
    const schemaOid = await findSchema(client, schema, connection)
    await refuseUnreadable(client, schemaOid, connection.user)
    const session = { client, schemaOid }
    // the size of a table that is locked is not told either
    await client.query(`SET lock_timeout = ${lockWaitMs}`)
    const estimate = await tellingWhoLocks(client, connection, schema, lockWaitMs, () => estimateBytes(client, schemaOid))
    return {
      serverMajor: Math.floor(server.number / 10_000),
      estimate,
      notes: await surveyNotes(session),
      leftOut: await surveyLeftByPgDump(session),
    }
  } catch (error) {
    throw readError(error, `schema "${schema}"`, connection.user, signal)
  } finally {
    await client.end().catch(() => {})
  }
}
