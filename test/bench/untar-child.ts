import { createReadStream, existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { restoreMedia } from '#engine/features/restore/media/restore-media.ts'
import { workerFile } from '#engine/foundation/bundles.ts'
import { gunzip } from '#engine/foundation/content/gunzip.ts'
import { createWorkers } from '#engine/foundation/workers.ts'

/** Restores a media archive into a files folder and prints the seconds: `untar-child.ts ARCHIVE FILES_DIR`. */
const [archive = '', filesDir = ''] = process.argv.slice(2)
const built = fileURLToPath(new URL('../../out/main/worker.js', import.meta.url))
// as the app has it; its threads start within the time
const workers = createWorkers({ file: existsSync(built) ? built : workerFile() })
const { signal } = new AbortController()
const start = performance.now()
const tar = gunzip(createReadStream(archive, { highWaterMark: 256 * 1024 }))
await restoreMedia({ tar, filesDir, jobId: 'bench', site: 'bench', schema: null, workers, signal })
console.log((performance.now() - start) / 1000)
await workers.close()
