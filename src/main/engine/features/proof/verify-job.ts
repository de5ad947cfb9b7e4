import { resolve } from 'node:path'
import { storedPasswords } from '#engine/features/encryption/index.ts'
import { listBackups, listFolder, recordProof } from '#engine/features/listing/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { JobContext, JobHandle } from '#engine/foundation/jobs/types.ts'
import { openFolderRepository } from '#engine/foundation/repository/folder.ts'
import { showName } from '#engine/foundation/repository/names.ts'
import { openRepository } from '#engine/foundation/repository/open.ts'
import type { Repository } from '#engine/foundation/repository/types.ts'
import { AppError } from '#shared/errors.ts'
import { formatPlural } from '#shared/format.ts'
import type { BackupEntry, BackupList, LevelResult, PartProof, Proof } from '#shared/model/backup.ts'
import type { JobItem } from '#shared/model/job.ts'
import { splitBackupName } from '#shared/rotation.ts'
import { examineBackup, type VerifyLevel } from './verify.ts'

export interface VerifyRequest {
  site: string
  name: string
  /** ISO UTC; only the backup of that moment. */
  timestamp?: string
  /** Default: the vault if the backup is there, else the server. */
  from?: 'vault' | 'server' | 'all'
  level: VerifyLevel
  passwords: string[]
}

export interface VerifyFolderRequest {
  folder: string
  /** Default: every backup of the folder. */
  name?: string
  level: VerifyLevel
  passwords: string[]
}

/** What a verify job found. A backup that is not well does not fail the job: it found what it was asked for. */
export interface VerifyResult {
  proofs: { repository: BackupEntry['repository']; name: string; timestamp: string; proof: Proof }[]
  verdict: Proof['verdict']
}

/**
 * Verifies a backup of a site as a job, and keeps what was found.
 * @throws AppError `unknown-site`, `unknown-backup`, `secrets-locked`, or why the repository can't be listed
 */
export async function startVerify(context: EngineContext, request: VerifyRequest): Promise<JobHandle<VerifyResult>> {
  const site = await context.sites.get(request.site)
  const list = await listBackups(context, site, request.from ?? 'all')
  const found = list.backups.filter(
    ({ name, timestamp }) =>
      name === request.name && (request.timestamp === undefined || isSameMoment(timestamp, request.timestamp)),
  )
  const inVault = found.filter(({ repository }) => repository === 'vault')
  const entries = request.from === undefined && inVault.length > 0 ? inVault : found
  if (entries.length === 0) throw unknownBackup(request.name, list.problems)
  const passwords = await passwordsFor(entries, request.passwords, () => storedPasswords(context, site.name))
  return context.jobs.start({
    kind: 'verify',
    title: `Verifying ${request.name}`,
    site: site.name,
    holds: [`site:${site.name}`],
    run: (job) =>
      verifyAll(context, job, { site: site.name, entries, level: request.level, passwords }, ({ repository }) =>
        openRepository(context, site, repository === 'server' ? 'server' : 'vault'),
      ),
  })
}

/**
 * Verifies the backups of any folder that is laid out like a server's. Stored passwords of the sites that the
 * backups are named after are tried too.
 * @throws AppError `not-found`, `not-a-folder`, `index-corrupt`, `unknown-backup`
 */
export async function startVerifyFolder(context: EngineContext, request: VerifyFolderRequest): Promise<JobHandle<VerifyResult>> {
  const folder = resolve(request.folder)
  const list = await listFolder(folder)
  const entries = list.backups.filter(({ name }) => request.name === undefined || name === request.name)
  if (entries.length === 0) throw unknownBackup(request.name ?? null, list.problems)
  const names = new Set(entries.map(({ name }) => splitBackupName(name)?.site))
  const passwords = await passwordsFor(entries, request.passwords, async () => {
    const sites = (await context.sites.list()).sites.filter(({ site }) => names.has(site.name))
    // a locked store must not keep a folder from being verified that has nothing to do with it
    return (await Promise.all(sites.map(({ site }) => storedPasswords(context, site.name).catch(() => [])))).flat()
  })
  return context.jobs.start({
    kind: 'verify',
    title: request.name === undefined ? `Verifying ${formatPlural(entries.length, 'backup')}` : `Verifying ${request.name}`,
    holds: [`file:${folder}`],
    run: (job) =>
      verifyAll(context, job, { site: null, entries, level: request.level, passwords }, async () =>
        openFolderRepository({ folder, owner: 'server' }),
      ),
  })
}

