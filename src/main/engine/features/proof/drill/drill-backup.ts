import { type OpenPart, openPart } from '#engine/features/restore/index.ts'
import { connectPostgres } from '#engine/foundation/connections/postgres.ts'
import { readTar, type TarEntry } from '#engine/foundation/content/read-tar.ts'
import { belongsTo } from '#engine/foundation/repository/names.ts'
import type { Repository } from '#engine/foundation/repository/types.ts'
import type { Workers } from '#engine/foundation/workers.ts'
import { formatCount, formatPlural } from '#shared/format.ts'
import type { BackupEntry, PartKind } from '#shared/model/backup.ts'
import type { DrillCheck, DrillReport } from '#shared/model/drill.ts'
import type { JobUnit } from '#shared/model/job.ts'
import { attempt, type CheckId, type Copy, checkOf, type Finding, failed, passed, unknown, warning } from './checks/check.ts'
import { checkConfig } from './checks/config.ts'
import { checkEdges } from './checks/edges.ts'
import { checkForeignKeys } from './checks/foreign-keys.ts'
import { checkMedia } from './checks/media.ts'
import { checkNewest, readNewest } from './checks/newest.ts'
import { checkRowCounts, type EarlierCounts } from './checks/row-counts.ts'
import { checkSequences } from './checks/sequences.ts'
import { checkTables, countRows } from './checks/tables.ts'
import { NO_HEAD } from './dump-head.ts'
import { type LoadFailure, saysSomething } from './outside-needs.ts'
import { type RestoredCopy, restoreCopy } from './restore-copy.ts'
import { makeScratchDatabase, type ScratchDatabase } from './scratch-database.ts'

/** An earlier drill of the same site, to compare with. */
export interface EarlierDrill extends EarlierCounts {
  /** The newest change that it found, ISO UTC; null: none. */
  newest: string | null
}

/** A backup's files and names: nothing with which a site's database could be reached. */
export interface DrillRequest {
  repository: Repository
  /** As the listing has it. */
  entry: BackupEntry
  /** Tried in order on each encrypted part. */
  passwords: readonly string[]
  /** The name of the site's schema; null: not known. */
  siteSchema: string | null
  /** null: no earlier backup was drilled. */
  earlier: EarlierDrill | null
  /** The home's scratch folder. */
  scratch: string
  program: string
  workers: Workers
  signal: AbortSignal
  progress: DrillProgress
}

/** Where a drill tells how far it is. */
export interface DrillProgress {
  phase(name: string, total?: number | null, unit?: JobUnit): void
  advance(amount: number): void
}

export interface Drilled {
  report: DrillReport
  /** The newest `rsc.modified`, ISO UTC; null: none, or it did not load. */
  newest: string | null
  /** What it takes to look at the scratch database that was kept; null: none was. */
  kept: { database: string; user: string } | null
}

/**
 * Restores a backup into a PostgreSQL of its own and looks at what came out. What is wrong with the backup is in the
 * report and never thrown. After a failure the scratch database stays, stopped, in `report.keptIn`; else nothing stays.
 * Source: docs/formats.md, "Drill".
 * @throws AppError `cancelled`, `disk-full`, `password-needed`, `changed-while-reading`, and those of `startCluster`
 */
export async function drillBackup(request: DrillRequest): Promise<Drilled> {
  const { entry, program, signal, progress } = request
  const startedAt = new Date()
  const dumpBytes = entry.parts.find(({ part }) => part === 'database')?.size ?? 0
  progress.phase('Starting a scratch database')
  const scratch = await makeScratchDatabase({ scratch: request.scratch, program, dumpBytes, signal })
  let isKept = false
  try {
    const copy = await restore(request, scratch, dumpBytes)
    const found = copy.failure ? notLoaded(copy.failure) : await examine(request, scratch, copy)
    const checks = [...found.checks, await lookAtConfig(request, copy.head.schema)]
    const outcome = outcomeOf(checks)
    if (outcome === 'failed') {
      await scratch.keep()
      isKept = true
    }
    const report: DrillReport = {
      outcome,
      startedAt: startedAt.toISOString(),
      recoverySeconds: copy.failure ? null : toMilliseconds(copy.recoverySeconds),
      seconds: toMilliseconds((Date.now() - startedAt.getTime()) / 1000),
      server: scratch.server,
      tables: Object.keys(found.rowCounts).length,
      rows: Object.values(found.rowCounts).reduce((sum, count) => sum + count, 0),
      checks,
      rowCounts: found.rowCounts,
      keptIn: isKept ? scratch.folder : null,
    }
    const kept = isKept ? { database: scratch.connection.database, user: scratch.lookAs } : null
    return { report, newest: found.newest?.toISOString() ?? null, kept }
  } finally {
    if (!isKept) await scratch.remove()
  }
}

function toMilliseconds(seconds: number): number {
  return Math.round(seconds * 1000) / 1000
}

/** Only the load tells "can't be drilled here"; what a check does not know otherwise is no fault of the backup. */
function outcomeOf(checks: DrillCheck[]): DrillReport['outcome'] {
  if (checks.some(({ outcome }) => outcome === 'failed')) return 'failed'
  return checks.some(({ id, outcome }) => id === 'load' && outcome === 'unknown') ? 'unknown' : 'passed'
}

async function restore(request: DrillRequest, scratch: ScratchDatabase, dumpBytes: number): Promise<RestoredCopy> {
  const { progress } = request
  const part = await findPart(request, 'database')
  if ('problem' in part) {
    return { head: NO_HEAD, failure: { outcome: 'failed', finding: part.problem ?? 'The backup has no database' } }
  }
  progress.phase('Restoring the database', dumpBytes, 'bytes')
  return restoreCopy(scratch, { ...request, ...part, onBytes: (bytes) => progress.advance(bytes) })
}

