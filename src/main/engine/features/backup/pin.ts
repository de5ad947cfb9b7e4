import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { storedPasswords } from '#engine/features/encryption/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { JobContext, JobHandle } from '#engine/foundation/jobs/types.ts'
import type { FolderRepository } from '#engine/foundation/repository/folder.ts'
import { partFileName, partName, showName } from '#engine/foundation/repository/names.ts'
import { openToRead, openVault, repositoriesOf } from '#engine/foundation/repository/open.ts'
import { type SlotPart, writeSlot } from '#engine/foundation/repository/slot-writer.ts'
import { readSourceBackup, type SourceBackup, type SourcePart } from '#engine/foundation/repository/source-parts.ts'
import type { IndexEntry, Repository } from '#engine/foundation/repository/types.ts'
import { sharedLimit } from '#engine/foundation/shared-limit.ts'
import { AppError } from '#shared/errors.ts'
import { formatBytes } from '#shared/format.ts'
import { inPlaces, MEDIA_IN_FILESTORE, type PartKind, type RepositoryName } from '#shared/model/backup.ts'
import type { Site } from '#shared/model/site.ts'
import { keptKindOf, keptName } from '#shared/rotation.ts'
import { requireFreeSpace } from './free-space.ts'
import { checkKeptPart, keepPart } from './pin-parts.ts'

export interface PinRequest {
  site: string
  name: string
  /** ISO UTC; only the backup of that moment. */
  timestamp?: string
  /** Default: the first that has it of vault, server and filestore. */
  from?: RepositoryName
}

export interface PinResult {
  /** `SITE-pinned-YYYYMMDDHHMMSS`, in the vault. */
  name: string
  from: RepositoryName
  /** It was pinned before. */
  already: boolean
  /** Bytes that it takes on the disk beside what was there. */
  bytes: number
}

interface Source {
  from: RepositoryName
  repository: Repository
  entry: IndexEntry
}

/**
 * Keeps a backup in the vault under a name outside of the rotation, with its own timestamp, as a job. Where the disk
 * has hard links, one that is in the vault takes no space while its slot holds it.
 *
 * The job fails with AppError `unknown-backup`, `backup-incomplete`, `part-differs`, `pin-taken`, `disk-full` and those
 * of the repositories; the vault is then as it was.
 */
export function startPin(context: EngineContext, request: PinRequest): JobHandle<PinResult> {
  return context.jobs.start({
    kind: 'pin',
    title: `Pinning ${request.name}`,
    site: request.site,
    holds: [`site:${request.site}`],
    run: (job) => pinBackup(context, job, request),
  })
}

/**
 * The same inside of a job that holds the site already.
 * @throws AppError those of {@link startPin}'s job
 */
export async function pinBackup(context: EngineContext, job: JobContext, request: PinRequest): Promise<PinResult> {
  const site = await context.sites.get(request.site)
  job.phase('Looking for the backup', null, 'files')
  const { from, repository, entry } = await findSource(context, site, request, job)
  const name = keptName(site.name, 'pinned', new Date(entry.timestamp * 1000))
  if (keptKindOf(site.name, request.name) === 'pinned') return { name: request.name, from, already: true, bytes: 0 }
  const vault = openVault(context, site)
  const lease = await vault.lease(job.signal)
  const made: string[] = []
  try {
    const { parts, isEncrypted, lacksMedia } = await sourceParts(repository, request.name, entry)
    if (lacksMedia) job.log(`${repository.place} has no media archive of ${request.name}. ${MEDIA_IN_FILESTORE}`)
    const present = (await vault.readIndex()).get(name)
    if (present) {
      await assertSame(vault, name, present, parts)
      job.log(`${request.name} is pinned already, as ${name}.`)
      return { name, from, already: true, bytes: 0 }
    }
    const total = parts.reduce((sum, { facts }) => sum + facts.size, 0)
    if (from !== 'vault') await requireFreeSpace(vault.folder, total)
    job.phase('Keeping its parts', total, 'bytes')
    const passwords = isEncrypted ? await knownPasswords(context, site, job) : []
    const kept: SlotPart[] = []
    let bytes = 0
    for (const part of parts) {
      const finalName = partFileName(part.kind, name, isEncrypted)
      const path = join(vault.folder, partName(finalName, job.id))
      made.push(path)
      job.item(part.kind, { name: finalName, state: 'running', total: part.facts.size })
      const onBytes = (amount: number) => job.advance(amount)
      const { sha256, isLink } = await keepPart(repository, vault, part, {
        finalName,
        jobId: job.id,
        signal: job.signal,
        onBytes,
      })
      const doubt = await checkKeptPart(path, part, sha256, { passwords, workers: context.workers, signal: job.signal })
      if (doubt !== null) job.log(`${doubt}.`)
      if (!isLink) bytes += part.facts.size
      job.item(part.kind, { state: 'done', done: part.facts.size, detail: isLink ? 'the same file as in its slot' : 'a copy' })
      kept.push({ kind: part.kind, sha256, size: part.facts.size })
    }
    job.signal.throwIfAborted()
    await assertUnchanged(repository, request.name, entry)
    await writeSlot(vault, { jobId: job.id, name, timestamp: entry.timestamp, parts: kept, isEncrypted })
    context.emit({ type: 'backups-changed', site: site.name })
    job.log(`Pinned ${request.name} of the ${from} as ${name}: ${formatBytes(bytes)} more on the disk.`)
    return { name, from, already: false, bytes }
  } catch (error) {
    // a slot that can only go forward still needs its files: the next start finishes it
    const isPending = error instanceof AppError && error.code === 'slot-index-pending'
    if (!isPending) for (const path of made) await rm(path, { force: true })
    throw error
  } finally {
    await lease.release()
  }
}

