import { utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { openPartSources, writePart } from '#engine/features/backup/index.ts'
import type { PostgresConnection } from '#engine/foundation/connections/postgres.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { JobContext } from '#engine/foundation/jobs/types.ts'
import { openFolderRepository } from '#engine/foundation/repository/folder.ts'
import { partFileName } from '#engine/foundation/repository/names.ts'
import { type SlotPart, writeSlot } from '#engine/foundation/repository/slot-writer.ts'
import type { Site } from '#shared/model/site.ts'
import type { DemoPlaces } from './places.ts'
import type { Night } from './story/nights.ts'

/** Makes the backup of a night from the site as it stands, as the server would have: in its slot, with that night's date. */
export async function makePastBackup(
  context: EngineContext,
  job: JobContext,
  options: { places: DemoPlaces; site: Site; connection: PostgresConnection; night: Night; password: string },
): Promise<void> {
  const { places, site, connection, night } = options
  const { signal } = job
  const repository = openFolderRepository({ folder: places.backupDir, owner: 'server', locks: context.locks })
  const password = night.isEncrypted ? options.password : null
  const sources = await openPartSources(site, connection, {
    databaseOnly: night.databaseOnly,
    signal,
    onProgress: () => {},
    onNote: (note) => job.log(`${night.name}: ${note}`),
    onProblem: (problem) => job.log(`${night.name}: ${problem.path}: ${problem.text}`),
  })
  const files: string[] = []
  const parts: SlotPart[] = []
  try {
    for (const { part, stream } of sources) {
      const file = partFileName(part, night.name, password !== null)
      const { handle } = await repository.createPart(file, job.id)
      // pictures do not get smaller: speed counts more than the size here
      const stored = await writePart(stream, handle, { password, compression: 1, workers: context.workers, signal })
      files.push(file)
      parts.push({ kind: part, sha256: stored.hash, size: stored.size })
    }
  } finally {
    for (const { stream } of sources) stream.destroy()
  }
  const timestamp = Math.floor(night.at.getTime() / 1000)
  await writeSlot(repository, { jobId: job.id, name: night.name, timestamp, parts, isEncrypted: password !== null })
  for (const file of files) await utimes(join(places.backupDir, file), night.at, night.at)
}