interface Work {
  /** null: a folder, whose proofs are not kept. */
  site: string | null
  entries: BackupEntry[]
  level: VerifyLevel
  passwords: string[]
}

async function verifyAll(
  context: EngineContext,
  job: JobContext,
  { site, entries, level, passwords }: Work,
  open: (entry: BackupEntry) => Promise<Repository>,
): Promise<VerifyResult> {
  const total = entries.reduce((sum, { parts }) => sum + parts.reduce((bytes, { size }) => bytes + (size ?? 0), 0), 0)
  job.phase('Verifying', level === 0 ? null : total, 'bytes')
  for (const entry of entries) {
    for (const { file, size } of entry.parts) {
      job.item(itemId(entry, file), { name: file, state: 'waiting', detail: '', done: 0, total: size })
    }
  }
  const proofs: VerifyResult['proofs'] = []
  for (const entry of entries) {
    const repository = await open(entry)
    const done = new Map<string, number>()
    const { proof, files } = await examineBackup({
      repository,
      entry,
      level,
      passwords,
      workers: context.workers,
      signal: job.signal,
      onProgress: (file, bytes) => {
        job.advance(bytes)
        const amount = (done.get(file) ?? 0) + bytes
        done.set(file, amount)
        job.item(itemId(entry, file), { state: 'running', done: amount })
      },
      onPart: (part) => job.item(itemId(entry, part.file), describePart(part, level)),
    })
    job.log(`${entry.name} in ${repository.place}: ${describeVerdict(proof)}`)
    proofs.push({ repository: entry.repository, name: entry.name, timestamp: entry.timestamp, proof })
    if (site === null || entry.repository === 'folder') continue
    const { repository: place, name, timestamp } = entry
    await recordProof(context, site, { repository: place, name, timestamp, files, proof })
    context.emit({ type: 'backups-changed', site })
  }
  return { proofs, verdict: overall(proofs.map(({ proof }) => proof.verdict)) }
}

function itemId({ repository, name }: BackupEntry, file: string): string {
  return `${repository}/${name}/${file}`
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

function overall(verdicts: Proof['verdict'][]): Proof['verdict'] {
  if (verdicts.includes('failed')) return 'failed'
  return verdicts.every((verdict) => verdict === 'verified') ? 'verified' : 'unknown'
}

/** Given passwords first; the stored ones only when something is encrypted. A locked store stops nothing that has a given password. */
async function passwordsFor(entries: BackupEntry[], given: string[], stored: () => Promise<string[]>): Promise<string[]> {
  if (!entries.some(({ parts }) => parts.some(({ isEncrypted }) => isEncrypted))) return given
  const more = await stored().catch((error: unknown) => {
    if (given.length > 0 && error instanceof AppError && error.code === 'secrets-locked') return []
    throw error
  })
  return [...new Set([...given, ...more])]
}

function isSameMoment(a: string, b: string): boolean {
  return Math.floor(Date.parse(a) / 1000) === Math.floor(Date.parse(b) / 1000)
}

/** A backup that is not found because a repository can't be listed is not unknown: that trouble is told instead. */
function unknownBackup(name: string | null, problems: BackupList['problems']): AppError {
  const cause = problems.find(({ code }) => !code.startsWith('index-entry-'))
  if (cause) return new AppError(cause.code, cause.message, { hint: cause.hint, details: { repository: cause.repository } })
  return new AppError(
    'unknown-backup',
    name === null ? 'There is no backup here.' : `There is no backup ${showName(name)} here.`,
    {
      hint: 'See the list of backups.',
      details: { name },
    },
  )
}
