import type { EngineContext } from '#engine/foundation/context.ts'
import { INDEX_FILE } from '#engine/foundation/repository/names.ts'
import { openRepository } from '#engine/foundation/repository/open.ts'
import type { RepositoryName } from '#shared/model/backup.ts'
import type { Site } from '#shared/model/site.ts'
import { failedScan, inTime, LISTING_TIMEOUT_MS, type Scan, scanSite } from './scan.ts'
import { lastSeen, noteSeen } from './seen.ts'
import type { Watching } from './watch-folder.ts'

const LONGEST_WAIT_MS = 3_600_000

export interface RemoteWatching extends Watching {
  /** Looks now instead of when its time comes. */
  check(): void
  /** Settles when nothing is under way any more. */
  readonly idle: Promise<unknown>
}

export interface RemoteWatchOptions {
  /** Milliseconds between two looks; one that can't be reached is tried ever less often. */
  pollEvery: number
  timeout?: number | undefined
  /** Lets only so many look at a time. */
  inTurn<T>(action: () => Promise<T>): Promise<T>
  onChange(): void
}

/** Keeps what is known of a remote repository up to date: asks for the version of its index, and reads it when that is another. */
export function watchRemote(
  context: EngineContext,
  site: Site,
  name: RepositoryName,
  { pollEvery, timeout = LISTING_TIMEOUT_MS, inTurn, onChange }: RemoteWatchOptions,
): RemoteWatching {
  const closing = new AbortController()
  const options = { signal: closing.signal, timeout }
  let failures = 0
  let timer: NodeJS.Timeout | null = null
  let underWay: Promise<unknown> = Promise.resolve()
  let isWaiting = false
  /** Of what was told last: others who look keep in mind what they saw, and tell nobody. */
  let told: string | null = null

  async function look(): Promise<Scan> {
    const before = lastSeen(context, site, name)
    if (!before?.isListed) return scanSite(context, site, name, options)
    try {
      const stat = async (signal: AbortSignal) => (await openRepository(context, site, name, signal)).stat(INDEX_FILE)
      const version = (await inTime(name, options, stat))?.version
      if (version === before.files.get(INDEX_FILE)?.version) return { ...before, at: new Date() }
    } catch (error) {
      return failedScan(name, error)
    }
    return scanSite(context, site, name, options)
  }

  async function lookAndTell(): Promise<void> {
    isWaiting = false
    if (closing.signal.aborted) return
    told ??= essenceOf(lastSeen(context, site, name))
    const found = await look()
    if (closing.signal.aborted) return
    failures = found.isListed ? 0 : failures + 1
    noteSeen(context, site, name, found)
    const essence = essenceOf(found)
    if (essence === told) return
    told = essence
    onChange()
  }

  function check(): void {
    // one that waits for its turn will see what is there by then
    if (isWaiting || closing.signal.aborted) return
    isWaiting = true
    if (timer) clearTimeout(timer)
    const looked = underWay.then(() => inTurn(lookAndTell))
    underWay = looked
      .catch((error) => {
        if (!closing.signal.aborted)
          context.log.error('a repository could not be watched', { site: site.name, repository: name, error })
      })
      .then(() => {
        if (isWaiting || closing.signal.aborted) return
        timer = setTimeout(check, Math.min(pollEvery * 2 ** failures, Math.max(pollEvery, LONGEST_WAIT_MS)))
        timer.unref()
      })
  }

  check()
  return {
    check,
    get idle() {
      return underWay
    },
    close() {
      closing.abort()
      if (timer) clearTimeout(timer)
    },
  }
}

function essenceOf(scan: Scan | null): string {
  return JSON.stringify(scan && [scan.files.get(INDEX_FILE)?.version, scan.isListed, scan.problems])
}
