import { formatBytes, formatCount, formatDuration } from '#shared/format.ts'
import type { Outcome } from '../exit.ts'
import type { Session } from '../session.ts'
import { repositoryOption } from './list.ts'

interface BackupResult {
  name: string
  repository: string
  seconds: number
  parts: { part: string; file: string; size: number; hash: string }[]
  /** What is not, or not wholly, in the backup: the first of `problemCount`. */
  problems: { path: string; text: string }[]
  problemCount: number
}

export async function makeBackup(
  session: Session,
  site: string,
  options: { databaseOnly?: boolean; to?: string },
): Promise<Outcome> {
  const to = repositoryOption(options.to, '--to', ['vault', 'server']) ?? 'vault'
  const { jobId } = await session.engine.call('backups.create', { site, to, databaseOnly: options.databaseOnly === true })
  const job = await session.follow(jobId)
  const result = job.result as BackupResult
  const parts = result.parts.map((part) => `  ${part.file}  ${formatBytes(part.size)}  ${part.hash.slice(0, 12)}…\n`).join('')
  const problems = result.problems.map(({ path, text }) => `! ${path}: ${text}\n`).join('')
  const unlisted = result.problemCount - result.problems.length
  return {
    result: { ...result, jobId },
    text: `${result.name} is in the ${result.repository}, read back and checked, after ${formatDuration(result.seconds)}.\n${parts}${problems}${unlisted > 0 ? `! and ${formatCount(unlisted)} more\n` : ''}`,
  }
}
