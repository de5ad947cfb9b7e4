import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { connectSiteServer } from '#engine/foundation/connections/ssh/site-server.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { JobContext } from '#engine/foundation/jobs/types.ts'
import { type FolderRepository, openFolderRepository } from '#engine/foundation/repository/folder.ts'
import { localServerFolder, openRepository, openServerFolder, openVault } from '#engine/foundation/repository/open.ts'
import { type Slot, writeSlot } from '#engine/foundation/repository/slot-writer.ts'
import { type PartExaminer, transferBackup } from '#engine/foundation/repository/transfer.ts'
import type { Lease, Repository } from '#engine/foundation/repository/types.ts'
import { sharedLimit } from '#engine/foundation/shared-limit.ts'
import { AppError } from '#shared/errors.ts'
import type { RepositoryName } from '#shared/model/backup.ts'
import type { Job } from '#shared/model/job.ts'
import type { Site } from '#shared/model/site.ts'
import { requireFreeSpace, requireServerSpace } from './free-space.ts'

/** Where a backup goes, and the folder of this computer that its parts are made in. */
export interface BackupTarget {
  /** For messages. */
  place: string
  parts: FolderRepository
  lease(): Promise<Lease>
  /** @param bytes what the backup will probably take @throws AppError `disk-full` */
  requireSpace(bytes: number): Promise<void>
  /** Puts the parts, which were read to their end, in place. @throws AppError those of `writeSlot` and `transferBackup` */
  store(slot: Omit<Slot, 'jobId'>): Promise<void>
  /** Lets go of what was only for the making. */
  close(): Promise<void>
}

/**
 * Opens the place that a backup is written to. What is no folder of this computer gets a backup that was made and checked
 * in a folder for the making, which goes in any case.
 * @throws AppError those of `openRepository`
 */
export async function openTarget(context: EngineContext, site: Site, to: RepositoryName, job: JobContext): Promise<BackupTarget> {
  const folder = localServerFolder(site)
  if (to === 'vault') return folderTarget(openVault(context, site), job)
  if (to === 'server' && folder !== null) return folderTarget(await openServerFolder(context, folder), job)
  return stagedTarget(context, site, to, job)
}

function folderTarget(repository: FolderRepository, job: JobContext): BackupTarget {
  return {
    place: repository.place,
    parts: repository,
    lease: () => repository.lease(job.signal),
    requireSpace: (bytes) => requireFreeSpace(repository.folder, bytes),
    async store(slot) {
      await writeSlot(repository, { ...slot, jobId: job.id })
    },
    close: async () => {},
  }
}

/** The hash that our own index has is that of the file, so that nothing need be looked into. */
const EXACT: PartExaminer = { contentHash: async () => null, readToEnd: async () => null }

async function stagedTarget(context: EngineContext, site: Site, to: RepositoryName, job: JobContext): Promise<BackupTarget> {
  const target = await openRepository(context, site, to, job.signal)
  const parts = openFolderRepository({ folder: stagingFolder(context, job.id), owner: 'home', create: true })
  return {
    place: target.place,
    parts,
    lease: () => parts.lease(job.signal),
    async requireSpace(bytes) {
      await requireFreeSpace(parts.folder, bytes)
      const server = to === 'server' ? await connectSiteServer(context, site, job.signal) : null
      if (server) await requireServerSpace(server, bytes, job.signal)
    },
    async store(slot) {
      await writeSlot(parts, { ...slot, jobId: job.id })
      await send(context, job, { parts, target, to, slot })
    },
    close: () => rm(parts.folder, { recursive: true, force: true }),
  }
}

async function send(
  context: EngineContext,
  job: JobContext,
  sent: { parts: FolderRepository; target: Repository; to: RepositoryName; slot: Omit<Slot, 'jobId'> },
): Promise<void> {
  const { parts, target, to, slot } = sent
  const entry = (await parts.readIndex()).get(slot.name)
  if (!entry) throw new AppError('internal', 'The backup that was made is gone from the folder for the making.')
  job.phase(
    `Sending it to ${target.place}`,
    slot.parts.reduce((sum, { size }) => sum + size, 0),
    'bytes',
  )
  const positions = new Map<string, number>()
  await transferBackup({
    from: parts,
    to: target,
    name: slot.name,
    entry,
    isFilestoreUploaded: to === 'filestore',
    limit: sharedLimit(context),
    examiner: EXACT,
    signal: job.signal,
    onProgress(kind, position) {
      job.advance(Math.max(0, position - (positions.get(kind) ?? 0)))
      positions.set(kind, Math.max(position, positions.get(kind) ?? 0))
    },
    onNote: (text) => job.log(text),
    freesFullDisk: true,
    madeBy: job.id,
  })
}

function stagingFolder({ home }: Pick<EngineContext, 'home'>, jobId: string): string {
  return join(home.scratch, `backup-${jobId}`)
}

/** Removes the folder for the making of a job that its program's end interrupted; it may hold plain bytes. */
export async function removeStagingOf(context: Pick<EngineContext, 'home'>, job: Pick<Job, 'id'>): Promise<void> {
  await rm(stagingFolder(context, job.id), { recursive: true, force: true })
}
