import { openFolderRepository } from '#engine/foundation/repository/folder.ts'
import type { Repository } from '#engine/foundation/repository/types.ts'
import type { FilestoreSettings } from '#shared/model/site.ts'
import { transfer } from '#test/support/transfers.ts'

/** A repository to be opened in a program of its own. */
export type BenchPlace =
  | { kind: 'folder'; folder: string }
  | { kind: 's3'; settings: FilestoreSettings; secret: string; transfers: string }

/** Copies a backup with the engine's own call; prints seconds and the most memory that it took. */
async function main(): Promise<void> {
  const { from, to, name } = JSON.parse(process.argv[2] ?? '') as { from: BenchPlace; to: BenchPlace; name: string }
  const [source, target] = [await openPlace(from), await openPlace(to)]
  const started = performance.now()
  await transfer(source, target, name)
  const seconds = (performance.now() - started) / 1000
  process.stdout.write(JSON.stringify({ seconds, rss: process.resourceUsage().maxRSS * 1024 }))
  process.exit(0)
}

async function openPlace(place: BenchPlace): Promise<Repository> {
  if (place.kind === 'folder') return openFolderRepository({ folder: place.folder, owner: 'server' })
  const { openS3Repository } = await import('#engine/foundation/repository/s3/repository.ts')
  return openS3Repository(place)
}

await main()
