import { Readable } from 'node:stream'
import { type ArchiveOptions, packFile } from './archived-file.ts'
import { NO_OWNER_NAMES } from './owner-names.ts'
import { TAR_BLOCK } from './tar-format.ts'
import { TarPacker } from './tar-packer.ts'
import { lookAt, type TreeEntry, type WalkOptions, walkTree } from './tree.ts'

/** The site's main configuration; `zotonic_site.config.in` is a template and never part of a backup. */
export const SITE_CONFIGS = ['config', 'yaml', 'yml', 'json'].map((extension) => `zotonic_site.${extension}`)

export interface ConfigFolders {
  /** The site's name, as in the entries' names. */
  site: string
  siteDir: string
  securityDir: string
}

interface ConfigFile {
  /** Name in the archive. */
  name: Buffer
  entry: TreeEntry
}

/**
 * The configuration and security files of a site as uncompressed tar bytes, files only:
 * `config-SITE/config/priv/zotonic_site.EXT`, `config-SITE/config/config.d/...`, `config-SITE/security/...`.
 * Links to files are followed, since a site's certificates are often links. Source: docs/formats.md, "Configuration archive".
 *
 * @returns null when there is not one such file
 */
export async function createConfigArchive(folders: ConfigFolders, options: ArchiveOptions): Promise<Readable | null> {
  const first = await configFiles(folders, { ...options, onProblem: () => {} }).next()
  if (first.done) {
    // tell why: an unreadable folder is not the same as an empty one
    for await (const _file of configFiles(folders, options));
    return null
  }
  return Readable.from(packConfig(folders, options), { objectMode: false })
}

/** Number of files that the archive would have, and their bytes. */
export async function measureConfig(folders: ConfigFolders, signal?: AbortSignal): Promise<{ files: number; bytes: number }> {
  const size = { files: 0, bytes: 0 }
  for await (const { entry } of configFiles(folders, { ...(signal ? { signal } : {}), onProblem: () => {} })) {
    size.files += 1
    size.bytes += entry.stats.size
  }
  return size
}

async function* packConfig(folders: ConfigFolders, options: ArchiveOptions): AsyncGenerator<Buffer> {
  const packer = new TarPacker()
  for await (const { name, entry } of configFiles(folders, options)) {
    // the server writes numbers alone here, and so names of users of another machine do not get in the way
    yield* packFile(packer, entry, name, { ...options, owners: NO_OWNER_NAMES, format: 'posix', followFileLinks: true })
  }
  yield* packer.end(TAR_BLOCK)
}

async function* configFiles(folders: ConfigFolders, options: ArchiveOptions): AsyncGenerator<ConfigFile> {
  const base = `config-${folders.site}`
  for (const name of SITE_CONFIGS) {
    yield* prefixed(`${base}/config/priv/`, options, (told) => oneFile(`${folders.siteDir}/priv`, name, told))
  }
  const places = [
    { root: `${folders.siteDir}/priv/config.d`, prefix: `${base}/config/config.d/` },
    { root: folders.securityDir, prefix: `${base}/security/` },
  ]
  for (const { root, prefix } of places) yield* prefixed(prefix, options, (told) => walkTree(root, told))
}

async function* oneFile(folder: string, name: string, options: WalkOptions): AsyncGenerator<TreeEntry> {
  const entry = await lookAt(folder, name, options)
  if (entry) yield entry
}

/** The plain files among the entries, under their name in the archive. */
async function* prefixed(
  prefix: string,
  options: ArchiveOptions,
  entriesOf: (options: WalkOptions) => AsyncIterable<TreeEntry>,
): AsyncGenerator<ConfigFile> {
  const onProblem: ArchiveOptions['onProblem'] = (problem) => {
    // a site need not have each of these files and folders
    if (problem.code !== 'vanished') options.onProblem({ ...problem, path: prefix + problem.path })
  }
  for await (const entry of entriesOf({ ...options, onProblem, followFileLinks: true })) {
    if (entry.kind !== 'file') continue
    yield { name: Buffer.concat([Buffer.from(prefix), entry.relative]), entry: { ...entry, shown: prefix + entry.shown } }
  }
}
