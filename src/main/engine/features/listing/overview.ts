import type { EngineContext } from '#engine/foundation/context.ts'
import type { SiteStatus } from '#shared/contract/backups.ts'
import { isoSeconds } from '#shared/format.ts'
import type { BackupEntry, BackupList, RepositoryName } from '#shared/model/backup.ts'
import type { Job } from '#shared/model/job.ts'
import type { SiteView } from '#shared/model/site.ts'
import { listBackups } from './list.ts'
import { nightsOf } from './nights.ts'
import { isCurrent, isUnlisted, judge } from './protection.ts'

/** The jobs of this many weeks tell which nights failed. */
const JOBS_READ = 1000

/** How each site stands, in the order of the sites. Reads the indexes and the proofs; opens no backup. */
export async function overview(context: EngineContext, now: Date = new Date()): Promise<SiteStatus[]> {
  const { sites } = await context.sites.list()
  const jobs = await context.jobs.list({ limit: JOBS_READ })
  const statuses: SiteStatus[] = []
  for (const view of sites) {
    const list = await listBackups(context, view.site)
    const ownJobs = jobs.filter(({ site, kind }) => site === view.site.name && kind === 'backup')
    statuses.push(siteStatus(view, list, ownJobs, now))
  }
  return statuses
}

/** @param jobs the site's backup jobs, newest first */
export function siteStatus(view: SiteView, list: BackupList, jobs: Job[], now: Date): SiteStatus {
  const { site, isDemo } = view
  const good = list.backups.filter(isGood)
  const newest = good[0] ?? null
  return {
    site: site.name,
    label: site.label ?? site.name,
    isDemo,
    ...judge({ good, problems: list.problems, jobs, hasServer: site.server !== undefined, now }),
    newest: newest && { name: newest.name, timestamp: newest.timestamp, bytes: bytesOf(newest) },
    nights: nightsOf(good, jobs, now),
    sizes: good
      .filter(({ kind }) => kind !== 'pinned')
      .reverse()
      .map(bytesOf),
    copies: { vault: copyState('vault', list, good, now), server: copyState('server', list, good, now) },
    encryption: encryptionOf(good),
    proof: { level: newest?.proof?.level ?? -1, at: newest?.proof?.verifiedAt ?? null },
    drill: null,
    checkedAt: isoSeconds(now),
  }
}

/** A backup that could bring the site back: its database is there, no part is missing or empty, and no check found damage. */
function isGood(backup: BackupEntry): boolean {
  return (
    backup.parts.some(({ part }) => part === 'database') &&
    backup.parts.every(({ size }) => size !== null && size > 0) &&
    backup.proof?.verdict !== 'failed'
  )
}

function bytesOf(backup: BackupEntry): number {
  return backup.parts.reduce((sum, { size }) => sum + (size ?? 0), 0)
}

/** `failing`: it can't be listed. `newest`: it has a copy of the newest night. */
function copyState(name: RepositoryName, list: BackupList, good: BackupEntry[], now: Date): SiteStatus['copies']['vault'] {
  if (isUnlisted(name, list.problems)) return 'failing'
  const own = good.find(({ repository }) => repository === name)
  if (!own) return 'none'
  return isCurrent(own, good[0], now) ? 'newest' : 'old'
}

function encryptionOf(good: BackupEntry[]): SiteStatus['encryption'] {
  if (good.length === 0) return 'none'
  const encrypted = good.filter(({ is_encrypted }) => is_encrypted).length
  return encrypted === good.length ? 'encrypted' : encrypted === 0 ? 'plain' : 'mixed'
}
