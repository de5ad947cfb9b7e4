import type { EngineContext } from '#engine/foundation/context.ts'
import type { Home } from '#engine/foundation/home.ts'
import type { RepositoryName } from '#shared/model/backup.ts'
import type { Site } from '#shared/model/site.ts'
import type { Scan } from './scan.ts'

interface Seen {
  /** The settings by which it was reached: other ones lead somewhere else. */
  way: string
  scan: Scan
}

/** What the remote repositories of each engine were last seen to hold; in memory only. */
const seenBy = new WeakMap<Home, Map<string, Seen>>()

type Seer = Pick<EngineContext, 'home'>

function seenOf({ home }: Seer): Map<string, Seen> {
  const known = seenBy.get(home) ?? new Map<string, Seen>()
  seenBy.set(home, known)
  return known
}

const keyOf = (site: Site, name: RepositoryName) => `${site.name}/${name}`
const wayOf = (site: Site, name: RepositoryName) => JSON.stringify(name === 'server' ? site.server : site.filestore)

/** Keeps in mind what a look found. */
export function noteSeen(context: Seer, site: Site, name: RepositoryName, scan: Scan): void {
  seenOf(context).set(keyOf(site, name), { way: wayOf(site, name), scan })
}

/** What the last look found; null: it was not looked at yet. */
export function lastSeen(context: Seer, site: Site, name: RepositoryName): Scan | null {
  const seen = seenOf(context).get(keyOf(site, name))
  return seen && seen.way === wayOf(site, name) ? seen.scan : null
}

const watched = new WeakSet<Home>()

/** Whether what was seen is kept up to date by somebody. */
export function isWatched({ home }: Seer): boolean {
  return watched.has(home)
}

/** Says that it is from now on; returns the way to take it back. */
export function noteWatched({ home }: Seer): () => void {
  watched.add(home)
  return () => watched.delete(home)
}
