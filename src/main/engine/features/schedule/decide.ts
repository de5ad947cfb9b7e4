import { createHash } from 'node:crypto'
import { formatClock, formatMoment, formatMomentLong } from '#shared/format.ts'
import type { Schedule } from '#shared/model/site.ts'
import { DAY_MS, utcDate } from '#shared/rotation.ts'

const RETRY_MS = 3_600_000
/** Sites start within this many seconds of each other, each always after the same delay. */
const SPREAD_SECONDS = 300

/** What became of a night. */
export interface LastNight {
  /** UTC date that it was the night of. */
  date: string
  /** When it ended, ISO. */
  at: string
  outcome: 'made' | 'failed' | 'skipped'
  /** For people. */
  text: string
}

export interface NightFacts {
  now: Date
  schedule: Schedule
  /** Of {@link delayOf}; 0 when somebody asked for the backup. */
  delaySeconds: number
  /** When the rotation's backups in the schedule's repository were made, by whomever. Safety and pinned ones don't count. */
  backups: readonly Date[]
  last: LastNight | null
}

export interface NightDecision {
  /** `made`: tonight's is there. `waiting`: its time has not come. `retry-later`: it failed less than an hour ago. */
  state: 'off' | 'waiting' | 'made' | 'due' | 'retry-later'
  /** When it starts next; in the past when it is due. */
  nextAt: Date | null
  /** The time of tonight's backup has come. */
  isNight: boolean
  /** Why it is due or delayed; empty otherwise. */
  reason: string
}

/**
 * Whether a site's nightly backup is due: it is switched on, it is the time of the night or later, and no backup of
 * today's UTC date is there. The newest one may be dated in the future, after a clock was wrong: it must not stop the
 * nights, so it does not count. A failed night is tried again after an hour, on the same date.
 * Source: docs/formats.md, "Nights".
 */
export function decideNight({ now, schedule, delaySeconds, backups, last }: NightFacts): NightDecision {
  if (!schedule.enabled) return { state: 'off', nextAt: null, isNight: false, reason: '' }
  const today = utcDate(now)
  const dueAt = startOf(today, schedule.at, delaySeconds)
  const tomorrowAt = startOf(utcDate(new Date(now.getTime() + DAY_MS)), schedule.at, delaySeconds)
  if (backups.some((made) => utcDate(made) === today))
    return { state: 'made', nextAt: tomorrowAt, isNight: now >= dueAt, reason: '' }
  if (now < dueAt) return { state: 'waiting', nextAt: dueAt, isNight: false, reason: '' }
  const future = futureText(backups, today)
  const failedAt = last?.outcome === 'failed' && last.date === today ? new Date(last.at) : null
  const retryAt = failedAt && new Date(failedAt.getTime() + RETRY_MS)
  // after a clock was set back, a failure can be of later than now
  if (failedAt && retryAt && failedAt <= now && now < retryAt) {
    const nextAt = utcDate(retryAt) === today ? retryAt : tomorrowAt
    const reason = `Failed at ${formatClock(failedAt)} UTC: ${last?.text ?? ''} The next try is on ${formatMoment(nextAt)} UTC.${future}`
    return { state: 'retry-later', nextAt, isNight: true, reason }
  }
  const failure = failedAt ? ` The last try failed: ${last?.text ?? ''}` : ''
  const reason = `Due since ${formatClock(dueAt)} UTC and not made yet.${failure}${future}`
  return { state: 'due', nextAt: dueAt, isNight: true, reason }
}

/** Seconds after the time of the night, always the same for a site, so that many sites don't start at once; never past midnight. */
export function delayOf(site: string, at: string): number {
  const [hours = 0, minutes = 0] = at.split(':').map(Number)
  const untilMidnight = 86_400 - hours * 3600 - minutes * 60
  return createHash('sha256').update(site).digest().readUInt32BE(0) % Math.min(SPREAD_SECONDS, untilMidnight)
}

function startOf(date: string, at: string, delaySeconds: number): Date {
  return new Date(new Date(`${date}T${at}:00Z`).getTime() + delaySeconds * 1000)
}

function futureText(backups: readonly Date[], today: string): string {
  const newest = backups.reduce<Date | null>((found, made) => (found && found > made ? found : made), null)
  if (!newest || utcDate(newest) <= today) return ''
  return ` The newest backup is dated ${formatMomentLong(newest)}, in the future: is the clock of this computer or of the server wrong?`
}
