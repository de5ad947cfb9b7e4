import { randomUUID } from 'node:crypto'
import type { Home } from '#engine/foundation/home.ts'
import { AppError } from '#shared/errors.ts'
import type { ZotonicSite } from '#shared/model/server.ts'
import type { SiteInput, SshSecrets } from '#shared/model/site.ts'

const LIFE_MS = 60 * 60_000
const MAX_KEPT = 20

/** What was found on a server. The secrets stay in this process, in memory. */
export interface Discovery {
  command: string
  runAs: string | null
  sites: ZotonicSite[]
  secrets: {
    ssh: SshSecrets
    /** By site. */
    database: ReadonlyMap<string, string>
    filestore: ReadonlyMap<string, string>
  }
}

interface Kept {
  discovery: Discovery
  expires: number
}

/** By home folder: what one engine found, others of the same process do not know. */
const shelves = new WeakMap<Home, Map<string, Kept>>()

/** Keeps what was found for an hour. @returns its name */
export function keepDiscovery(context: { home: Home }, discovery: Discovery): string {
  const shelf = shelves.get(context.home) ?? new Map<string, Kept>()
  shelves.set(context.home, shelf)
  const id = randomUUID()
  shelf.set(id, { discovery, expires: Date.now() + LIFE_MS })
  for (const [oldest] of [...shelf].slice(0, -MAX_KEPT)) shelf.delete(oldest)
  // a process that only waits for this may end
  setTimeout(() => shelf.delete(id), LIFE_MS).unref()
  return id
}

/** @throws AppError `discovery-unknown` */
export function getDiscovery(context: { home: Home }, id: string): Discovery {
  const kept = shelves.get(context.home)?.get(id)
  if (kept && kept.expires > Date.now()) return kept.discovery
  throw new AppError('discovery-unknown', 'What was found on the server is not known any more. Nothing was saved.', {
    hint: 'Look at the server again: what is found is kept for an hour.',
  })
}

/**
 * A site as it was handed in, with the secrets that were found on its server where it names a discovery and leaves them out.
 * @throws AppError `discovery-unknown`
 */
export function withDiscovered<S extends SiteInput>(context: { home: Home }, input: S): S {
  if (input.discovery === undefined) return input
  const { secrets } = getDiscovery(context, input.discovery)
  const password = input.database.password ?? secrets.database.get(input.name)
  const filestoreSecret = input.filestoreSecret ?? (input.filestore ? secrets.filestore.get(input.name) : undefined)
  return {
    ...input,
    database: { ...input.database, ...(password === undefined ? {} : { password }) },
    ...(filestoreSecret === undefined ? {} : { filestoreSecret }),
    ...(input.server?.kind === 'ssh' ? { sshSecrets: { ...secrets.ssh, ...input.sshSecrets } } : {}),
  }
}
