import { type NightlyProofs, proveOldest } from '#engine/features/proof/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { NightEnd } from '#shared/contract/schedule.ts'
import { isCancelled } from '#shared/errors.ts'
import { formatPlural } from '#shared/format.ts'
import { inPlace } from '#shared/model/backup.ts'
import type { Site } from '#shared/model/site.ts'
import { utcDate } from '#shared/rotation.ts'
import { scheduleOf } from './standing.ts'
import { changeNight, type NightRecord, readNight } from './store.ts'

/** Whether the proofs of tonight are still to come. */
export function wantsProofs(site: Site, record: NightRecord, now: Date): boolean {
  return scheduleOf(site).proofMinutes > 0 && record.provenOn !== utcDate(now)
}

/**
 * Proves backups of a site after its nightly backup, once a night, within the minutes that its schedule gives. What is
 * found bad is told to the desktop. The caller holds the lock of the site's night.
 * @returns null: nothing was to be proven, or it was stopped
 */
export async function proveNight(
  context: EngineContext,
  name: string,
  options: { now: () => Date; isEnding?: () => boolean },
): Promise<NightEnd['proofs']> {
  const site = await context.sites.get(name)
  const now = options.now()
  if (!wantsProofs(site, await readNight(context, name), now)) return null
  const job = context.jobs.start<NightlyProofs>({
    kind: 'verify',
    title: `Nightly proofs of ${name}`,
    site: name,
    // it takes long and reads only: a backup need not wait for it
    holds: [`drill:${name}`],
    run: (job) => proveOldest(context, site, { minutes: scheduleOf(site).proofMinutes, job }),
  })
  try {
    const { proven, failed, left } = await job.done
    await changeNight(context, name, { provenOn: utcDate(now) })
    if (failed.length > 0) tellFailed(context, name, failed)
    return { proven: proven.length, failed: failed.map(({ repository, name, reason }) => ({ repository, name, reason })), left }
  } catch (error) {
    // cut short by the end of the program they go on with its next start
    if (!(isCancelled(error) && options.isEnding?.())) await changeNight(context, name, { provenOn: utcDate(now) })
    if (!isCancelled(error)) context.log.error('the nightly proofs could not be made', { site: name, error })
    return null
  }
}

function tellFailed(context: EngineContext, site: string, failed: NightlyProofs['failed']): void {
  const [first] = failed
  const more = failed.length > 1 ? ` And ${failed.length - 1} more.` : ''
  context.notify({
    site,
    title: `${formatPlural(failed.length, 'backup')} of ${site} failed the proof`,
    text: `${first?.name} ${inPlace(first?.repository ?? 'vault')}: ${first?.reason}${more}`,
  })
}
