import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * The file that worker threads run: `worker.js` beside the bundle that this code ended up in (or one folder
 * up, from a shared chunk), or the source where tests run without a build.
 */
export function workerFile(): string {
  const here = dirname(fileURLToPath(import.meta.url))
  const places = [join(here, 'worker.js'), join(here, '..', 'worker.js'), join(here, '..', 'worker.ts')]
  const found = places.find((place) => existsSync(place))
  if (!found) throw new Error('worker.js is missing: the build is incomplete')
  return found
}
