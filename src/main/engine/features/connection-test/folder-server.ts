import { randomBytes } from 'node:crypto'
import { access, constants, open, readdir, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { OWN_PREFIX } from '#engine/foundation/repository/names.ts'
import { formatPlural } from '#shared/format.ts'
import type { FolderServer } from '#shared/model/site.ts'
import { type Finding, passed, type Steps, warning } from './steps.ts'

/** What a folder is needed for. */
export const NEEDS = {
  site: 'Configuration cannot be backed up without it.',
  media: 'There are no media files to back up yet.',
  noMedia: 'Media files are in "archive" in the files folder. Without it backups hold no media.',
  security: 'Certificates and keys cannot be backed up without it.',
  readOnly: 'Backups can be listed and fetched, not written there.',
}

/** Tries the folders on this computer that stand for a server. */
export async function testFolderServer(steps: Steps, server: FolderServer): Promise<void> {
  const { siteDir, filesDir, securityDir, backupDir } = server
  await steps.try('Site folder', () => readableFolder(siteDir, NEEDS.site))
  await steps.try('Media', () => mediaFolder(join(filesDir, 'archive')))
  await steps.try('Security', () => readableFolder(securityDir, NEEDS.security))
  await steps.try('Backup folder', () => writableFolder(backupDir ?? join(filesDir, 'backup')))
}

/** Tries the vault's folder, which the first backup makes. */
export async function testVault(steps: Steps, path: string): Promise<void> {
  await steps.try('Vault', async () => {
    if (await stat(path).catch(() => null)) return writableFolder(path)
    let parent = dirname(path)
    while (!(await stat(parent).catch(() => null)) && parent !== dirname(parent)) parent = dirname(parent)
    await access(parent, constants.W_OK)
    return passed(`${path}, made with the first backup`)
  })
}

async function readableFolder(path: string, loss: string): Promise<Finding> {
  const entries = await readdir(path)
  if (entries.length === 0) return warning(`${path} is empty`, loss)
  return passed(`${path}, ${formatPlural(entries.length, 'entry', 'entries')}`)
}

async function mediaFolder(path: string): Promise<Finding> {
  const facts = await stat(path).catch(() => null)
  if (facts?.isDirectory()) return readableFolder(path, NEEDS.media)
  return warning(`${path} does not exist`, NEEDS.noMedia)
}

async function writableFolder(path: string): Promise<Finding> {
  await readdir(path)
  const probe = join(path, probeName())
  try {
    const file = await open(probe, 'wx', 0o600)
    await file.close()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EACCES' && code !== 'EPERM' && code !== 'EROFS') throw error
    return warning(`${path} can be read only`, NEEDS.readOnly)
  } finally {
    await rm(probe, { force: true }).catch(() => {})
  }
  return passed(`${path}, read and write`)
}

/** A name that lists of backups leave out. */
export function probeName(): string {
  return `${OWN_PREFIX}probe-${randomBytes(6).toString('hex')}`
}
