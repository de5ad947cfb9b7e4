import type { EngineContext } from '#engine/foundation/context.ts'
import type { SiteStatus } from '#shared/contract/backups.ts'
import { isoSeconds } from '#shared/format.ts'
import { type BackupEntry, type BackupList, type RepositoryName, storedBytes } from '#shared/model/backup.ts'
import type { Job } from '#shared/model/job.ts'
import type { SiteView } from '#shared/model/site.ts'
import { listBackups } from './list.ts'
import { nightsOf } from './nights.ts'
import { type DrillRecord, readProofs } from './proof-store.ts'
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
    const { drills } = await readProofs(context, view.site.name)
    statuses.push(siteStatus(view, list, ownJobs, now, drills[0] ?? null))
  }
  return statuses
}

/**
 * @param jobs the site's backup jobs, newest first
 * @param drill the newest drill of any of its backups; null: none
 */
export function siteStatus(
  view: SiteView,
  list: BackupList,
  jobs: Job[],
  now: Date,
  drill: DrillRecord | null = null,
): SiteStatus {
  const { site, isDemo } = view
  // a safety backup is of the moment before a restore, without media: what a restore did away with protects nothing
  const whole = list.backups.filter((backup) => backup.kind !== 'safety' && isWhole(backup))
  const good = whole.filter(({ proof }) => proof?.verdict !== 'failed')
  const newest = good[0] ?? null
  return {
    site: site.name,
    label: site.label ?? site.name,
    isDemo,
    ...judge({ whole, good, problems: list.problems, jobs, hasServer: site.server !== undefined, now }),
    newest: newest && { name: newest.name, timestamp: newest.timestamp, bytes: storedBytes(newest) },
    nights: nightsOf(good, jobs, now),
    sizes: good
      .filter(({ kind }) => kind !== 'pinned')
      .reverse()
      .map(storedBytes),
    copies: {
      vault: copyState('vault', list, good, now),
      server: copyState('server', list, good, now),
      filestore: copyState('filestore', list, good, now),
    },
    encryption: encryptionOf(good),
    proof: { level: newest?.proof?.level ?? -1, at: newest?.proof?.verifiedAt ?? null },
    drill: drill && describeDrill(drill),
    checkedAt: isoSeconds(now),
  }
}

/** Its database is there, and no part is missing or empty. When no check found damage either, it can bring the site back. */
function isWhole({ parts }: BackupEntry): boolean {
  return parts.some(({ part }) => part === 'database') && parts.every(({ size }) => size !== null && size > 0)
}

function describeDrill({ name, timestamp, report }: DrillRecord): SiteStatus['drill'] {
  const { outcome, startedAt, recoverySeconds } = report
  return { outcome, startedAt, recoverySeconds, name, timestamp }
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
