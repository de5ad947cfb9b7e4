import { resolve } from 'node:path'
import { storedBesideGiven, storedPasswords } from '#engine/features/encryption/index.ts'
import { findBackups, isOfSite, listBackups, listFolder, type SiteBackup, unknownBackup } from '#engine/features/listing/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { JobContext, JobHandle } from '#engine/foundation/jobs/types.ts'
import { openFolderRepository } from '#engine/foundation/repository/folder.ts'
import { openToRead } from '#engine/foundation/repository/open.ts'
import type { Patience } from '#engine/foundation/repository/repeating.ts'
import type { Repository } from '#engine/foundation/repository/types.ts'
import { sharedLimit } from '#engine/foundation/shared-limit.ts'
import { AppError } from '#shared/errors.ts'
import { formatPlural } from '#shared/format.ts'
import { type BackupEntry, isSameMoment, type Proof, type RepositoryName, repositoryNameSchema } from '#shared/model/backup.ts'
import type { DrillReport } from '#shared/model/drill.ts'
import { isRemote, type Site } from '#shared/model/site.ts'
import { splitBackupName } from '#shared/rotation.ts'
import { itemId, lockedReason, type ProofLevel, type ProveRequest, proveBackup, verdictAt } from './prove.ts'

export interface VerifyRequest {
  site: string
  name: string
  /** ISO UTC; only the backup of that moment. */
  timestamp?: string
  /** Default: the first that has it of vault, server and filestore. */
  from?: RepositoryName | 'all'
  level: ProofLevel
  passwords: string[]
}

export interface VerifyFolderRequest {
  folder: string
  /** Default: every backup of the folder. */
  name?: string
  level: ProofLevel
  passwords: string[]
}

/** What a verify job found. A backup that is not well does not fail the job: it found what it was asked for. */
export interface VerifyResult {
  proofs: { repository: BackupEntry['repository']; name: string; timestamp: string; proof: Proof }[]
  verdict: Proof['verdict']
}

/**
 * Verifies a backup of a site as a job, and keeps what was found.
 * @param options.patience with a server or filestore that is out of reach
 * @throws AppError `unknown-site`, `unknown-backup`, `secrets-locked`, or why the repository can't be listed
 */
export async function startVerify(
  context: EngineContext,
  request: VerifyRequest,
  options: { patience?: Patience } = {},
): Promise<JobHandle<VerifyResult>> {
  const site = await context.sites.get(request.site)
  const entries = await findBackups(context, site, request)
  const passwords = await passwordsFor(entries, request.passwords, () => storedPasswords(context, site.name))
  return context.jobs.start({
    kind: 'verify',
    title: `Verifying ${request.name}`,
    site: site.name,
    holds: [holdOf(site, request.level, entries)],
    run: (job) =>
      proveAll(context, job, { site: siteOf(site), entries, level: request.level, passwords }, ({ repository }) =>
        openToRead(context, site, repository, job, { limit: sharedLimit(context), ...options }),
      ),
  })
}

export interface DrillJobRequest {
  site: string
  /** Default: the newest backup that has a database. */
  name?: string
  /** ISO UTC; only the backup of that moment. */
  timestamp?: string
  /** Default: the first that has it of vault, server and filestore. */
  from?: RepositoryName
  passwords: string[]
}

/** What a drill found. A backup that is not well does not fail the job: it found what it was asked for. */
export interface DrillResult {
  repository: BackupEntry['repository']
  name: string
  timestamp: string
  report: DrillReport
  proof: Proof
}

/**
 * Verifies a backup of a site to its end, restores it into a scratch database and looks at it, as a job.
 * @throws AppError `unknown-site`, `unknown-backup`, `secrets-locked`, or why the repository can't be listed; the job:
 * `password-needed`, `not-drilled`, and those of `drillBackup`
 */
