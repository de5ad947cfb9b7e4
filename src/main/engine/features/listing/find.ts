import { showName } from '#engine/foundation/repository/names.ts'
import { repositoriesOf } from '#engine/foundation/repository/open.ts'
import { AppError } from '#shared/errors.ts'
import { type BackupEntry, type BackupList, isSameMoment, type RepositoryName } from '#shared/model/backup.ts'
import type { Site } from '#shared/model/site.ts'
import { listBackups } from './list.ts'
import type { ListContext, LookOptions } from './scan.ts'

/** Which backup somebody means. */
export interface WantedBackup {
  name: string
  /** ISO UTC; only the backup of that moment. */
  timestamp?: string | undefined
  /** Default: the first that has it of vault, server and filestore. */
  from?: RepositoryName | 'all' | undefined
}

/** A backup of a site's own repositories. */
export type SiteBackup = BackupEntry & { repository: RepositoryName }

/**
 * The copies of a backup, one for each repository that was asked for. Unless one is named, no repository is looked into after the
 * first that has it: a server that is down keeps nobody from what lies here.
 * @throws AppError `unknown-backup`, or why a repository can't be listed; `cancelled`
 */
export async function findBackups(
  context: ListContext,
  site: Site,
  wanted: WantedBackup,
  options: LookOptions = {},
): Promise<[SiteBackup, ...SiteBackup[]]> {
  const problems: BackupList['problems'] = []
  for (const from of wanted.from === undefined ? repositoriesOf(site) : [wanted.from]) {
    const list = await listBackups(context, site, from, options)
    problems.push(...list.problems)
    const [first, ...others] = list.backups.filter(isOfSite).filter((entry) => isMeant(entry, wanted))
    if (first) return [first, ...others]
  }
  throw unknownBackup(wanted.name, problems)
}

/** Of a list of a site, that is: a plain folder is listed by itself. */
export function isOfSite(entry: BackupEntry): entry is SiteBackup {
  return entry.repository !== 'folder'
}

function isMeant({ name, timestamp }: BackupEntry, wanted: WantedBackup): boolean {
  return name === wanted.name && (wanted.timestamp === undefined || isSameMoment(timestamp, wanted.timestamp))
}

/**
 * A backup that is not found because a repository can't be listed is not unknown: that trouble is told instead.
 * @param name null: any was wanted
 */
export function unknownBackup(name: string | null, problems: BackupList['problems']): AppError {
  const cause = problems.find(({ code }) => !code.startsWith('index-entry-'))
  if (cause) return new AppError(cause.code, cause.message, { hint: cause.hint, details: { repository: cause.repository } })
  return new AppError(
    'unknown-backup',
    name === null ? 'There is no backup here.' : `There is no backup ${showName(name)} here.`,
    { hint: 'See the list of backups.', details: { name } },
  )
}
