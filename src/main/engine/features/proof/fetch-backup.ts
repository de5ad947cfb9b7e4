import { createWriteStream } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { freeBytes, isEnough } from '#engine/features/backup/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { JobContext } from '#engine/foundation/jobs/types.ts'
import { openFolderRepository } from '#engine/foundation/repository/folder.ts'
import { belongsTo } from '#engine/foundation/repository/names.ts'
import type { FileStat, Repository } from '#engine/foundation/repository/types.ts'
import { isTroubleOfTheWay } from '#engine/foundation/repository/way-trouble.ts'
import { isCancelled, toAppError } from '#shared/errors.ts'
import { type BackupEntry, storedBytes } from '#shared/model/backup.ts'
import type { Job } from '#shared/model/job.ts'
import { drillBytes } from './drill/scratch-database.ts'

/** A backup of a server or filestore whose files were brought here. */
export interface FetchedBackup {
  /** Its files as they are there, names and versions included, read from this computer. */
  repository: Repository
  remove(): Promise<void>
}

/**
 * Brings the files of a backup to this computer, byte by byte as they are, so that a drill, which reads them more than once,
 * reads them over the line once. They are not checked: that is for the proof. What could not be read there can't be read
 * from the copy either, for the same reason. When it rejects, nothing is left.
 * @returns null: there is no room for it beside the drill
 * @throws AppError `disk-full`, `cancelled`, those of the way to the server or filestore
 */
export async function fetchBackup(
  context: Pick<EngineContext, 'home'>,
  job: JobContext,
  { entry, repository }: { entry: BackupEntry; repository: Repository },
): Promise<FetchedBackup | null> {
  const total = storedBytes(entry)
  const dumpBytes = entry.parts.find(({ part }) => part === 'database')?.size ?? 0
  if (!isEnough(total + drillBytes(dumpBytes), await freeBytes(context.home.scratch))) {
    job.log(`This computer has no room for a copy of ${entry.name}: the drill reads it over the line a second time.`)
    return null
  }
  const folder = fetchFolder(context, job)
  const remove = () => rm(folder, { recursive: true, force: true })
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    job.phase(`Fetching ${entry.name}`, total, 'bytes')
    const facts = new Map<string, FileStat>()
    const unreadable = new Map<string, unknown>()
    for (const { file } of entry.parts) {
      const stat = belongsTo(entry.name, file) ? await repository.stat(file) : null
      if (stat === null) continue
      facts.set(file, stat)
      const error = await fetchFile(repository, stat, join(folder, file), job)
      if (error !== null) unreadable.set(file, error)
    }
    return { repository: copyOf(repository, folder, facts, unreadable), remove }
  } catch (error) {
    await remove()
    throw error
  }
}

/** Removes what a job had fetched when its program's end interrupted it. */
export async function removeFetchedOf(context: Pick<EngineContext, 'home'>, job: Pick<Job, 'id'>): Promise<void> {
  await rm(fetchFolder(context, job), { recursive: true, force: true })
}

function fetchFolder({ home }: Pick<EngineContext, 'home'>, { id }: Pick<Job, 'id'>): string {
  return join(home.scratch, `fetched-${id}`)
}

/** @returns what is wrong with the file there; null: nothing. @throws what says nothing of the file */
async function fetchFile(repository: Repository, { name, version }: FileStat, path: string, job: JobContext): Promise<unknown> {
  const { signal } = job
  let failure: unknown = null
  async function* stored(): AsyncGenerator<Buffer, void, void> {
    try {
      for await (const chunk of await repository.read(name, { ifVersion: version, signal })) {
        job.advance(chunk.length)
        yield chunk
      }
    } catch (error) {
      failure = error
      throw error
    }
  }
  try {
    await pipeline(stored, createWriteStream(path, { flags: 'wx', mode: 0o600 }), { signal })
    return null
  } catch (error) {
    if (signal.aborted || isCancelled(error)) throw toAppError(signal.reason ?? error)
    if (failure === null || isTroubleOfTheWay(failure)) throw failure ?? error
    return failure
  }
}

function copyOf(
  repository: Repository,
  folder: string,
  facts: ReadonlyMap<string, FileStat>,
  unreadable: ReadonlyMap<string, unknown>,
): Repository {
  const copy = openFolderRepository({ folder, owner: 'home' })
  return {
    ...repository,
    stat: async (name) => facts.get(name) ?? null,
    async read(name, { ifVersion: _, ...range } = {}) {
      if (unreadable.has(name)) throw unreadable.get(name)
      return copy.read(name, range)
    },
  }
}
