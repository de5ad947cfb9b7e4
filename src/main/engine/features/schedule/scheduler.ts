import { Cron } from 'croner'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { Lock } from '#engine/foundation/locks.ts'
import type { NightEnd } from '#shared/contract/schedule.ts'
import type { Site } from '#shared/model/site.ts'
import { startNight, wantsAttention } from './night.ts'
import { nightlyStates, standingOf } from './standing.ts'

/** Twice a minute: a clock that jumped and a computer that slept are noticed with the next tick. */
const TICKS = '*/30 * * * * *'
/** So many nightly backups run at a time on this computer. */
const TURNS = ['nights:1', 'nights:2']

const REST_MS = 3_600_000

/** Runs the nights of all sites while the program lives. */
export interface Scheduler {
  /** Looks at all sites now; the clock does it by itself. */
  tick(): Promise<void>
  /** Starts no more nights; resolves when those under way ended. Their jobs are cancelled by whoever owns them. */
  close(): Promise<void>
}

/** @param options.now for tests; the ticks go by the real clock */
export function startScheduler(context: EngineContext, options: { now?: () => Date; ticks?: boolean } = {}): Scheduler {
  const now = options.now ?? (() => new Date())
  const nights = new Map<string, Promise<NightEnd>>()
  /** Nights whose failure could not be written down, on a full disk for instance: they wait an hour too. */
  const resting = new Map<string, number>()
  let isEnding = false
  let isStale = false
  let lastSeen = ''
  let ticking: Promise<void> | null = null

  async function attend(site: Site): Promise<void> {
    if (isEnding || nights.has(site.name) || !site.schedule?.enabled) return
    if (performance.now() < (resting.get(site.name) ?? 0)) return
    if (!wantsAttention(site, await standingOf(context, site, now(), { isLook: true }), now())) return
    const turn = await takeTurn(context)
    if (!turn || isEnding) return turn?.release()
    const night = await startNight(context, site.name, { now, asked: false, isEnding: () => isEnding }).catch((error) => {
      context.log.error('a night could not be started', { site: site.name, error })
      return null
    })
    if (!night) return turn.release()
    const ended = night.ended.finally(async () => {
      nights.delete(site.name)
      await turn.release()
    })
    ended.then(({ outcome, jobId }) => {
      if (outcome === 'failed' && jobId === null) resting.set(site.name, performance.now() + REST_MS)
    })
    nights.set(site.name, ended)
    // the next site need not wait for the clock
    ended.then(tick, () => {})
  }

  async function look(): Promise<void> {
    const { sites } = await context.sites.list()
    for (const { site } of sites) {
      await attend(site).catch((error) => context.log.error('a night could not be looked at', { site: site.name, error }))
    }
    // what another program did, or the clock alone, changes what is shown too
    const seen = JSON.stringify(await nightlyStates(context, now()))
    if (seen !== lastSeen && lastSeen !== '') context.emit({ type: 'schedule-changed' })
    lastSeen = seen
  }

  async function lookUntilCurrent(): Promise<void> {
    do {
      isStale = false
      await look().catch((error) => context.log.error('the nights could not be looked at', { error }))
    } while (isStale && !isEnding)
  }

  function tick(): Promise<void> {
    // what changed while it was being looked at is looked at once more
    isStale = true
    ticking ??= lookUntilCurrent().finally(() => {
      ticking = null
    })
    return ticking
  }

  const cron = options.ticks === false ? null : new Cron(TICKS, { utcOffset: 0, unref: true }, tick)
  return {
    tick,
    async close() {
      isEnding = true
      cron?.stop()
      await ticking
      await Promise.all(nights.values())
    },
  }
}

async function takeTurn({ locks }: EngineContext): Promise<Lock | null> {
  for (const turn of TURNS) {
    const lock = await locks.tryAcquire(turn)
    if (lock) return lock
  }
  return null
}
