import { AppError } from '#shared/errors.ts'
import { formatBytes } from '#shared/format.ts'
import { type Outcome, wrongUse } from '../exit.ts'
import type { Session } from '../session.ts'
import { REPOSITORIES, repositoryOption } from './list.ts'

/** Keeps a backup in the vault, outside of the rotation. */
export async function pinBackup(session: Session, site: string, name: string, options: { from?: string }): Promise<Outcome> {
  const from = repositoryOption(options.from, '--from', REPOSITORIES)
  const { jobId } = await session.engine.call('backups.pin', { site, name, ...(from ? { from } : {}) })
  const job = await session.follow(jobId)
  const result = job.result as { name: string; from: string; already: boolean; bytes: number }
  const text = result.already
    ? `It is pinned already, as ${result.name}.\n`
    : `${name} of the ${result.from} is pinned as ${result.name}, with ${formatBytes(result.bytes)} more on the disk.\n`
  return { result: { ...result, jobId }, text }
}

/** Deletes a pinned or safety backup from the vault. */
export async function removeBackup(session: Session, site: string, name: string): Promise<Outcome> {
  const { backups } = await session.engine.call('backups.list', { site, in: 'vault' })
  const found = backups.find((backup) => backup.name === name)
  if (!found) {
    throw new AppError('unknown-backup', `There is no backup "${name.slice(0, 200)}" in the vault. Nothing was removed.`, {
      hint: `See: zbd list ${site} --in vault`,
      details: { site, name: name.slice(0, 200) },
    })
  }
  const { jobId } = await session.engine.call('backups.remove', { site, name, timestamp: found.timestamp })
  if (jobId === null) throw new AppError('not-confirmed', 'It was not confirmed. Nothing was removed.')
  await session.follow(jobId)
  return { result: { name, timestamp: found.timestamp, jobId }, text: `${name} is deleted from the vault.\n` }
}

export function checkRemove(site: string, name: string, confirm: string | undefined): void {
  if (confirm === site) return
  throw wrongUse(`remove: nothing was done. --confirm ${site} deletes ${name} from the vault.`)
}
