import { AppError } from '#shared/errors.ts'
import { formatBytes, formatDuration, formatMomentLong } from '#shared/format.ts'
import {
  type BackupEntry,
  type BackupList,
  describeTrouble,
  inPlace,
  isInTrouble,
  repositoryNameSchema,
} from '#shared/model/backup.ts'
import { type Outcome, wrongUse } from '../exit.ts'
import type { Session } from '../session.ts'
import { formatTable } from '../table.ts'

export const REPOSITORIES = repositoryNameSchema.options
export const REPOSITORIES_OR_ALL = [...REPOSITORIES, 'all'] as const

export async function listBackups(
  session: Session,
  site: string | undefined,
  options: { folder?: string; in?: string },
): Promise<Outcome> {
  if ((site === undefined) === (options.folder === undefined)) throw wrongUse('list: name a site, or a folder with --folder.')
  const list =
    site === undefined
      ? await session.engine.call('backups.listFolder', { folder: options.folder ?? '' })
      : await session.engine.call('backups.list', {
          site,
          in: repositoryOption(options.in, '--in', REPOSITORIES_OR_ALL) ?? 'all',
        })
  const failed = list.problems[0]
  if (failed && options.in !== undefined && options.in !== 'all') {
    throw new AppError(failed.code, failed.message, { hint: failed.hint, details: { repository: failed.repository } })
  }
  return { result: list, text: listText(list), problem: failed !== undefined || troubleLines(list) !== '' }
}

/** A repository named on the command line; undefined when none was. */
export function repositoryOption<T extends string>(
  value: string | undefined,
  option: string,
  allowed: readonly T[],
): T | undefined {
  if (value === undefined) return undefined
  const found = allowed.find((name) => name === value)
  if (found) return found
  throw wrongUse(`${option}: "${value}" is none of ${allowed.join(', ')}.`)
}

function listText(list: BackupList): string {
  const rows = list.backups.map((backup) => [
    backup.name,
    formatMomentLong(backup.timestamp),
    formatDuration((Date.now() - Date.parse(backup.timestamp)) / 1000),
    backup.repository,
    size(backup, 'database'),
    size(backup, 'config'),
    size(backup, 'files'),
    backup.is_encrypted ? 'encrypted' : 'plain',
    backup.proof ? `L${Math.max(0, backup.proof.level)} ${backup.proof.verdict}` : '–',
  ])
  const table =
    rows.length > 0
      ? formatTable(['Backup', 'Made', '>Age', 'In', '>Database', '>Config', '>Files', '', 'Proof'], rows)
      : 'No backups.\n'
  const unknown = list.unknown
    .map((file) => `  ${file.file} (${file.repository}, ${formatBytes(file.size)}, ${file.kind})\n`)
    .join('')
  const problems = list.problems.map((problem) => `! ${problem.repository}: ${problem.message}\n  ${problem.hint}\n`).join('')
  return `${table}${unknown ? `Files that the index does not name:\n${unknown}` : ''}${troubleLines(list)}${problems}`
}

/** Where an index and its files disagree. */
function troubleLines({ backups }: BackupList): string {
  return backups
    .flatMap(({ name, repository, parts }) =>
      parts.filter(isInTrouble).map((part) => `! ${name} ${inPlace(repository)}: ${describeTrouble(part)}\n`),
    )
    .join('')
}

function size(backup: BackupEntry, part: string): string {
  const found = backup.parts.find((entry) => entry.part === part)
  if (!found) return '–'
  return found.trouble?.replace('-', ' ') ?? formatBytes(found.size ?? 0)
}
