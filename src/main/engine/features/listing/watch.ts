import type { EngineContext } from '#engine/foundation/context.ts'
import { localServerFolder, repositoriesOf } from '#engine/foundation/repository/open.ts'
import { isRemote, type SiteView } from '#shared/model/site.ts'
import { noteWatched } from './seen.ts'
import { gate } from './turns.ts'
import { type Watching, watchFolder } from './watch-folder.ts'
import { type RemoteWatching, watchRemote } from './watch-remote.ts'

const REMOTE_POLL_MS = 5 * 60_000
const FOLDER_POLL_MS = 10_000
/** Remote repositories that are looked at side by side. */
const REMOTE_AT_ONCE = 4
/** Files come together: they are told together. */
const SETTLE_MS = 200
const AT_MOST_EVERY_MS = 1000

export interface WatchOptions {
  /** Milliseconds between two looks at the index of a server or filestore. */
  remotePoll?: number
  /** Milliseconds between two looks at the index in a folder, for file systems that tell nothing by themselves. */
  folderPoll?: number
  /** Milliseconds that a remote repository has to answer. */
  timeout?: number
}

/** Shows backups that others make while a window is open. */
export interface RepositoryWatch {
  /** Sites came, went or were changed. */
  sitesChanged(): void
  /** Looks at the remote repositories of a site now; null: of all sites. */
  check(site: string | null): void
  close(): Promise<void>
}

interface WatchedSite {
  /** What it was watched by: other settings lead elsewhere. */
  key: string
  folders: Watching[]
  remotes: RemoteWatching[]
  close(): void
}

/**
 * Watches the repositories of all sites, and emits `backups-changed` for the site of one whose index or files changed: once a
 * second at most. What is in servers and filestores is known from then on without looking; the overview goes by it.
 */
export function watchRepositories(context: EngineContext, options: WatchOptions = {}): RepositoryWatch {
  const { remotePoll = REMOTE_POLL_MS, folderPoll = FOLDER_POLL_MS, timeout } = options
  const sites = new Map<string, WatchedSite>()
  const inTurn = gate(REMOTE_AT_ONCE)
  const forget = noteWatched(context)
  let isClosed = false
  let refreshing = Promise.resolve()

  function watchSite(view: SiteView, key: string): WatchedSite {
    const { site, isDemo } = view
    const teller = tellAtMost(() => context.emit({ type: 'backups-changed', site: site.name }))
    const paths = [view.vaultPath, localServerFolder(site)].filter((path) => path !== null)
    const folders = paths.map((path) => watchFolder(path, isDemo ? null : folderPoll, teller.tell))
    const remotes = repositoriesOf(site)
      .filter((name) => isRemote(site, name))
      .map((name) => watchRemote(context, site, name, { pollEvery: remotePoll, timeout, inTurn, onChange: teller.tell }))
    return {
      key,
      folders,
      remotes,
      close() {
        for (const watching of [...folders, ...remotes, teller]) watching.close()
      },
    }
  }

  async function refresh(): Promise<void> {
    const { sites: present } = await context.sites.list()
    if (isClosed) return
    const keys = new Map(present.map((view) => [view.site.name, keyOf(view)]))
    for (const [name, watched] of sites) {
      if (keys.get(name) === watched.key) continue
      watched.close()
      sites.delete(name)
    }
    for (const view of present) {
      const { name } = view.site
      if (!sites.has(name)) sites.set(name, watchSite(view, keys.get(name) ?? ''))
    }
  }

  function sitesChanged(): void {
    refreshing = refreshing.then(refresh).catch((error) => context.log.error('the sites could not be watched', { error }))
  }

  sitesChanged()
  return {
    sitesChanged,
    check(name) {
      for (const [site, { remotes }] of sites) {
        if (name === null || name === site) for (const remote of remotes) remote.check()
      }
    },
    async close() {
      isClosed = true
      forget()
      for (const watched of sites.values()) watched.close()
      await refreshing
      await Promise.all([...sites.values()].flatMap(({ remotes }) => remotes.map(({ idle }) => idle)))
    },
  }
}

function keyOf({ site, vaultPath }: SiteView): string {
  return JSON.stringify([vaultPath, site.server, site.filestore])
}

/** Tells soon, of what comes together once, and again after a second at the earliest. */
function tellAtMost(action: () => void): Watching & { tell(): void } {
  let timer: NodeJS.Timeout | null = null
  let toldAt = Number.NEGATIVE_INFINITY
  return {
    tell() {
      if (timer) return
      const wait = Math.max(SETTLE_MS, toldAt + AT_MOST_EVERY_MS - performance.now())
      timer = setTimeout(() => {
        timer = null
        toldAt = performance.now()
        action()
      }, wait)
    },
    close() {
      if (timer) clearTimeout(timer)
    },
  }
}
