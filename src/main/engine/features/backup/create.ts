import { rm } from 'node:fs/promises'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { JobContext, JobHandle } from '#engine/foundation/jobs/types.ts'
import { noRateLimit } from '#engine/foundation/rate-limit.ts'
import { partFileName } from '#engine/foundation/repository/names.ts'
import { readRotationIndexes } from '#engine/foundation/repository/open.ts'
import { sharedLimit } from '#engine/foundation/shared-limit.ts'
import { AppError } from '#shared/errors.ts'
import { formatBytes, formatPlural, isoSeconds } from '#shared/format.ts'
import type { PartKind, RepositoryName } from '#shared/model/backup.ts'
import { type DumpEngine, dumpSettingsSchema, type Site } from '#shared/model/site.ts'
import type { DumpChoice } from './database-dump.ts'
import { estimatedBackupBytes } from './free-space.ts'
import { checkPart } from './part-check.ts'
import { type BackupProblem, openPartSources, type PartSource } from './part-sources.ts'
import { type StoredPart, writePart } from './part-writer.ts'
import { chooseName, unixSeconds } from './slot-choice.ts'
import { type BackupTarget, openTarget } from './target.ts'

/** Problems that a result lists one by one; a folder full of links must not fill the journal. */
const LISTED_PROBLEMS = 200

export interface BackupRequest {
  site: string
  to: RepositoryName
  /** Leaves the media out; the configuration goes along, as the server does. */
  databaseOnly: boolean
  /** For this backup alone; default: the site's. */
  engine?: DumpEngine
  /** gzip level for this backup alone, 1 to 9; default: the site's. */
  compression?: number
  /** A name outside of the rotation, for a safety backup in the vault; default: the slot of today. */
  name?: string
}

export interface BackupResult {
  name: string
  /** ISO UTC to the second: the backup's start. */
  timestamp: string
  repository: RepositoryName
  /** Which engine read the database, and why. */
  dump: DumpChoice
  /** Bytes as stored, and the lower-case hex SHA-256 of the stored file. */
  parts: { part: PartKind; file: string; size: number; hash: string }[]
  /** What is not, or not wholly, in it: the first 200. */
  problems: BackupProblem[]
  problemCount: number
  seconds: number
}

/** A part whose file is complete and still has the name of a file for the making. */
interface MadePart extends StoredPart {
  part: PartKind
  file: string
  path: string
}

/**
 * Backs a site up now, as a job that holds the site. All parts are made and read back to the end before anything of
 * the repository changes; whatever fails, and a cancel, leaves it exactly as it was.
 * Source: docs/formats.md, "Backup directory".
 *
 * The job fails with AppError `encryption-no-password`, `no-server`, `scheme-conflict`, `slot-newer`, `disk-full`,
 * `media-unreadable`, `part-unreadable`, those of the dump, the connection and the repository.
 */
export function startBackup(context: EngineContext, request: BackupRequest): JobHandle<BackupResult> {
  return context.jobs.start({
    kind: 'backup',
    title: `Backing up ${request.site}`,
    site: request.site,
    holds: [`site:${request.site}`],
    run: (job) => makeBackup(context, job, request),
  })
}

/**
 * The same inside of a job that holds the site already.
 * @throws AppError those of {@link startBackup}'s job
 */
export async function makeBackup(context: EngineContext, job: JobContext, request: BackupRequest): Promise<BackupResult> {
  const start = new Date()
  const site = await context.sites.get(request.site)
  const password = await encryptionPassword(context, site)
  const target = await openTarget(context, site, request.to, job)
  const lease = await target.lease()
  const problems = new ProblemList(job)
  const made: string[] = []
  try {
    const name = request.name ?? (await nameOfToday(context, site, start, request.to, job))
    const { parts, dump } = await makeParts({ context, site, request, job, password, target, name, problems, made })
    await checkParts(parts, { context, job, password })
    job.signal.throwIfAborted()
    job.phase('Putting it in place', null, 'steps')
    await target.store({
      name,
      timestamp: unixSeconds(start),
      parts: parts.map(({ part, hash, size }) => ({ kind: part, sha256: hash, size })),
      isEncrypted: password !== null,
    })
    context.emit({ type: 'backups-changed', site: site.name })
    job.log(`Made ${name} in ${target.place}: ${formatPlural(parts.length, 'part')}, ${formatBytes(totalSize(parts))}.`)
    return {
      name,
      timestamp: isoSeconds(start),
      repository: request.to,
      dump,
      parts: parts.map(({ part, file, size, hash }) => ({ part, file, size, hash })),
      problems: problems.listed,
      problemCount: problems.count,
      seconds: (Date.now() - start.getTime()) / 1000,
    }
  } catch (error) {
    // a slot that can only go forward still needs its files: the next start finishes it
    const isPending = error instanceof AppError && error.code === 'slot-index-pending'
    if (!isPending) await removeFiles(made, job)
    throw error
  } finally {
    await lease.release()
    await target.close().catch((error: Error) => {
      job.log(`The folder for the making could not be removed (${error.message}); the next start removes it.`)
    })
  }
}

async function removeFiles(paths: string[], job: JobContext): Promise<void> {
  for (const path of paths) {
    await rm(path, { force: true }).catch((error: Error) => {
      job.log(`${path} could not be removed (${error.message}); the next backup removes it.`)
    })
  }
}

