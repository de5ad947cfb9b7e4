import { recentIndex } from '#engine/features/listing/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import { openRepository } from '#engine/foundation/repository/open.ts'
import type { NightlyState } from '#shared/contract/schedule.ts'
import { toAppError } from '#shared/errors.ts'
import { formatClock, formatMoment } from '#shared/format.ts'
import type { RepositoryName } from '#shared/model/backup.ts'
import { isJobActive } from '#shared/model/job.ts'
import { isRemote, type Schedule, type Site, scheduleSchema } from '#shared/model/site.ts'
import { slotOf, utcDate } from '#shared/rotation.ts'
import { decideNight, delayOf, type NightDecision } from './decide.ts'
import { type NightRecord, readNight } from './store.ts'

/** How a site's night stands right now. */
export interface Standing {
  schedule: Schedule
  decision: NightDecision
  record: NightRecord
  /** Why the backups in the schedule's repository can't be told; null: they can. */
  problem: string | null
}

/** The schedule of a site; one that has none is switched off. */
export function scheduleOf(site: Site): Schedule {
  return site.schedule ?? scheduleSchema.parse({ enabled: false })
}

/**
 * The rotation's backups of a site in a repository, whoever made them. Safety and pinned ones are none of the nights'.
 * @throws AppError those of the repository
 */
export async function nightlyBackups(
  context: EngineContext,
  site: Site,
  to: RepositoryName,
  isLook = false,
): Promise<{ name: string; made: Date }[]> {
  const index = isLook ? await recentIndex(context, site, to) : await (await openRepository(context, site, to)).readIndex()
  return [...index].flatMap(([name, { timestamp }]) =>
    slotOf(site.name, name) === null ? [] : [{ name, made: new Date(timestamp * 1000) }],
  )
}

/**
 * @param asked somebody wants it now: neither the site's delay nor the hour between two tries counts
 * @param isLook nothing is done by it: a server that was looked at in the last minutes is not asked again
 */
export async function standingOf(
  context: EngineContext,
  site: Site,
  now: Date,
  { asked = false, isLook = false }: { asked?: boolean; isLook?: boolean } = {},
): Promise<Standing> {
  const schedule = scheduleOf(site)
  const record = await readNight(context, site.name)
  let problem: string | null = null
  const isKnownMade = record.last?.date === utcDate(now) && record.last.outcome !== 'failed'
  let backups: Date[] = []
  try {
    if (schedule.enabled) backups = (await nightlyBackups(context, site, schedule.to, isLook)).map(({ made }) => made)
  } catch (error) {
    problem = toAppError(error).message
    // a disk that went away after the backup was made does not make it due again
    if (isKnownMade) backups = [now]
  }
  // what was seen of a remote place may be of before tonight's was made
  if (isLook && isKnownMade && isRemote(site, schedule.to)) backups = [...backups, now]
  const wasLocked = record.lastCode === 'secrets-locked' && (await context.secrets.state()).state !== 'locked'
  const decision = decideNight({
    now,
    schedule,
    delaySeconds: asked ? 0 : delayOf(site.name, schedule.at),
    backups,
    last: asked || wasLocked ? null : record.last,
  })
  return { schedule, decision, record, problem }
}

/** For `schedule.list`. */
export async function nightlyState(context: EngineContext, site: Site, now: Date): Promise<NightlyState> {
  const { schedule, decision, record, problem } = await standingOf(context, site, now, { isLook: true })
  const runningJob = await activeJob(context, record.running)
  const isMissed = runningJob === null && (decision.state === 'due' || decision.state === 'retry-later')
  const next = decision.nextAt && (decision.nextAt < now ? now : decision.nextAt)
  return {
    site: site.name,
    schedule,
    nextAt: next?.toISOString() ?? null,
    runningJob,
    missed: isMissed ? [decision.reason, problem].filter((text) => text !== null).join(' ') : null,
    last: record.last,
  }
}

async function activeJob(context: EngineContext, id: string | null): Promise<string | null> {
  if (id === null) return null
  const shown = await context.jobs.show(id).catch(() => null)
  return shown && isJobActive(shown.job) ? id : null
}

/** The nights of all sites, in the order of the sites. */
export async function nightlyStates(context: EngineContext, now: Date): Promise<NightlyState[]> {
  const { sites } = await context.sites.list()
  return Promise.all(sites.map(({ site }) => nightlyState(context, site, now)))
}

/** One line about all nights: "Next: testsite Tue 24 Nov 03:02 UTC". */
export async function nightsLine(context: EngineContext, now: Date = new Date()): Promise<string> {
  const states = await nightlyStates(context, now)
  const running = states.find(({ runningJob }) => runningJob !== null)
  if (running) return `Backing up ${running.site}`
  const missed = states.find((state) => state.missed !== null)
  if (missed) return `Not backed up tonight: ${missed.site}`
  const [next] = states
    .flatMap(({ site, nextAt }) => (nextAt === null ? [] : [{ site, nextAt }]))
    .sort((a, b) => (a.nextAt < b.nextAt ? -1 : 1))
  if (!next) return 'No nightly backups are switched on'
  const isToday = next.nextAt.startsWith(utcDate(now))
  return `Next: ${next.site} ${isToday ? formatClock(next.nextAt) : formatMoment(next.nextAt)} UTC`
}
