import { type DrillRecord, readProofs, recordProof, withDrill } from '#engine/features/listing/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { JobContext } from '#engine/foundation/jobs/types.ts'
import type { Repository } from '#engine/foundation/repository/types.ts'
import { formatBytes, formatDuration, formatMilliseconds } from '#shared/format.ts'
import { type BackupEntry, type LevelResult, type PartProof, type Proof, storedBytes } from '#shared/model/backup.ts'
import type { DrillReport } from '#shared/model/drill.ts'
import type { JobItem } from '#shared/model/job.ts'
import { type Drilled, drillBackup, type EarlierDrill } from './drill/drill-backup.ts'
import { noteKept, removeKeptOf } from './drill/kept-drills.ts'
import { fetchBackup } from './fetch-backup.ts'
import { examineBackup, type ProvenFile, type VerifyLevel } from './verify.ts'

/** 0 present, 1 hash, 2 readable to the end, 3 drilled. */
export type ProofLevel = VerifyLevel | 3

export interface ProveRequest {
  /** Whose backup it is, and the name of its schema; null: a folder that belongs to no site, whose proofs are not kept. */
  site: { name: string; schema: string } | null
  entry: BackupEntry
  repository: Repository
  level: ProofLevel
  passwords: readonly string[]
}

/**
 * Verifies a backup, drills it when level 3 is asked for, and keeps what was found. What is wrong with the backup is in
 * the proof and never thrown. A backup whose database can't be read for want of a password is not drilled. One that is
 * drilled and lies on a server or in a filestore is fetched first, so that the line carries it once.
 * @throws AppError `cancelled`, `worker-crashed`, and those of `drillBackup` and `fetchBackup`
 */
export async function proveBackup(context: EngineContext, job: JobContext, request: ProveRequest): Promise<Proof> {
  const { repository, level } = request
  const started = Date.now()
  const isRepeated = level === 3 && repository.kind !== 'folder'
  const fetched = isRepeated ? await fetchBackup(context, job, request) : null
  if (fetched === null) return prove(context, job, request, started)
  try {
    return await prove(context, job, { ...request, repository: fetched.repository }, started)
  } finally {
    await fetched.remove()
  }
}

/** @param started when its first byte was asked for, in ms */
async function prove(context: EngineContext, job: JobContext, request: ProveRequest, started: number): Promise<Proof> {
  const { entry, repository, level, site } = request
  const total = storedBytes(entry)
  job.phase(`Verifying ${entry.name}`, level === 0 ? null : total, 'bytes')
  const { proof, files } = await examine(context, job, request)
  const seconds = level >= 2 ? (Date.now() - started) / 1000 : null
  job.log(`${entry.name} in ${repository.place}: ${describeVerdict(proof)}`)
  const keep = async (found: Proof, drilled: Drilled | null) => {
    if (site === null || entry.repository === 'folder') return
    const { repository: place, name, timestamp } = entry
    const record = { repository: place, name, timestamp, files, proof: found, seconds }
    await recordProof(context, site.name, record, drilled && { bytes: total, newest: drilled.newest, report: drilled.report })
    context.emit({ type: 'backups-changed', site: site.name })
  }
  if (level < 3 || lockedReason(proof) !== null) {
    await keep(proof, null)
    return proof
  }
  const drilled = await drill(context, job, request)
  const found = withDrill(proof, drilled.report)
  await keep(found, drilled)
  return found
}

/** Why a backup can't be drilled: its database could not be read, which says nothing about it. null: it can. */
export function lockedReason(proof: Proof): string | null {
  const database = proof.parts.find(({ part }) => part === 'database')
  return database?.levels.L2?.outcome === 'unknown' ? database.levels.L2.reason : null
}

/** The verdict at the level that was asked for. */
export function verdictAt(proof: Proof, level: ProofLevel): Proof['verdict'] {
  if (level < 3 || proof.verdict !== 'verified') return proof.verdict
  return proof.level === 3 ? 'verified' : 'unknown'
}

async function examine(
  context: EngineContext,
  job: JobContext,
  { entry, repository, level, passwords }: ProveRequest,
): Promise<{ proof: Proof; files: ProvenFile[] }> {
  const readLevel = level === 3 ? 2 : level
  const done = new Map<string, number>()
  return examineBackup({
    repository,
    entry,
    level: readLevel,
    passwords,
    workers: context.workers,
    signal: job.signal,
    onProgress: (file, bytes) => {
      job.advance(bytes)
      const amount = (done.get(file) ?? 0) + bytes
      done.set(file, amount)
      job.item(itemId(entry, file), { state: 'running', done: amount })
    },
    onPart: (part) => job.item(itemId(entry, part.file), describePart(part, readLevel)),
  })
}

