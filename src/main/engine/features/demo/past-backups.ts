import { utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { openPartSources, writePart } from '#engine/features/backup/index.ts'
import type { PostgresConnection } from '#engine/foundation/connections/postgres.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { JobContext } from '#engine/foundation/jobs/types.ts'
import { noRateLimit } from '#engine/foundation/rate-limit.ts'
import { openFolderRepository } from '#engine/foundation/repository/folder.ts'
import { partFileName } from '#engine/foundation/repository/names.ts'
import { type SlotPart, writeSlot } from '#engine/foundation/repository/slot-writer.ts'
import type { PartKind } from '#shared/model/backup.ts'
import type { Site } from '#shared/model/site.ts'
import type { DemoPlaces } from './places.ts'
import type { Night } from './story/nights.ts'

/** The site as it was in a night; held in memory (10 MB at most), since encrypted parts are made later. */
export interface SiteOfNight {
  night: Night
  parts: { part: PartKind; bytes: Buffer }[]
}

/** Takes what the backup of this night holds, from the site as it stands now. */
export async function captureNight(
  context: EngineContext,
  job: JobContext,
  site: Site,
  connection: PostgresConnection,
  night: Night,
): Promise<SiteOfNight> {
  const { sources } = await openPartSources(context, site, {
    connection,
    engine: 'built-in',
    compression: 7,
    limit: noRateLimit,
    scratch: context.home.scratch,
    databaseOnly: night.databaseOnly,
    signal: job.signal,
    onProgress: () => {},
    onNote: (note) => job.log(`${night.name}: ${note}`),
    onProblem: (problem) => job.log(`${night.name}: ${problem.path}: ${problem.text}`),
  })
  try {
    const parts: SiteOfNight['parts'] = []
    for (const { part, stream } of sources) parts.push({ part, bytes: await buffer(stream) })
    return { night, parts }
  } finally {
    for (const { stream } of sources) stream.destroy()
  }
}

/** Puts the backup of a night into its slot, as the server would have, with that night's date. */
export async function storeNight(
  context: EngineContext,
  job: JobContext,
  places: DemoPlaces,
  { night, parts }: SiteOfNight,
  encryptionPassword: string,
): Promise<void> {
  const { signal } = job
  const repository = openFolderRepository({ folder: places.backupDir, owner: 'server', locks: context.locks })
  const password = night.isEncrypted ? encryptionPassword : null
  const store = async ({ part, bytes }: SiteOfNight['parts'][number]): Promise<SlotPart> => {
    const { handle } = await repository.createPart(partFileName(part, night.name, password !== null), job.id)
    // pictures do not get smaller: speed counts more than the size here
    const options = { password, compression: part === 'files' ? 1 : 6, workers: context.workers, signal }
    const stored = await writePart(Readable.from([bytes], { objectMode: false }), handle, options)
    return { kind: part, sha256: stored.hash, size: stored.size }
  }
  const stored = await allOrNone(parts.map(store))
  const timestamp = Math.floor(night.at.getTime() / 1000)
  await writeSlot(repository, { jobId: job.id, name: night.name, timestamp, parts: stored, isEncrypted: password !== null })
  for (const { kind } of stored) {
    await utimes(join(places.backupDir, partFileName(kind, night.name, password !== null)), night.at, night.at)
  }
}

/** Waits for all, also when one fails: nothing may still be written when the folder is cleared away. */
async function allOrNone<T>(promises: Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises)
  return Promise.all(promises)
}
