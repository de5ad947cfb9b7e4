import type { Night } from '#shared/contract/backups.ts'
import { formatDay } from '#shared/format.ts'
import { type BackupEntry, inPlaces } from '#shared/model/backup.ts'
import type { Job } from '#shared/model/job.ts'
import { DAY_MS } from '#shared/rotation.ts'

const NIGHTS = 35

/** The last 35 UTC dates, oldest first, with what is left of each night: rotation keeps a week of days and some Sundays. */
export function nightsOf(good: BackupEntry[], jobs: Job[], now: Date): Night[] {
  const nights: Night[] = []
  for (let back = NIGHTS - 1; back >= 0; back -= 1) {
    const date = new Date(now.getTime() - back * DAY_MS).toISOString().slice(0, 10)
    nights.push(nightOf(date, good, jobs))
  }
  return nights
}

function nightOf(date: string, good: BackupEntry[], jobs: Job[]): Night {
  const day = formatDay(`${date}T00:00:00Z`)
  const places = new Set(good.filter(({ timestamp }) => timestamp.startsWith(date)).map(({ repository }) => repository))
  const kept = inPlaces(places)
  if (places.size > 1) return { date, outcome: 'good', text: `${day}: kept ${kept}` }
  if (places.size === 1) return { date, outcome: 'one-place', text: `${day}: kept ${kept} only` }
  const failed = jobs.find(
    ({ createdAt, state }) => createdAt.startsWith(date) && (state === 'failed' || state === 'interrupted'),
  )
  if (failed) return { date, outcome: 'failed', text: `${day}: failed: ${failed.error?.message ?? 'the reason is not known'}` }
  return { date, outcome: 'none', text: `${day}: no backup is kept of this night` }
}