interface Examined {
  checks: DrillCheck[]
  rowCounts: Record<string, number>
  newest: Date | null
}

function notLoaded(failure: LoadFailure): Examined {
  const skipped: CheckId[] = ['tables', 'rows', 'newest', 'edges', 'foreign-keys', 'sequences', 'media']
  const checks = [checkOf('load', failure), ...skipped.map((id) => checkOf(id, unknown('The database did not load')))]
  return { checks, rowCounts: {}, newest: null }
}

async function examine(
  request: DrillRequest,
  scratch: ScratchDatabase,
  copy: Extract<RestoredCopy, { failure: null }>,
): Promise<Examined> {
  const { entry, earlier, signal, progress } = request
  progress.phase('Looking at the restored database', null, 'steps')
  const client = await connectPostgres(scratch.connection, signal)
  try {
    // names of the dump's own making must not stand in for PostgreSQL's
    await client.query(`SET search_path = pg_catalog; SET statement_timeout = '15min'; SET timezone = 'UTC'`)
    const rowCounts = await countRows({ client, schema: copy.schema })
    const view: Copy = { client, schema: copy.schema, rowCounts, signal }
    let newest: Date | null = null
    const checks = [
      checkOf('load', loaded(copy, rowCounts)),
      checkOf('schema', checkSchema(copy.schema, request.siteSchema)),
      checkOf('tables', checkTables(view)),
      checkOf('rows', checkRowCounts(rowCounts, earlier)),
      await attempt('newest', signal, async () => {
        newest = await readNewest(view)
        const before = earlier?.newest ? { name: earlier.name, newest: new Date(earlier.newest) } : null
        return checkNewest(newest, entry.timestamp, before)
      }),
      await attempt('edges', signal, () => checkEdges(view)),
      await attempt('foreign-keys', signal, () => checkForeignKeys(view)),
      await attempt('sequences', signal, () => checkSequences(view)),
      await attempt('media', signal, () => lookAtMedia(request, view)),
    ]
    return { checks, rowCounts, newest }
  } finally {
    // a COPY that was given up would not hear of a polite end
    if (client.getTransactionStatus() !== 'I') client.connection.stream.destroy()
    await client.end().catch(() => {})
  }
}

function loaded({ loaded }: Extract<RestoredCopy, { failure: null }>, rowCounts: Record<string, number>): Finding {
  const counted = Object.values(rowCounts).reduce((sum, count) => sum + count, 0)
  if (counted !== loaded.rows) {
    return warning(`The dump has ${formatCount(loaded.rows)} rows, the restored tables have ${formatCount(counted)}`)
  }
  return passed(`${formatPlural(loaded.statements, 'statement')} up to the completion line, ${formatPlural(loaded.rows, 'row')}`)
}

function checkSchema(made: string, wanted: string | null): Finding {
  if (wanted === null) return passed(`The dump makes “${made}”`)
  return made === wanted
    ? passed(`The dump makes “${made}”, as the site uses`)
    : warning(`The dump makes “${made}”, but the site uses “${wanted}”: as it is, it can’t be restored onto the site`)
}

async function lookAtMedia(request: DrillRequest, view: Copy): Promise<Finding> {
  return lookInside(request, 'files', 'The backup has no media: they are kept elsewhere', (archive) => checkMedia(view, archive))
}

async function lookAtConfig(request: DrillRequest, schema: string | null): Promise<DrillCheck> {
  return attempt('config', request.signal, () =>
    lookInside(request, 'config', 'The backup has no configuration', (archive) => checkConfig(archive, schema)),
  )
}

/** Opens an archive of the backup; one that can't be read fails, and one that is not there is not known. */
async function lookInside(
  request: DrillRequest,
  kind: 'files' | 'config',
  none: string,
  look: (archive: AsyncIterable<TarEntry>) => Promise<Finding>,
): Promise<Finding> {
  const { repository, passwords, workers, signal, progress } = request
  const found = await findPart(request, kind)
  if ('problem' in found) return found.problem === null ? unknown(none) : failed(found.problem)
  progress.phase(kind === 'files' ? 'Reading the media archive' : 'Reading the configuration', found.size, 'bytes')
  let part: OpenPart | null = null
  try {
    part = await openPart({
      repository,
      part: { file: found.file, version: found.version, isEncrypted: found.file.endsWith('.enc') },
      passwords,
      workers,
      signal,
      onBytes: (bytes) => progress.advance(bytes),
    })
    return await look(readTar(part.content))
  } catch (error) {
    if (!saysSomething(error)) throw error
    return failed(error.message.replace(/^The (?:media )?archive/, found.file).replace(/\.$/, ''))
  } finally {
    part?.close()
  }
}

/** A part's file as it lies there; `problem` null: the backup has no such part. */
async function findPart(
  { entry, repository }: DrillRequest,
  kind: PartKind,
): Promise<{ file: string; version: string; size: number } | { problem: string | null }> {
  const part = entry.parts.find((known) => known.part === kind)
  if (!part || part.trouble === 'not-uploaded') return { problem: null }
  if (!belongsTo(entry.name, part.file)) return { problem: 'The index names no file of this backup' }
  const facts = await repository.stat(part.file)
  return facts ? { file: part.file, version: facts.version, size: facts.size } : { problem: `${part.file} is missing` }
}
