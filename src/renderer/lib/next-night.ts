import type { NightlyState } from '#shared/contract/schedule.ts'
import { formatComing, formatUntil } from '#shared/format.ts'

/** "Next: Tue 24 Nov 03:02 UTC, in 17 h", or that none comes. */
export function nextNightText({ runningJob, nextAt }: NightlyState, now: Date): string {
  if (runningJob !== null) return 'The backup of this night is running'
  return nextAt === null ? 'Off: no night is backed up' : `Next: ${formatComing(nextAt, now)} UTC, ${formatUntil(nextAt, now)}`
}

/** The site whose night comes first; null: no night comes. */
export function firstNight(states: readonly NightlyState[]): { site: string; at: string } | null {
  const coming = states.flatMap(({ site, nextAt }) => (nextAt === null ? [] : [{ site, at: nextAt }]))
  return coming.sort((a, b) => a.at.localeCompare(b.at))[0] ?? null
}