async function drill(context: EngineContext, job: JobContext, request: ProveRequest): Promise<Drilled> {
  const { entry, repository, passwords, site } = request
  const item = itemId(entry, 'drill')
  job.item(item, { name: `Drill of ${entry.name}`, state: 'running', detail: '' })
  const drilled = await drillBackup({
    repository,
    entry,
    passwords,
    siteSchema: site?.schema ?? null,
    earlier: site && (await earlierDrill(context, site.name, entry)),
    scratch: context.home.scratch,
    program: context.program,
    workers: context.workers,
    signal: job.signal,
    progress: job,
  })
  const { report } = drilled
  for (const check of report.checks) job.log(`${check.outcome}: ${check.name}: ${check.finding}.`)
  await lookAfterKept(context, job, request, drilled)
  job.item(item, { state: report.outcome === 'passed' ? 'done' : 'failed', detail: describeDrill(report), facts: { report } })
  return drilled
}

async function lookAfterKept(
  context: EngineContext,
  job: JobContext,
  request: ProveRequest,
  { report, kept }: Drilled,
): Promise<void> {
  const { repository, name, timestamp } = request.entry
  const place = repository === 'folder' ? request.repository.place : repository
  const backup = { site: request.site?.name ?? null, repository: place, name, timestamp }
  if (report.keptIn !== null) {
    const bytes = await noteKept(context, report.keptIn, backup, { look: kept, report })
    job.log(`The scratch database is kept in ${report.keptIn} (${formatBytes(bytes)}). zbd drill --clean removes it.`)
  } else if (report.outcome === 'passed') await removeKeptOf(context, backup)
}

/** The drilled backup that is next older than this one. */
async function earlierDrill(context: EngineContext, site: string, entry: BackupEntry): Promise<EarlierDrill | null> {
  const { drills } = await readProofs(context, site)
  return earlierOf(drills, entry.timestamp)
}

/** Of the drills of a site, the one of the backup that is next older than a moment, and that was found well. */
export function earlierOf(drills: readonly DrillRecord[], timestamp: string): EarlierDrill | null {
  const older = drills.filter((drill) => drill.timestamp < timestamp && drill.report.outcome === 'passed')
  const [nearest] = older.sort((a, b) => (a.timestamp < b.timestamp ? 1 : -1))
  return nearest
    ? { name: nearest.name, timestamp: nearest.timestamp, rowCounts: nearest.report.rowCounts, newest: nearest.newest }
    : null
}

export function itemId({ repository, name }: BackupEntry, what: string): string {
  return `${repository}/${name}/${what}`
}

/** One sentence: the outcome, and the first thing that is wrong. */
export function describeDrill({ outcome, recoverySeconds, checks }: DrillReport): string {
  const worst = checks.find((check) => check.outcome === 'failed') ?? checks.find(({ id }) => id === 'load')
  if (outcome !== 'passed') return worst ? `${worst.name}: ${worst.finding}` : ''
  const warnings = checks.filter((check) => check.outcome === 'warning').length
  const took =
    recoverySeconds === null
      ? ''
      : `restored in ${recoverySeconds < 60 ? formatMilliseconds(recoverySeconds * 1000) : formatDuration(recoverySeconds)}`
  return warnings === 0 ? took : `${took}; ${warnings} to look at`
}

/** An item's outcome: the worst finding up to the level that was asked for. */
function describePart({ part, file, levels }: PartProof, level: VerifyLevel): Partial<Omit<JobItem, 'id'>> {
  const results = [levels.L0, levels.L1, levels.L2].slice(0, level + 1)
  const worst =
    results.find((result) => result?.outcome === 'failed') ??
    [...results].reverse().find((result) => result?.outcome === 'unknown') ??
    results[level]
  const isWell = results[level]?.outcome === 'passed' && worst?.outcome !== 'failed'
  const needsPassword = worst?.outcome === 'unknown' && worst.reason.includes('password')
  return {
    state: isWell ? 'done' : needsPassword ? 'needs-password' : 'failed',
    detail: isWell ? (results[level]?.reason ?? '') : (worst?.reason ?? ''),
    facts: { part, file, levels },
  }
}

function describeVerdict(proof: Proof): string {
  if (proof.verdict === 'verified') return `verified to level ${proof.level}.`
  if (proof.parts.length === 0) return 'it has no parts to verify.'
  const findings = proof.parts.flatMap(({ file, levels }) =>
    Object.entries(levels).flatMap(([level, result]) => describeLevel(file, level, result)),
  )
  return `${proof.verdict === 'failed' ? 'failed' : 'not verified'}. ${findings.join(' ')}`
}

function describeLevel(file: string, level: string, result: LevelResult | null): string[] {
  return result && result.outcome !== 'passed' ? [`${file}: ${level} ${result.outcome}: ${result.reason}.`] : []
}