/** @throws AppError `encryption-no-password`: a site that wants encryption is never backed up in clear */
export async function encryptionPassword(context: EngineContext, site: Site): Promise<string | null> {
  if (!site.encryption?.enabled) return null
  const password = await context.sites.encryptionPassword(site)
  if (password) return password
  throw new AppError(
    'encryption-no-password',
    `Backups of ${site.name} are to be encrypted, but no password for that is stored. Nothing was written.`,
    { hint: 'Store a password, or switch encryption off, in the site’s settings.', details: { site: site.name } },
  )
}

async function nameOfToday(
  context: EngineContext,
  site: Site,
  start: Date,
  to: RepositoryName,
  job: JobContext,
): Promise<string> {
  const indexes = await readRotationIndexes(context, site, to, {
    signal: job.signal,
    onSkipped: (name, { message }) => job.log(`The rotation does not take the index of the ${name} into account: ${message}`),
  })
  return chooseName(site, start, to, indexes)
}

interface Making {
  context: EngineContext
  site: Site
  request: BackupRequest
  job: JobContext
  password: string | null
  target: BackupTarget
  name: string
  problems: ProblemList
  /** Paths of the files that were begun, for clearing away. */
  made: string[]
}

async function makeParts(making: Making): Promise<{ parts: MadePart[]; dump: DumpChoice }> {
  const { context, site, request, job, target, problems } = making
  job.phase('Looking at what there is to back up', null, 'files')
  let current: PartSource | null = null
  let read = 0
  const settings = dumpSettingsSchema.parse(site.dump ?? {})
  const { sources, dump } = await openPartSources(context, site, {
    databaseOnly: request.databaseOnly,
    engine: request.engine ?? settings.engine,
    compression: request.compression ?? settings.compression,
    scratch: context.home.scratch,
    // a restore waits for its safety backup
    limit: request.name === undefined ? sharedLimit(context) : noRateLimit,
    signal: job.signal,
    onProgress(bytes) {
      job.advance(bytes)
      read += bytes
      if (!current) return
      // what was an estimate is corrected once it is passed: nothing is ever more than all of it
      if (read > current.bytes) {
        current.bytes = read
        job.setTotal(read)
      }
      job.item(current.part, { done: read, total: current.bytes })
    },
    onProblem: (problem) => problems.add(problem),
    onNote: (text) => job.log(text),
  })
  job.log(`Dump engine: ${dump.engine}. ${dump.why}`)
  // a part whose turn has not come can fail already; whoever reads it then finds out
  for (const { stream } of sources) stream.on('error', () => {})
  try {
    for (const { part, bytes } of sources) {
      const file = partFileName(part, making.name, making.password !== null)
      job.item(part, { name: file, state: 'waiting', total: bytes })
    }
    await target.requireSpace(estimatedBackupBytes(plainBytes(sources)))
    const parts: MadePart[] = []
    for (const source of sources) {
      current = source
      read = 0
      parts.push(await makePart(source, making, request.compression ?? settings.compression))
    }
    return { parts, dump }
  } finally {
    for (const { stream } of sources) stream.destroy()
  }
}

async function makePart(source: PartSource, making: Making, compression: number): Promise<MadePart> {
  const { context, job, password, target, name, made } = making
  const { part } = source
  const file = partFileName(part, name, password !== null)
  job.phase(source.phase, source.bytes, 'bytes')
  job.item(part, { state: 'running' })
  const { path, handle } = await target.parts.createPart(file, job.id)
  made.push(path)
  const stored = await writePart(source.stream, handle, {
    password,
    compression,
    plainBytes: source.plainBytes,
    workers: context.workers,
    signal: job.signal,
  })
  const detail = `${formatBytes(stored.size)} stored, ${formatBytes(stored.plainSize)} unpacked`
  job.item(part, { detail, done: stored.plainSize, total: stored.plainSize, facts: { size: stored.size, hash: stored.hash } })
  return { part, file, path, ...stored }
}

/** Nothing is put in place that could not be read back from the disk to its end. */
async function checkParts(
  parts: MadePart[],
  { context, job, password }: Pick<Making, 'context' | 'job' | 'password'>,
): Promise<void> {
  job.phase('Checking what was written', totalSize(parts), 'bytes')
  for (const made of parts) {
    await checkPart(made.path, made.part, made, {
      password,
      workers: context.workers,
      signal: job.signal,
      onProgress: (bytes) => job.advance(bytes),
    })
    job.item(made.part, { state: 'done' })
  }
}

export function plainBytes(sources: PartSource[]): { database: number; media: number; config: number } {
  const bytesOf = (part: PartKind) => sources.find((source) => source.part === part)?.bytes ?? 0
  return { database: bytesOf('database'), media: bytesOf('files'), config: bytesOf('config') }
}

function totalSize(parts: { size: number }[]): number {
  return parts.reduce((sum, { size }) => sum + size, 0)
}

/** Counts all problems, keeps the first ones. */
class ProblemList {
  readonly listed: BackupProblem[] = []
  count = 0
  readonly #job: JobContext

  constructor(job: JobContext) {
    this.#job = job
  }

  add(problem: BackupProblem): void {
    this.count += 1
    if (this.count > LISTED_PROBLEMS) return
    this.listed.push(problem)
    this.#job.log(`${problem.path}: ${problem.text}`)
    if (this.count === LISTED_PROBLEMS) this.#job.log('Further problems are counted only.')
  }
}
