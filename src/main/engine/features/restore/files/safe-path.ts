import { type ArchiveKind, archiveError, placeError } from './archive-error.ts'
import { localDisk, type SiteDisk } from './site-disk.ts'

const RESERVED = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?$/i
const MAX_PART_BYTES = 255
const MAX_DEPTH = 32

/**
 * The parts of an archived name below a folder. `./` itself gives none.
 * @throws AppError `…-name` for a name that leads elsewhere, or that some system reads as something else
 */
export function safeParts(name: string, kind: ArchiveKind, platform: string = process.platform): string[] {
  const unsafe = (what: string) =>
    archiveError(kind, 'name', `has the name ${JSON.stringify(name.slice(0, 200))}, which ${what}.`, { name: name.slice(0, 500) })
  if ([...name].some((char) => char < ' ' || char === '\x7f')) throw unsafe('has control characters')
  if (name.startsWith('/') || /^[A-Za-z]:/.test(name)) throw unsafe('is absolute')
  if (name.includes('\\')) throw unsafe('has a backslash')
  const parts = name.split('/').filter((part, at, all) => part !== '.' && !(part === '' && at === all.length - 1))
  if (parts.length > MAX_DEPTH) throw unsafe(`is deeper than ${MAX_DEPTH} folders`)
  for (const part of parts) {
    if (part === '') throw unsafe('has an empty part')
    if (part === '..') throw unsafe('leads out of its folder')
    if (Buffer.byteLength(part) > MAX_PART_BYTES) throw unsafe('has a part of more than 255 bytes')
    if (/[. ]$/.test(part)) throw unsafe('has a part that ends in a dot or space')
    if (RESERVED.test(part)) throw unsafe('has a name that Windows keeps for devices')
    if (platform === 'win32' && /[<>:"|?*]/.test(part)) throw unsafe('can’t be a name on this system')
  }
  return parts
}

/** What stands at a place below a folder; `other`: a link, a device and the like. */
export type Standing = 'nothing' | 'file' | 'folder' | 'other'

const MAX_KNOWN = 20_000

/** Tells what is at places below a folder. */
export interface Places {
  readonly root: string
  /** @throws AppError `…-place` for a link, a device or a file where a folder must be */
  look(parts: readonly string[]): Promise<Standing>
  /** @throws AppError `…-place` when something else is in its way */
  hasFolder(parts: readonly string[]): Promise<boolean>
}

/** Looks at places below a folder without ever following a link. Folders that were seen are remembered. */
export class PlaceFinder implements Places {
  readonly root: string
  readonly #kind: ArchiveKind
  readonly #disk: SiteDisk
  readonly #folders = new Set<string>()

  constructor(root: string, kind: ArchiveKind, disk: SiteDisk = localDisk) {
    this.root = root
    this.#kind = kind
    this.#disk = disk
  }

  /**
   * What is at `parts`, each folder above it looked at on the way.
   * @throws AppError `…-place` for a link, a device or a file where a folder must be
   */
  async look(parts: readonly string[]): Promise<Standing> {
    if (!(await this.hasFolder(parts.slice(0, -1)))) return 'nothing'
    return standingAt(this.#disk.join(this.root, ...parts), this.#disk)
  }

  /** Whether there is such a folder. @throws AppError `…-place` when something else is in its way */
  async hasFolder(parts: readonly string[]): Promise<boolean> {
    // the root itself may be a link, to another disk; nothing below it may
    if (parts.length === 0 || this.#folders.has(parts.join('/'))) return true
    if (!(await this.hasFolder(parts.slice(0, -1)))) return false
    const path = this.#disk.join(this.root, ...parts)
    const standing = await standingAt(path, this.#disk)
    if (standing === 'nothing') return false
    if (standing !== 'folder') {
      throw placeError(this.#kind, path, `is ${standing === 'file' ? 'a file' : 'a link or device'}, where a folder is expected.`)
    }
    if (this.#folders.size >= MAX_KNOWN) this.#folders.clear()
    this.#folders.add(parts.join('/'))
    return true
  }
}

/** What is there, without following a link. */
export async function standingAt(path: string, disk: SiteDisk = localDisk): Promise<Standing> {
  return (await disk.facts(path))?.kind ?? 'nothing'
}
