import { posix } from 'node:path'
import type { RemoteFiles, SshConnection } from '#engine/foundation/connections/ssh/types.ts'
import { AppError } from '#shared/errors.ts'

/** Where a Zotonic server may keep what belongs to its sites. Source: docs/formats.md, "The server's command". */
export interface ServerPlaces {
  /** `data_dir` and `security_dir` of the server's settings; null: not told. */
  dataDir: string | null
  securityDir: string | null
  /** The home folder of who runs Zotonic. */
  home: string | null
  /** The path of the command. */
  command: string
}

export interface SiteFolders {
  filesDir: string | null
  securityDir: string | null
  /** Folders that are there but can't be looked into by who logs in. */
  closed: string[]
}

/** Finds the folders of a site by looking whether they are there. */
export async function findFolders(
  files: RemoteFiles,
  site: string,
  siteDir: string | null,
  places: ServerPlaces,
): Promise<SiteFolders> {
  const closed: string[] = []
  const { dataDir, home, command } = places
  const bin = posix.dirname(command)
  const roots = [posix.resolve(bin, '..'), posix.resolve(bin, '../../..')]
  const dataDirs = [
    ...(dataDir === null ? [] : posix.isAbsolute(dataDir) ? [dataDir] : roots.map((root) => posix.resolve(root, dataDir))),
    ...roots.map((root) => posix.join(root, 'data')),
    ...(home === null ? [] : [posix.join(home, '.local/share/zotonic')]),
  ]
  const filesDirs = [
    ...(siteDir === null ? [] : [posix.join(siteDir, 'priv/files')]),
    ...dataDirs.map((folder) => posix.join(folder, 'sites', site, 'files')),
  ]
  const securityDirs = [
    ...(places.securityDir !== null && posix.isAbsolute(places.securityDir) ? [places.securityDir] : []),
    ...(home === null ? [] : [posix.join(home, '.zotonic/security')]),
    '/etc/zotonic/security',
    ...(home === null ? [] : [posix.join(home, '.config/zotonic/security')]),
  ]
  const isFolder = async (path: string) => {
    try {
      // with its last dot, a link to a folder is that folder
      return (await files.facts(`${path}/.`))?.kind === 'folder'
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'permission-denied') throw error
      closed.push(path)
      return false
    }
  }
  const holdsFiles = async (path: string) =>
    (await isFolder(path)) && ((await isFolder(posix.join(path, 'archive'))) || (await isFolder(posix.join(path, 'backup'))))
  const security = await firstOf(securityDirs, isFolder)
  return {
    filesDir: (await firstOf(filesDirs, holdsFiles)) ?? (await firstOf(filesDirs, isFolder)),
    // a site makes its own one there when it first has something to keep
    securityDir: security === null ? null : posix.join(security, site),
    closed: [...new Set(closed)],
  }
}

async function firstOf(paths: readonly string[], fits: (path: string) => Promise<boolean>): Promise<string | null> {
  for (const path of new Set(paths)) if (await fits(path)) return path
  return null
}

/** The home folder of a user of the server, or of who logs in. */
export async function homeOf(ssh: Pick<SshConnection, 'run'>, user: string | null, signal: AbortSignal): Promise<string | null> {
  const command = user === null ? ['sh', '-c', 'echo "$HOME"'] : ['getent', 'passwd', user]
  const { code, stdout } = await ssh.run(command, { timeoutMs: 20_000, signal })
  const found = user === null ? stdout.trim() : (stdout.split(':')[5] ?? '')
  return code === 0 && posix.isAbsolute(found) ? found : null
}
