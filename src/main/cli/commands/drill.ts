import { AppError } from '#shared/errors.ts'
import { formatBytes, formatMomentLong } from '#shared/format.ts'
import type { Proof } from '#shared/model/backup.ts'
import type { DrillReport } from '#shared/model/drill.ts'
import { type Outcome, wrongUse } from '../exit.ts'
import type { Session } from '../session.ts'
import { drillText } from './drill-text.ts'
import { REPOSITORIES, repositoryOption } from './list.ts'

export interface DrillOptions {
  folder?: string
  from?: string
  clean?: boolean
}

interface DrillResult {
  repository: string
  name: string
  timestamp: string
  report: DrillReport
  proof: Proof
}

/** Restores a backup into a scratch database and looks at it; the newest one when none is named. */
export async function drillBackup(session: Session, names: string[], options: DrillOptions): Promise<Outcome> {
  if (options.clean === true) return cleanDrills(session, names, options)
  const { jobId, result } =
    options.folder === undefined
      ? await drillOfSite(session, names, options.from)
      : await drillOfFolder(session, options.folder, names, options.from)
  const { name, repository, timestamp, report, proof } = result
  const level = `${proof.verdict}, level ${Math.max(0, proof.level)}`
  return {
    result: { ...result, jobId },
    text: `${name} of ${formatMomentLong(timestamp)} in ${repository}: ${level}\n${drillText(report)}`,
    problem: proof.level < 3 || proof.verdict !== 'verified',
  }
}

async function drillOfSite(session: Session, [site, name, ...more]: string[], from: string | undefined) {
  if (site === undefined || more.length > 0) throw wrongUse('drill: name a site, and a backup or none for the newest.')
  const repository = repositoryOption(from, '--from', REPOSITORIES)
  const passwords = await session.sources.passwords()
  const { jobId } = await session.engine.call('backups.drill', {
    site,
    passwords,
    ...(name === undefined ? {} : { name }),
    ...(repository ? { from: repository } : {}),
  })
  return { jobId, result: (await session.follow(jobId)).result as DrillResult }
}

async function drillOfFolder(session: Session, folder: string, [wanted, ...more]: string[], from: string | undefined) {
  if (more.length > 0) throw wrongUse('drill --folder takes one backup name at most.')
  if (from !== undefined) throw wrongUse('drill: --folder and --from exclude each other.')
  const passwords = await session.sources.passwords()
  const newest = (await session.engine.call('backups.listFolder', { folder })).backups.find((entry) => entry.is_database_present)
  const name = wanted ?? newest?.name
  if (name === undefined) throw new AppError('unknown-backup', `There is no backup with a database in ${folder}.`)
  const { jobId } = await session.engine.call('backups.verifyFolder', { folder, name, level: 3, passwords })
  const { proofs } = (await session.follow(jobId)).result as { proofs: Omit<DrillResult, 'report'>[] }
  const [found] = proofs
  if (!found?.proof.drill) {
    const locked = found?.proof.parts.find(({ part }) => part === 'database')?.levels.L2?.reason ?? 'it could not be read'
    throw new AppError('password-needed', `${name} was not drilled: ${locked}.`, {
      hint: 'Give the password that the site had when this backup was made, with --password-file.',
      details: { name },
    })
  }
  return { jobId, result: { ...found, report: found.proof.drill } }
}

async function cleanDrills(session: Session, names: string[], options: DrillOptions): Promise<Outcome> {
  if (names.length > 0 || options.folder !== undefined || options.from !== undefined) {
    throw wrongUse('drill --clean takes nothing else: it removes what failed drills kept.')
  }
  const result = await session.engine.call('backups.clearDrills', {})
  const lines = result.removed.map(({ folder, bytes }) => `removed ${folder} (${formatBytes(bytes)})\n`)
  return { result, text: lines.join('') || 'No failed drill kept anything.\n' }
}