/** @throws AppError `unknown-backup`, or why a repository can't be read */
async function findSource(context: EngineContext, site: Site, request: PinRequest, job: JobContext): Promise<Source> {
  const places: RepositoryName[] = request.from ? [request.from] : repositoriesOf(site)
  const seconds = request.timestamp === undefined ? null : Math.floor(Date.parse(request.timestamp) / 1000)
  let trouble: unknown = null
  for (const from of places) {
    try {
      const repository = await openToRead(context, site, from, job, { limit: sharedLimit(context) })
      const entry = (await repository.readIndex()).get(request.name)
      if (entry && (seconds === null || entry.timestamp === seconds)) {
        return { from, repository, entry }
      }
    } catch (error) {
      job.signal.throwIfAborted()
      // another place may have it
      trouble ??= error
    }
  }
  throw trouble ?? unknownBackup(site, request.name, places)
}

function unknownBackup(site: Site, name: string, places: RepositoryName[]): AppError {
  return new AppError(
    'unknown-backup',
    `There is no backup ${showName(name)} of ${site.name} ${inPlaces(places, 'or')}. Nothing was pinned.`,
    {
      hint: 'See the list of backups. Its slot may hold a newer one by now.',
      details: { site: site.name, name: name.slice(0, 200) },
    },
  )
}

/** @throws AppError `backup-incomplete` */
async function sourceParts(repository: Repository, name: string, entry: IndexEntry): Promise<SourceBackup> {
  return readSourceBackup(name, entry, { isFilestore: repository.kind === 's3', factsOf: (file) => repository.stat(file) })
}

/** Nobody is told "pinned" of another backup. What is encrypted has no hash that can be compared: it is of the file or of its content. */
async function assertSame(vault: FolderRepository, name: string, present: IndexEntry, parts: SourcePart[]): Promise<void> {
  const { parts: pinned, isEncrypted } = await sourceParts(vault, name, present)
  const sizes = (list: SourcePart[]) => list.map(({ kind, facts }) => `${kind} ${facts.size}`).join()
  const hashOf = (kind: PartKind) => pinned.find((part) => part.kind === kind)?.hash ?? null
  const isOther = parts.some(({ kind, hash }) => hash !== null && hashOf(kind) !== null && hash !== hashOf(kind))
  if (sizes(pinned) === sizes(parts) && (isEncrypted || !isOther)) return
  throw new AppError('pin-taken', `${name} is another backup of the same second. It was left as it is.`, {
    hint: 'Delete that pinned backup first if this one is to be kept instead.',
    details: { name },
  })
}

/** The server may have written the slot anew while its files were copied. */
async function assertUnchanged(repository: Repository, name: string, entry: IndexEntry): Promise<void> {
  if ((await repository.readIndex()).get(name)?.timestamp === entry.timestamp) return
  throw new AppError('changed-while-reading', `${showName(name)} was replaced while it was copied. Nothing was pinned.`, {
    hint: 'Its slot holds a newer backup now: look at the list again.',
    details: { name },
  })
}

/** Only to check what servers hashed before they encrypted it: without them it is kept as it is. */
async function knownPasswords(context: EngineContext, site: Site, job: JobContext): Promise<string[]> {
  return storedPasswords(context, site.name).catch((error: Error) => {
    job.log(`Encrypted parts may not be checked: ${error.message}`)
    return []
  })
}
