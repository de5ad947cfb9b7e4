import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { Site } from '#shared/model/site.ts'

type Places = Pick<EngineContext, 'home'>

const folderOf = ({ home }: Places, site: Pick<Site, 'name'>) => join(home.root, 'unfinished', site.name)

/**
 * Remembers on this computer that a job changes files of a site's server: after a crash nobody could know of it without asking the
 * server, which may be far away when the program starts next.
 */
export async function noteUnfinished(context: Places, site: Pick<Site, 'name'>, jobId: string): Promise<void> {
  const folder = folderOf(context, site)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await writeFile(join(folder, jobId), '', { mode: 0o600 })
}

/** The job is whole, or was taken back. */
export async function forgetUnfinished(context: Places, site: Pick<Site, 'name'>, jobId: string): Promise<void> {
  await rm(join(folderOf(context, site), jobId), { force: true })
}

/** Jobs that may have left files of the site's server half-changed, oldest first. */
export async function listUnfinished(context: Places, site: Pick<Site, 'name'>): Promise<string[]> {
  const names = await readdir(folderOf(context, site)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  return names.sort()
}
