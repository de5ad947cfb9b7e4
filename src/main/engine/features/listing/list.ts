import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { IndexDocument } from '#engine/foundation/repository/backup-index.ts'
import { type FolderRepository, openFolderRepository } from '#engine/foundation/repository/folder.ts'
import { INDEX_FILE } from '#engine/foundation/repository/names.ts'
import { openRepository } from '#engine/foundation/repository/open.ts'
import { rotationScheme, schemeOfIndex } from '#engine/foundation/repository/scheme.ts'
import type { BackupIndex, FileStat } from '#engine/foundation/repository/types.ts'
import { AppError, toAppError } from '#shared/errors.ts'
import type { BackupEntry, BackupList, RepositoryName } from '#shared/model/backup.ts'
import type { Site } from '#shared/model/site.ts'
import { splitBackupName } from '#shared/rotation.ts'
import { describeIndex, describeUnknown, type Place } from './describe.ts'
import { proofOf, readProofs } from './proof-store.ts'

type ListContext = Pick<EngineContext, 'sites' | 'locks' | 'home' | 'log'>

interface Listed {
  backups: BackupEntry[]
  unknown: BackupList['unknown']
  problems: BackupList['problems']
  files: Map<string, FileStat>
  index: BackupIndex | null
}

/**
 * The backups of a site in its repositories, newest first, each with what verifying found. A repository that can't be
 * listed is a problem of the list, not an error. A site without server has the vault only.
 */
export async function listBackups(context: ListContext, site: Site, where: RepositoryName | 'all' = 'all'): Promise<BackupList> {
  const names: RepositoryName[] = where === 'all' ? (site.server ? ['vault', 'server'] : ['vault']) : [where]
  const proofs = await readProofs(context, site.name)
  const listed = new Map<RepositoryName, Listed>()
  for (const name of names) {
    const found = await listOne(() => openRepository(context, site, name), name, site.name)
    for (const backup of found.backups) backup.proof = proofOf(proofs, { ...backup, repository: name }, found.files)
    listed.set(name, found)
  }
  const all = [...listed.values()]
  return {
    backups: all.flatMap(({ backups }) => backups).sort(byTime),
    unknown: all.flatMap(({ unknown }) => unknown),
    problems: all.flatMap(({ problems }) => problems),
    scheme: rotationScheme(site, {
      server: await indexOf(context, site, 'server', listed),
      own: await indexOf(context, site, 'vault', listed),
    }),
  }
}

/** The backups of any folder that is laid out like a server's. @throws AppError `not-found`, `not-a-folder`, `index-corrupt` */
export async function listFolder(path: string): Promise<BackupList> {
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
  const { backups, unknown, problems, index, files } = await listRepository(repository, 'folder', null)
  if (!files.has(INDEX_FILE)) problems.push(noIndex(folder))
  const sites = [...(index?.keys() ?? [])].flatMap((name) => splitBackupName(name)?.site ?? [])
  return { backups, unknown, problems, scheme: (sites[0] && schemeOfIndex(sites[0], index)) || 'manual' }
}

async function listOne(open: () => Promise<FolderRepository>, place: Place, site: string): Promise<Listed> {
  try {
    return await listRepository(await open(), place, site)
  } catch (error) {
    const { code, message, hint } = toAppError(error)
    return { backups: [], unknown: [], problems: [{ repository: place, code, message, hint }], files: new Map(), index: null }
  }
}

async function listRepository(repository: FolderRepository, place: Place, site: string | null): Promise<Listed> {
  const document: IndexDocument = await repository.readIndexDocument()
  const files = new Map((await repository.list()).map((facts) => [facts.name, facts]))
  return {
    backups: describeIndex(document, files, place, site),
    unknown: describeUnknown(document, files, place, site),
    problems: document.problems.map(({ code, message }) => ({
      repository: place,
      code,
      message,
      hint: 'The other backups are not affected. A new backup into this slot replaces the entry.',
    })),
    files,
    index: document.entries,
  }
}

/** An index for the rotation; one that was not listed is read, one that can't be read counts as absent. */
async function indexOf(
  context: ListContext,
  site: Site,
  name: RepositoryName,
  listed: Map<RepositoryName, Listed>,
): Promise<BackupIndex | null> {
  const known = listed.get(name)
  if (known) return known.index
  if (name === 'server' && !site.server) return null
  try {
    return await (await openRepository(context, site, name)).readIndex()
  } catch {
    return null
  }
}

/** Newest first; at the same moment the vault before the server, else the order of the index. */
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
