import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { EngineContext } from '#engine/foundation/context.ts'
import { emptyIndex, type IndexDocument } from '#engine/foundation/repository/backup-index.ts'
import { openFolderRepository } from '#engine/foundation/repository/folder.ts'
import { INDEX_FILE } from '#engine/foundation/repository/names.ts'
import { openRepository, type RepositoryContext, repositoriesOf } from '#engine/foundation/repository/open.ts'
import { rotationScheme, schemeOfIndex } from '#engine/foundation/repository/scheme.ts'
import type { BackupIndex, FileStat, Repository } from '#engine/foundation/repository/types.ts'
import { AppError, toAppError } from '#shared/errors.ts'
import type { BackupEntry, BackupList, RepositoryName } from '#shared/model/backup.ts'
import type { Site } from '#shared/model/site.ts'
import { splitBackupName } from '#shared/rotation.ts'
import { describeIndex, describeUnknown, type Place } from './describe.ts'
import { proofOf, readProofs } from './proof-store.ts'

type ListContext = RepositoryContext & Pick<EngineContext, 'log'>

/** What is in a repository, not yet described. */
interface Scan {
  document: IndexDocument
  files: Map<string, FileStat>
  problems: BackupList['problems']
  /** False: it could not be listed, `problems` says why. */
  isListed: boolean
}

/**
 * The backups of a site in its repositories, newest first, each with what verifying found. A repository that can't be
 * listed is a problem of the list, not an error. A site without server has the vault only.
 */
export async function listBackups(
  context: ListContext,
  site: Site,
  where: RepositoryName | 'all' = 'all',
  now: Date = new Date(),
): Promise<BackupList> {
  const names: RepositoryName[] = where === 'all' ? repositoriesOf(site) : [where]
  const { proofs } = await readProofs(context, site.name)
  const scans = new Map<RepositoryName, Scan>()
  for (const name of names) scans.set(name, await scanOrProblem(() => openRepository(context, site, name), name))
  const indexes = {
    server: await indexOf(context, site, 'server', scans),
    own: await indexOf(context, site, 'vault', scans),
  }
  const scheme = rotationScheme(site, indexes)
  const backups: BackupEntry[] = []
  for (const [name, { document, files }] of scans) {
    // a server goes on by its own scheme, whatever the site's settings say
    const ownScheme = name === 'server' ? schemeOfIndex(site.name, indexes.server) : null
    const reading = { place: name, site: site.name, scheme: ownScheme ?? scheme, now }
    for (const backup of describeIndex(document, files, reading)) {
      backups.push({ ...backup, proof: proofOf(proofs, { ...backup, repository: name }, files) })
    }
  }
  return {
    backups: backups.sort(byTime),
    unknown: [...scans].flatMap(([name, { document, files }]) => describeUnknown(document, files, name, site.name)),
    problems: [...scans.values()].flatMap(({ problems }) => problems),
    scheme,
  }
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

async function scanOrProblem(open: () => Promise<Repository>, place: Place): Promise<Scan> {
  try {
    return await scan(await open(), place)
  } catch (error) {
    const { code, message, hint } = toAppError(error)
    const problems = [{ repository: place, code, message, hint }]
    return { document: emptyIndex(), files: new Map(), problems, isListed: false }
  }
}

async function scan(repository: Repository, place: Place): Promise<Scan> {
  const document = await repository.readIndexDocument()
  const files = new Map((await repository.list()).map((facts) => [facts.name, facts]))
  const problems = document.problems.map(({ code, message }) => ({
    repository: place,
    code,
    message,
    hint: 'The other backups are not affected. A new backup into this slot replaces the entry.',
  }))
  return { document, files, problems, isListed: true }
}

/** An index for the rotation; one that was not listed is read, one that can't be read counts as absent. */
async function indexOf(
  context: ListContext,
  site: Site,
  name: RepositoryName,
  scans: Map<RepositoryName, Scan>,
): Promise<BackupIndex | null> {
  const known = scans.get(name)
  if (known) return known.isListed ? known.document.entries : null
  if (name === 'server' && !site.server) return null
  try {
    return await (await openRepository(context, site, name)).readIndex()
  } catch {
    return null
  }
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