export async function startDrill(context: EngineContext, request: DrillJobRequest): Promise<JobHandle<DrillResult>> {
  const site = await context.sites.get(request.site)
  const { name, timestamp, from } = request
  const entry =
    name === undefined
      ? await newestToDrill(context, site, { timestamp, from })
      : (await findBackups(context, site, { name, timestamp, from }))[0]
  const passwords = await passwordsFor([entry], request.passwords, () => storedPasswords(context, site.name))
  return context.jobs.start({
    kind: 'drill',
    title: `Drilling ${entry.name}`,
    site: site.name,
    holds: [holdOf(site, 3, [entry])],
    run: async (job) => {
      const repository = await openToRead(context, site, entry.repository, job, { limit: sharedLimit(context) })
      const proof = await proveBackup(context, job, { site: siteOf(site), entry, repository, level: 3, passwords })
      if (proof.drill === null) throw notDrilled(entry.name, lockedReason(proof) ?? 'it could not be read')
      return { repository: entry.repository, name: entry.name, timestamp: entry.timestamp, report: proof.drill, proof }
    },
  })
}

/** The newest backup that has a database, wherever it is; where several have it, the first of vault, server and filestore. */
async function newestToDrill(
  context: EngineContext,
  site: Site,
  { timestamp, from }: Pick<DrillJobRequest, 'timestamp' | 'from'>,
): Promise<SiteBackup> {
  const list = await listBackups(context, site, from ?? 'all')
  const found = list.backups
    .filter(isOfSite)
    .filter((entry) => entry.is_database_present && (timestamp === undefined || isSameMoment(entry.timestamp, timestamp)))
  const newest = found.filter((entry) => entry.name === found[0]?.name && entry.timestamp === found[0].timestamp)
  const entry = repositoryNameSchema.options
    .map((place) => newest.find(({ repository }) => repository === place))
    .find((copy) => copy !== undefined)
  if (entry) return entry
  throw unknownBackup(null, list.problems)
}

function notDrilled(name: string, reason: string): AppError {
  const needsPassword = reason.includes('password')
  return new AppError(needsPassword ? 'password-needed' : 'not-drilled', `${name} was not drilled: ${reason}.`, {
    hint: needsPassword ? 'Give the password that the site had when this backup was made.' : 'Run it again.',
    details: { name, reason },
  })
}

/** A drill, and what comes over a line, takes long and reads only: a backup need not wait for it. Two of the same site take turns. */
function holdOf(site: Site, level: ProofLevel, entries: readonly SiteBackup[]): string {
  const isLong = level === 3 || entries.some(({ repository }) => isRemote(site, repository))
  return isLong ? `drill:${site.name}` : `site:${site.name}`
}

function siteOf({ name, database }: Site): NonNullable<ProveRequest['site']> {
  return { name, schema: database.schema }
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
      proveAll(context, job, { site: null, entries, level: request.level, passwords }, async () =>
        openFolderRepository({ folder, owner: 'server' }),
      ),
  })
}

interface Work<E extends BackupEntry> {
  /** null: a folder, whose proofs are not kept. */
  site: ProveRequest['site']
  entries: E[]
  level: ProofLevel
  passwords: string[]
}

async function proveAll<E extends BackupEntry>(
  context: EngineContext,
  job: JobContext,
  { site, entries, level, passwords }: Work<E>,
  open: (entry: E) => Promise<Repository>,
): Promise<VerifyResult> {
  for (const entry of entries) {
    for (const { file, size } of entry.parts) {
      job.item(itemId(entry, file), { name: file, state: 'waiting', detail: '', done: 0, total: size })
    }
  }
  const proofs: VerifyResult['proofs'] = []
  for (const entry of entries) {
    const proof = await proveBackup(context, job, { site, entry, repository: await open(entry), level, passwords })
    proofs.push({ repository: entry.repository, name: entry.name, timestamp: entry.timestamp, proof })
  }
  return { proofs, verdict: overall(proofs.map(({ proof }) => verdictAt(proof, level))) }
}

function overall(verdicts: Proof['verdict'][]): Proof['verdict'] {
  if (verdicts.includes('failed')) return 'failed'
  return verdicts.every((verdict) => verdict === 'verified') ? 'verified' : 'unknown'
}

/** Given passwords first; the stored ones only when something is encrypted. A locked store stops nothing that has a given password. */
async function passwordsFor(entries: BackupEntry[], given: string[], stored: () => Promise<string[]>): Promise<string[]> {
  if (!entries.some(({ parts }) => parts.some(({ isEncrypted }) => isEncrypted))) return given
  const more = await storedBesideGiven(given, stored())
  return [...new Set([...given, ...more])]
}
