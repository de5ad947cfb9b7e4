import { formatBytes, formatCount, formatDuration } from '#shared/format.ts'
import { inPlace, type RepositoryName } from '#shared/model/backup.ts'
import { compressionSchema, type DumpEngine, dumpEngineSchema } from '#shared/model/site.ts'
import { type Outcome, wrongUse } from '../exit.ts'
import type { Session } from '../session.ts'
import { repositoryOption } from './list.ts'

interface BackupResult {
  name: string
  repository: RepositoryName
  dump: { engine: string; why: string }
  seconds: number
  parts: { part: string; file: string; size: number; hash: string }[]
  /** What is not, or not wholly, in the backup: the first of `problemCount`. */
  problems: { path: string; text: string }[]
  problemCount: number
}

export interface BackupOptions {
  databaseOnly?: boolean
  to?: string
  engine?: string
  compression?: string
  onServer?: boolean
}

export function checkOnServer({ onServer, ...others }: BackupOptions): void {
  if (onServer !== true || Object.keys(others).length === 0) return
  throw wrongUse('backup: --on-server takes no other option: Zotonic makes the backup as the site is set.')
}

export async function makeBackup(session: Session, site: string, options: BackupOptions): Promise<Outcome> {
  const to = repositoryOption(options.to, '--to', ['vault', 'server', 'filestore']) ?? 'vault'
  const { jobId } = await session.engine.call('backups.create', {
    site,
    to,
    databaseOnly: options.databaseOnly === true,
    engine: engineOption(options.engine),
    compression: compressionOption(options.compression),
  })
  const job = await session.follow(jobId)
  const result = job.result as BackupResult
  const parts = result.parts.map((part) => `  ${part.file}  ${formatBytes(part.size)}  ${part.hash.slice(0, 12)}…\n`).join('')
  const problems = result.problems.map(({ path, text }) => `! ${path}: ${text}\n`).join('')
  const unlisted = result.problemCount - result.problems.length
  return {
    result: { ...result, jobId },
    text: `${result.name} is ${inPlace(result.repository)}, read back and checked, after ${formatDuration(result.seconds)}.\n${parts}  dump engine: ${result.dump.engine}. ${result.dump.why}\n${problems}${unlisted > 0 ? `! and ${formatCount(unlisted)} more\n` : ''}`,
  }
}

function engineOption(value: string | undefined): DumpEngine | undefined {
  if (value === undefined) return undefined
  const engine = dumpEngineSchema.safeParse(value)
  if (!engine.success) throw wrongUse(`--engine is auto, built-in, pg_dump or server, not "${value}".`)
  return engine.data
}

function compressionOption(value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  const level = compressionSchema.safeParse(/^\d$/.test(value) ? Number(value) : null)
  if (!level.success) throw wrongUse(`--compression is a level from 1 (fast) to 9 (small), not "${value}".`)
  return level.data
}
