import type pg from 'pg'
import { type LoadResult, loadDump, type OpenPart, openPart, type StatementFacts } from '#engine/features/restore/index.ts'
import { connectPostgres, quoteIdentifier } from '#engine/foundation/connections/postgres.ts'
import type { Repository } from '#engine/foundation/repository/types.ts'
import type { Workers } from '#engine/foundation/workers.ts'
import { type DumpHead, NO_HEAD, readDumpHead } from './dump-head.ts'
import { extensionOf, judgeLoadError, type LoadFailure } from './outside-needs.ts'
import type { ScratchDatabase } from './scratch-database.ts'

export interface CopyRequest {
  repository: Repository
  /** The stored file of the database part. */
  file: string
  version: string
  passwords: readonly string[]
  workers: Workers
  signal: AbortSignal
  /** Bytes of the stored file. */
  onBytes: (bytes: number) => void
}

/** A backup's database, restored into a scratch database; or why it was not. */
export type RestoredCopy =
  | { failure: LoadFailure; head: DumpHead }
  | { failure: null; head: DumpHead; schema: string; loaded: LoadResult; recoverySeconds: number }

/**
 * Restores a dump into a scratch database, as the role that has no rights beyond it, and measures the time from the
 * first byte read to a database that answers with its constraints in place.
 * @throws AppError for whatever says nothing about the backup: `cancelled`, `changed-while-reading`, `password-needed`, …
 */
export async function restoreCopy(scratch: ScratchDatabase, request: CopyRequest): Promise<RestoredCopy> {
  const started = performance.now()
  const { repository, file, version, passwords, workers, signal, onBytes } = request
  let head = NO_HEAD
  let part: OpenPart | null = null
  try {
    part = await openPart({
      repository,
      part: { file, version, isEncrypted: file.endsWith('.enc') },
      passwords,
      workers,
      signal,
      onBytes,
    })
    const opened = await readDumpHead(part.content)
    head = opened.head
    const { schema } = head
    if (schema === null) return { head, failure: { outcome: 'failed', finding: 'it makes no schema, as a dump of a site does' } }
    const newer = newerVersion(head.serverMajor, scratch)
    if (newer !== null) return { head, failure: { outcome: 'unknown', finding: newer } }
    await prepareSchema(scratch, schema)
    const loaded = await loadDump({
      connection: scratch.connection,
      script: opened.whole,
      schema,
      keepLiveAs: null,
      signal,
      beforeStatement: outsideNeeds(scratch, schema),
    })
    await requireAnswer(scratch, signal)
    return { failure: null, head, schema, loaded, recoverySeconds: (performance.now() - started) / 1000 }
  } catch (error) {
    const failure = judgeLoadError(error, head.schema ?? '')
    const newer = newerVersion(head.dumperMajor, scratch)
    // a newer pg_dump may have written what only newer servers understand
    return { head, failure: newer === null ? failure : { outcome: 'unknown', finding: `${newer} (${failure.finding})` } }
  } finally {
    part?.close()
  }
}

function newerVersion(major: number | null, { server, majorVersion }: ScratchDatabase): string | null {
  if (major === null || major <= majorVersion) return null
  return `the dump is of PostgreSQL ${major}, the built-in one is ${server}: this backup can’t be drilled here`
}

/** The dump makes its schema, also when that is the one which every new database has. */
async function prepareSchema(scratch: ScratchDatabase, schema: string): Promise<void> {
  if (schema === 'public') await scratch.asSuperuser((client) => client.query('DROP SCHEMA public'))
}

/**
 * Makes what a dump takes for granted, right before it is named: its roles, without the right to log in, and those of
 * its extensions that the built-in PostgreSQL has. What else is missing shows in the load.
 */
function outsideNeeds(scratch: ScratchDatabase, schema: string): (facts: StatementFacts) => Promise<void> {
  const roles = new Set<string>()
  const tried = new Set<string>()
  let mainOwner: string | null = null
  return async (facts) => {
    const missing = [...new Set([...facts.owners, ...facts.roles])].filter((role) => !roles.has(role) && !isBuiltIn(role))
    const wanted = facts.references.filter((reference) => !tried.has(reference) && isOfExtension(reference, schema))
    if (missing.length === 0 && wanted.length === 0) return
    await scratch.asSuperuser(async (client) => {
      for (const role of missing) {
        roles.add(role)
        await makeRole(client, role, scratch.role, mainOwner)
      }
      const owner = facts.owners.find((role) => !isBuiltIn(role))
      if (mainOwner === null && owner !== undefined) {
        mainOwner = owner
        // as on the live server: the owner of the site's schema may make things in it
        await client.query(`ALTER DATABASE ${quoteIdentifier(scratch.connection.database)} OWNER TO ${quoteIdentifier(owner)}`)
      }
      for (const reference of wanted) {
        tried.add(reference)
        await makeExtension(client, reference)
      }
    })
  }
}

function isBuiltIn(role: string): boolean {
  return role.startsWith('pg_') || ['public', 'none', 'current_user', 'session_user', 'current_role'].includes(role)
}

/** The loading role may make it an owner; what it owns it may keep in the main owner's schema. */
async function makeRole(client: pg.Client, role: string, loader: string, mainOwner: string | null): Promise<void> {
  const name = quoteIdentifier(role)
  await client.query(`CREATE ROLE ${name} NOLOGIN`)
  await client.query(`GRANT ${name} TO ${quoteIdentifier(loader)}`)
  if (mainOwner !== null) await client.query(`GRANT ${quoteIdentifier(mainOwner)} TO ${name}`)
}

function isOfExtension(reference: string, schema: string): boolean {
  const dot = reference.indexOf('.')
  return reference.slice(0, dot) !== schema && extensionOf(reference.slice(dot + 1)) !== null
}

async function makeExtension(client: pg.Client, reference: string): Promise<void> {
  const dot = reference.indexOf('.')
  const extension = extensionOf(reference.slice(dot + 1)) ?? ''
  const { rows } = await client.query(
    `SELECT 1 FROM pg_catalog.pg_available_extensions WHERE name = $1 AND installed_version IS NULL`,
    [extension],
  )
  if (rows.length === 0) return
  const place = quoteIdentifier(reference.slice(0, dot))
  await client.query(`CREATE SCHEMA IF NOT EXISTS ${place}`)
  await client.query(`GRANT USAGE ON SCHEMA ${place} TO PUBLIC`)
  await client.query(`CREATE EXTENSION IF NOT EXISTS ${quoteIdentifier(extension)} SCHEMA ${place} CASCADE`)
}

/** A new session finds the data, and no constraint is left to be checked. */
async function requireAnswer(scratch: ScratchDatabase, signal: AbortSignal): Promise<void> {
  const client = await connectPostgres(scratch.connection, signal)
  try {
    await client.query('SELECT count(*) FROM pg_catalog.pg_constraint')
  } finally {
    await client.end()
  }
}
