import type { TarEntry } from '#engine/foundation/content/read-tar.ts'
import { AppError } from '#shared/errors.ts'
import { checkedEntries } from '../files/checked-entries.ts'
import { PlaceFinder, type Standing } from '../files/safe-path.ts'
import type { SiteDisk } from '../files/site-disk.ts'
import { areaFolder, diskOf, type SiteFolders } from '../files/undo-journal.ts'
import { ArchiveSite, CONFIG_LIMITS, type ConfigPart, configPlace } from './config-entry.ts'

export interface ConfigRequest {
  /** Plain tar bytes. */
  tar: AsyncIterable<Buffer>
  folders: SiteFolders
  /** The site that the files are for; the archive may be another one's. */
  site: string
  /** At least one. */
  parts: readonly ConfigPart[]
  signal: AbortSignal
}

/** A file of the archive and what stands in its place; a link there is never written through. */
export interface ConfigFile {
  entry: TarEntry
  part: ConfigPart
  /** Below the part's folder. */
  parts: string[]
  path: string
  /** For people: `priv/config.d/mail.config`, `security/site.key`. */
  shown: string
  standing: Exclude<Standing, 'folder'>
}

/** Reads a configuration archive once, of any site. */
export class ConfigReader {
  readonly #request: ConfigRequest
  readonly #site = new ArchiveSite()
  /** Plain sentences: what an operator should know. */
  readonly notes: string[] = []

  constructor(request: ConfigRequest) {
    this.#request = request
  }

  /** Known once the archive was read. @throws AppError `config-empty` */
  get archiveSite(): string {
    return this.#site.site
  }

  /**
   * The files of the parts that were asked for.
   * @throws AppError `no-site-folder`, `config-name`, `config-place`, and those of `checkedEntries`
   */
  async *files(): AsyncGenerator<ConfigFile, void, void> {
    const { tar, folders, parts: wanted, signal } = this.#request
    await requireFolders(folders, wanted)
    const disk = diskOf(folders)
    const finders = {
      config: new PlaceFinder(areaFolder(folders, 'config'), 'config', disk),
      security: new PlaceFinder(areaFolder(folders, 'security'), 'config', disk),
    }
    for await (const { entry, parts: named } of checkedEntries(tar, { kind: 'config', limits: CONFIG_LIMITS })) {
      signal.throwIfAborted()
      this.#site.add(named)
      if (entry.kind === 'folder') continue
      const place = configPlace(named, true)
      if (!place) {
        this.notes.push(`${named.join('/')} is not restored: it is no configuration that a site reads.`)
        continue
      }
      const { part, parts } = place
      if (!wanted.includes(part)) continue
      const finder = finders[part]
      const path = disk.join(finder.root, ...parts)
      const standing = await finder.look(parts)
      if (standing === 'folder') {
        throw new AppError('config-place', `${path} is a folder, but a file in the backup. Nothing was changed.`, {
          hint: 'Move it away, or choose to restore without the configuration.',
          details: { path },
        })
      }
      const shown = shownPath(part, parts)
      if (standing === 'other') this.notes.push(`${shown} is a link or device on the site: it is left as it is.`)
      yield { entry, part, parts, path, shown, standing }
    }
    const { archiveSite } = this
    if (archiveSite === this.#request.site) return
    this.notes.unshift(
      `This is the configuration of ${archiveSite}: it has that site’s host names, database and keys. Look at it before ${this.#request.site} is started with it.`,
    )
  }
}

export function shownPath(part: ConfigPart, parts: readonly string[]): string {
  return [part === 'config' ? 'priv' : 'security', ...parts].join('/')
}

async function requireFolders(folders: SiteFolders, wanted: readonly ConfigPart[]): Promise<void> {
  // the security folder itself is made when it is missing
  const disk = diskOf(folders)
  const { siteDir, securityDir } = folders
  const needed = wanted.map((part) => (part === 'config' ? disk.join(siteDir, 'priv') : disk.join(securityDir, '..')))
  for (const folder of needed) {
    if (await isFolder(disk, folder)) continue
    throw new AppError('no-site-folder', `There is no folder ${folder}. No configuration was restored.`, {
      hint: 'Check the site and security folders in the site’s settings.',
      details: { folder },
    })
  }
}

async function isFolder(disk: SiteDisk, path: string): Promise<boolean> {
  // these folders may be links to where they are
  return (await disk.target(path).catch(() => null))?.kind === 'folder'
}
