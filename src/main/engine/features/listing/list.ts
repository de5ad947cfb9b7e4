import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { openFolderRepository } from '#engine/foundation/repository/folder.ts'
import { INDEX_FILE } from '#engine/foundation/repository/names.ts'
import { openRepository, repositoriesOf } from '#engine/foundation/repository/open.ts'
import { rotationScheme, schemeOfIndex } from '#engine/foundation/repository/scheme.ts'
import type { BackupIndex } from '#engine/foundation/repository/types.ts'
import { AppError } from '#shared/errors.ts'
import type { BackupEntry, BackupList, BackupPart, Proof, RepositoryName } from '#shared/model/backup.ts'
import { isRemote, type Site } from '#shared/model/site.ts'
import { splitBackupName } from '#shared/rotation.ts'
import { describeIndex, describeUnknown } from './describe.ts'
import { proofOf, readProofs } from './proof-store.ts'
import { inTime, type ListContext, type LookOptions, type Scan, scan, scanSite } from './scan.ts'
import { lastSeen, noteSeen } from './seen.ts'

export interface ListOptions extends LookOptions {
  /** Default: now. */
  now?: Date
}

/**
 * The backups of a site in its repositories, newest first, each with what verifying found. All repositories are looked at
 * side by side; one that can't be listed, or not in time, is a problem of the list and not an error. A remote server
 * that was not asked for is not connected to.
 * @throws AppError `cancelled`
 */
export async function listBackups(
  context: ListContext,
  site: Site,
  where: RepositoryName | 'all' = 'all',
  options: ListOptions = {},
): Promise<BackupList> {
  const names: RepositoryName[] = where === 'all' ? repositoriesOf(site) : [where]
  const look = async (name: RepositoryName): Promise<[RepositoryName, Scan]> => {
    const found = await scanSite(context, site, name, options)
    if (isRemote(site, name)) noteSeen(context, site, name, found)
    return [name, found]
  }
  const other = async (name: 'server' | 'vault') => (names.includes(name) ? null : indexOf(context, site, name, options))
  const [scans, server, own] = await Promise.all([Promise.all(names.map(look)), other('server'), other('vault')])
  return describeScans(context, site, new Map(scans), { server, own }, options.now ?? new Date())
}

/**
 * Makes a list of what was found.
 * @param indexes of the server and the vault, where they were not looked into
 */
export async function describeScans(
  context: ListContext,
  site: Site,
  scans: Map<RepositoryName, Scan>,
  indexes: { server: BackupIndex | null; own: BackupIndex | null },
  now: Date,
): Promise<BackupList> {
  const { proofs } = await readProofs(context, site.name)
  const indexIn = (name: RepositoryName) => {
    const found = scans.get(name)
    return found?.isListed ? found.document.entries : null
  }
  const ofServer = indexIn('server') ?? indexes.server
  // servers upload their index to the filestore
  const server = ofServer !== null && ofServer.size > 0 ? ofServer : (indexIn('filestore') ?? ofServer)
  const scheme = rotationScheme(site, { server, own: indexIn('vault') ?? indexes.own })
  const backups: BackupEntry[] = []
  for (const [name, { document, files }] of scans) {
    // a server goes on by its own scheme, whatever the site's settings say
    const ownScheme = name === 'vault' ? null : schemeOfIndex(site.name, document.entries)
    const reading = { place: name, site: site.name, scheme: ownScheme ?? scheme, now }
    for (const backup of describeIndex(document, files, reading)) {
      const proof = proofOf(proofs, { ...backup, repository: name }, files)
      backups.push({ ...backup, parts: backup.parts.map((part) => asProven(part, proof)), proof })
    }
  }
  return {
    backups: backups.sort(byTime),
    unknown: [...scans].flatMap(([name, { document, files }]) => describeUnknown(document, files, name, site.name)),
    problems: [...scans.values()].flatMap(({ problems }) => problems),
    scheme,
  }
}

/** A file whose hash is that of the index is the one that the index means, whenever it was written. */
function asProven(part: BackupPart, proof: Proof | null): BackupPart {
  if (part.trouble !== 'newer') return part
  const known = proof?.parts.find(({ file }) => file === part.file)
  return known?.levels.L1?.outcome === 'passed' ? { ...part, trouble: null } : part
}

/** The backups of any folder that is laid out like a server's. @throws AppError `not-found`, `not-a-folder`, `index-corrupt` */
export async function listFolder(path: string, now: Date = new Date()): Promise<BackupList> {
  const folder = resolve(path)
  const facts = await stat(folder).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' || error.code === 'ENOTDIR' ? noFolder(folder) : error
  })
  if (!facts.isDirectory()) {
    throw new AppError('not-a-folder', `${folder} is not a folder.`, {
      hint: 'Name the folder that holds backup.json.',
      details: { folder },
    })
  }
  const repository = openFolderRepository({ folder, owner: 'server' })
  const { document, files, problems } = await scan(repository, 'folder')
  if (!files.has(INDEX_FILE)) problems.push(noIndex(folder))
  const sites = [...document.entries.keys()].flatMap((name) => splitBackupName(name)?.site ?? [])
  const scheme = (sites[0] && schemeOfIndex(sites[0], document.entries)) || 'manual'
  return {
    backups: describeIndex(document, files, { place: 'folder', site: null, scheme, now }),
    unknown: describeUnknown(document, files, 'folder', null),
    problems,
    scheme,
  }
}

/** An index for the rotation alone; one that can't be read counts as absent, and a remote one is as it was last seen. */
async function indexOf(
  context: ListContext,
  site: Site,
  name: 'server' | 'vault',
  options: LookOptions,
): Promise<BackupIndex | null> {
  if (isRemote(site, name)) return lastSeen(context, site, name)?.document.entries ?? null
  if (name === 'server' && !site.server) return null
  const read = inTime(name, options, async (signal) => (await openRepository(context, site, name, signal)).readIndex())
  return read.catch(() => null)
}

/** Nobody polls a repository more often than that by looking at the nights. */
const RECENT_MS = 6 * 60_000

/**
 * The index of a repository, as it is now; of a remote one that was looked at in the last minutes, as it was then.
 * @throws AppError why it can't be read
 */
export async function recentIndex(context: ListContext, site: Site, name: RepositoryName): Promise<BackupIndex> {
  if (!isRemote(site, name)) return (await openRepository(context, site, name)).readIndex()
  const seen = lastSeen(context, site, name)
  const isRecent = seen && Date.now() - seen.at.getTime() < RECENT_MS && seen.problems[0]?.code !== 'secrets-locked'
  const found = isRecent ? seen : await scanSite(context, site, name)
  noteSeen(context, site, name, found)
  const [problem] = found.problems
  if (found.isListed || !problem) return found.document.entries
  throw new AppError(problem.code, problem.message, { hint: problem.hint, details: { repository: name } })
}

/** Newest first; at the same moment in the order of the repositories, else the order of the index. */
function byTime(a: BackupEntry, b: BackupEntry): number {
  return a.timestamp === b.timestamp ? 0 : a.timestamp < b.timestamp ? 1 : -1
}

function noIndex(folder: string): BackupList['problems'][number] {
  return {
    repository: 'folder',
    code: 'no-index',
    message: `There is no ${INDEX_FILE} in ${folder}, so it is not known which files belong to which backup.`,
    hint: 'Copy the backup.json that belongs to these files beside them.',
  }
}

function noFolder(folder: string): AppError {
  return new AppError('not-found', `There is no folder ${folder}.`, { hint: 'Check the path.', details: { folder } })
}
