import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { EngineContext } from '#engine/foundation/context.ts'
import { partFiles } from '#engine/foundation/repository/backup-index.ts'
import { openRepository, readRotationIndexes, serverBackupFolder } from '#engine/foundation/repository/open.ts'
import { rotationScheme } from '#engine/foundation/repository/scheme.ts'
import type { OutputOf } from '#shared/contract/define.ts'
import type { schedule as area, NightEnd, NightlyState } from '#shared/contract/schedule.ts'
import { AppError } from '#shared/errors.ts'
import { formatMomentLong, formatPlanLabel } from '#shared/format.ts'
import type { RepositoryName } from '#shared/model/backup.ts'
import type { Schedule, Site } from '#shared/model/site.ts'
import { startNight } from './night.ts'
import { comingNights, type PresentBackup } from './preview.ts'
import { nightlyState, scheduleOf, standingOf } from './standing.ts'

/**
 * The slots of the coming nights, also of a schedule that is switched off.
 * @param to as if they wrote there; default: where they do
 * @throws AppError `scheme-conflict`, those of the repository
 */
export async function previewNights(
  context: EngineContext,
  site: Site,
  count: number,
  to?: RepositoryName,
  now: Date = new Date(),
): Promise<OutputOf<(typeof area)['schedule.preview']>> {
  const saved = scheduleOf(site)
  const schedule = { ...saved, to: to ?? saved.to }
  const repository = await openRepository(context, site, schedule.to)
  const indexes = await readRotationIndexes(context, site, schedule.to)
  const sizes = new Map((await repository.list()).map(({ name, size }) => [name, size]))
  const present = new Map<string, PresentBackup>(
    [...indexes.target].map(([name, entry]) => {
      const bytes = partFiles(name, entry).reduce((sum, { file }) => sum + (sizes.get(file) ?? 0), 0)
      return [name, { name, made: new Date(entry.timestamp * 1000), bytes }]
    }),
  )
  const scheme = rotationScheme(site, indexes, schedule.to)
  const { decision } = await standingOf(context, { ...site, schedule: { ...schedule, enabled: true } }, now, { isLook: true })
  const first = decision.nextAt && decision.nextAt > now ? decision.nextAt : now
  return { scheme, repository: schedule.to, nights: comingNights(site.name, scheme, first, count, present) }
}

/**
 * Sets a site's schedule; one that writes onto the server or into the filestore is confirmed first.
 * @throws AppError `no-server`, `no-filestore`
 */
export async function setSchedule(
  context: EngineContext,
  name: string,
  schedule: Schedule,
): Promise<{ saved: boolean; state: NightlyState }> {
  const site = await context.sites.get(name)
  const wanted = { ...site, schedule }
  const saved = await isConfirmed(context, site, wanted)
  if (saved) await context.sites.update(wanted)
  if (saved) context.emit({ type: 'schedule-changed' })
  return { saved, state: await nightlyState(context, saved ? wanted : site, new Date()) }
}

/**
 * A schedule that writes onto a server or into a filestore is confirmed by a person once for each place that it comes to
 * write into, whichever way the settings are changed.
 * @param before null: a new site
 * @throws AppError `no-server`, `no-filestore`
 */
export async function isConfirmed(context: EngineContext, before: Site | null, after: Site): Promise<boolean> {
  const target = nightsTarget(after)
  if (target === null || (before && isDeepStrictEqual(nightsTarget(before), target))) return true
  const { name } = after
  const id = randomUUID()
  return context.confirm({
    id,
    title: `Nightly backups ${target.into}`,
    question: `Back up ${name} ${target.into} each night?`,
    text: `Each night from now on, without being asked again. ${target.effect}`,
    facts: [
      { label: 'Replaced', text: 'Each night, the older backup in that night’s slot.' },
      { label: 'Written', text: `One backup a night in ${target.place}, from ${scheduleOf(after).at} UTC.` },
      { label: 'Stays', text: 'The live site, and every other backup. A night that the server made itself is left to it.' },
      { label: 'Way back', text: 'Switch the nights off. None for the replaced backups; copies elsewhere stay.' },
    ],
    typedName: name,
    action: `Back up ${name} each night`,
    planLabel: formatPlanLabel(id),
  })
}

/** @throws AppError `not-confirmed` */
export async function requireConfirmed(context: EngineContext, before: Site | null, after: Site): Promise<void> {
  if (await isConfirmed(context, before, after)) return
  throw new AppError(
    'not-confirmed',
    `Nightly backups ${nightsTarget(after)?.into} were not confirmed. The site was not saved.`,
    {
      hint: 'Nightly backups into the vault need no confirmation.',
      details: { site: after.name },
    },
  )
}

/** Where the nights of a site write, other than into its vault. */
interface NightsTarget {
  /** "onto the server", for people. */
  into: string
  effect: string
  place: string
  /** Of a filestore: two may have a bucket of the same name. */
  endpoint: string | null
}

/** null: they are off, or write into the vault. @throws AppError `no-server`, `no-filestore` */
function nightsTarget(site: Site): NightsTarget | null {
  const { enabled, to } = scheduleOf(site)
  if (!enabled || to === 'vault') return null
  const folder = serverBackupFolder(site)
  if (to === 'server' && folder !== null) {
    const effect = 'The server lists these backups with its own, and restores from them.'
    return { into: 'onto the server', effect, place: folder, endpoint: null }
  }
  if (to === 'filestore' && site.filestore) {
    const { bucket, prefix, endpoint = null } = site.filestore
    const place = `s3://${[bucket, prefix, 'backup'].filter((part) => part !== '').join('/')}`
    return { into: 'into the filestore', effect: 'A standby of this site takes over the newest of them.', place, endpoint }
  }
  throw new AppError(`no-${to}`, `The site ${site.name} has no ${to} for its nights to write to. Nothing was saved.`, {
    hint: `Add the ${to} in the site’s settings, or back up into the vault.`,
    details: { site: site.name },
  })
}

/**
 * Makes tonight's backup now, although it failed or its time only just came.
 * @returns the job's id
 * @throws AppError `nothing-missed`, `night-running`
 */
export async function runMissed(context: EngineContext, name: string, now: () => Date = () => new Date()): Promise<string> {
  const site = await context.sites.get(name)
  const { decision } = await standingOf(context, site, now(), { asked: true })
  if (decision.state !== 'due') {
    throw new AppError(
      'nothing-missed',
      decision.state === 'off'
        ? `The nights of ${name} are switched off. Nothing was done.`
        : decision.state === 'made'
          ? `Tonight’s backup of ${name} is there. Nothing was done.`
          : `Tonight’s backup of ${name} is not due before ${formatMomentLong(decision.nextAt ?? now())}. Nothing was done.`,
      { hint: '"Back up now" makes one at any time.', details: { site: name, state: decision.state } },
    )
  }
  const night = await startNight(context, name, { now, asked: true })
  if (night?.jobId) return night.jobId
  throw new AppError('night-running', `Tonight’s backup of ${name} is being made already. Nothing was started.`, {
    hint: 'See the jobs.',
    details: { site: name },
  })
}

/** Does what all nights ask for now, one site after the other; for a terminal. Stops when one was cancelled. */
export async function runDue(context: EngineContext, now: () => Date = () => new Date()): Promise<NightEnd[]> {
  const ends: NightEnd[] = []
  for (const { site } of (await context.sites.list()).sites) {
    if (!site.schedule?.enabled) continue
    const night = await startNight(context, site.name, { now, asked: true })
    if (!night) continue
    const end = await night.ended
    ends.push(end)
    if (end.outcome === 'cancelled') break
  }
  return ends
}
