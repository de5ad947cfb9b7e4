import { createReadStream } from 'node:fs'
import { restoreMedia } from '#engine/features/restore/media/restore-media.ts'
import { workerFile } from '#engine/foundation/bundles.ts'
import { gunzip } from '#engine/foundation/content/gunzip.ts'
import { createWorkers } from '#engine/foundation/workers.ts'

/** Restores a media archive into a files folder: `untar-child.ts ARCHIVE FILES_DIR`. */
const [archive = '', filesDir = ''] = process.argv.slice(2)
const { signal } = new AbortController()
const workers = createWorkers({ file: workerFile() })
const tar = gunzip(createReadStream(archive, { highWaterMark: 256 * 1024 }))
await restoreMedia({ tar, filesDir, jobId: 'bench', site: 'bench', schema: null, workers, signal })
await workers.close()
