import type { EngineContext } from '#engine/foundation/context.ts'
import { repositoriesOf } from '#engine/foundation/repository/open.ts'
import type { SiteStatus } from '#shared/contract/backups.ts'
import { isoSeconds } from '#shared/format.ts'
import { type BackupEntry, type BackupList, isInTrouble, type RepositoryName, storedBytes } from '#shared/model/backup.ts'
import type { Job } from '#shared/model/job.ts'
import { isRemote, type Site, type SiteView } from '#shared/model/site.ts'
import { describeScans } from './list.ts'
import { nightsOf } from './nights.ts'
import { type DrillRecord, readProofs } from './proof-store.ts'
import { isCurrent, isUnlisted, judge } from './protection.ts'
import { type Scan, scanSite } from './scan.ts'
import { isWatched, lastSeen } from './seen.ts'
import { inTurns } from './turns.ts'

/** The jobs of this many weeks tell which nights failed. */
const JOBS_READ = 1000

/** Sites that are looked at side by side. */
const AT_ONCE = 8

/** What is known of a site's backups. */
interface Known {
  list: BackupList
  /** Remote repositories that were not looked at yet. */
  unseen: RepositoryName[]
  /** The oldest look that it is made of. */
  at: Date
}

/**
 * How each site stands, in the order of the sites. Reads the indexes and the proofs; opens no backup. Of remote
 * repositories it tells at once what was seen last, when somebody watches them; else it looks itself.
 */
export async function overview(context: EngineContext, now: Date = new Date()): Promise<SiteStatus[]> {
  const { sites } = await context.sites.list()
  const jobs = await context.jobs.list({ limit: JOBS_READ })
  return inTurns(sites, AT_ONCE, async (view) => {
    const known = await knownOf(context, view.site, now)
    const ownJobs = jobs.filter(({ site, kind }) => site === view.site.name && kind === 'backup')
    const { drills } = await readProofs(context, view.site.name)
    return siteStatus(view, known.list, ownJobs, now, drills[0] ?? null, known)
  })
}

async function knownOf(context: EngineContext, site: Site, now: Date): Promise<Known> {
  const scans = new Map<RepositoryName, Scan>()
  const unseen: RepositoryName[] = []
  const look = async (name: RepositoryName) => {
    const isWatchedRemote = isRemote(site, name) && isWatched(context)
    const found = isWatchedRemote ? lastSeen(context, site, name) : await scanSite(context, site, name)
    if (found) scans.set(name, found)
    else unseen.push(name)
  }
  await Promise.all(repositoriesOf(site).map(look))
  const remoteLooks = [...scans].filter(([name]) => isRemote(site, name)).map(([, { at }]) => at.getTime())
  return {
    list: await describeScans(context, site, scans, { server: null, own: null }, now),
    unseen,
    at: new Date(Math.min(now.getTime(), ...remoteLooks)),
  }
}

/**
 * @param jobs the site's backup jobs, newest first
 * @param drill the newest drill of any of its backups; null: none
 * @param look default: all of it was looked at just now
 */
export function siteStatus(
  view: SiteView,
  list: BackupList,
  jobs: Job[],
  now: Date,
  drill: DrillRecord | null = null,
  look: Pick<Known, 'unseen' | 'at'> = { unseen: [], at: now },
): SiteStatus {
  const { site, isDemo } = view
  const { unseen } = look
  const repositories = repositoriesOf(site)
  // a safety backup is of the moment before a restore, without media: what a restore did away with protects nothing
  const whole = list.backups.filter((backup) => backup.kind !== 'safety' && isWhole(backup))
  const good = whole.filter(({ proof }) => proof?.verdict !== 'failed')
  const newest = good[0] ?? null
  /** `failing`: it can't be listed. `newest`: it has a copy of the newest night. */
  const copyState = (name: RepositoryName) => {
    if (unseen.includes(name)) return 'unknown'
    if (isUnlisted(name, list.problems)) return 'failing'
    const own = good.find(({ repository }) => repository === name)
    return own ? (isCurrent(own, newest ?? undefined, now) ? 'newest' : 'old') : 'none'
  }
  return {
    site: site.name,
    label: site.label ?? site.name,
    isDemo,
    ...judge({ whole, good, problems: list.problems, jobs, repositories, unseen, now }),
    newest: newest && { name: newest.name, timestamp: newest.timestamp, bytes: storedBytes(newest) },
    nights: nightsOf(good, jobs, now),
    sizes: good
      .filter(({ kind }) => kind !== 'pinned')
      .reverse()
      .map(storedBytes),
    copies: {
      vault: copyState('vault'),
      server: copyState('server'),
      filestore: copyState('filestore'),
    },
    encryption: encryptionOf(good),
    proof: { level: newest?.proof?.level ?? -1, at: newest?.proof?.verifiedAt ?? null },
    drill: drill && describeDrill(drill),
    checkedAt: isoSeconds(look.at),
  }
}

/** Its database is there, and each part is what the index means, but for media that a filestore holds themselves. When no check found damage either, it can bring the site back. */
function isWhole({ parts }: BackupEntry): boolean {
  return parts.some(({ part }) => part === 'database') && !parts.some(isInTrouble)
}

function describeDrill({ name, timestamp, report }: DrillRecord): SiteStatus['drill'] {
  const { outcome, startedAt, recoverySeconds } = report
  return { outcome, startedAt, recoverySeconds, name, timestamp }
}

function encryptionOf(good: BackupEntry[]): SiteStatus['encryption'] {
  if (good.length === 0) return 'none'
  const encrypted = good.filter(({ is_encrypted }) => is_encrypted).length
  return encrypted === good.length ? 'encrypted' : encrypted === 0 ? 'plain' : 'mixed'
}
