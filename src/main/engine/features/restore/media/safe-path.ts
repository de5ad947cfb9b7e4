import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '#shared/errors.ts'

const RESERVED = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?$/i
const MAX_PART_BYTES = 255
const MAX_DEPTH = 32

/**
 * The parts of an archived name below the media folder. `./` itself gives none.
 * @throws AppError `media-name` for a name that leads elsewhere, or that some system reads as something else
 */
export function safeParts(name: string): string[] {
  if ([...name].some((char) => char < ' ' || char === '\x7f')) throw unsafe(name, 'has control characters')
  if (name.startsWith('/') || /^[A-Za-z]:/.test(name)) throw unsafe(name, 'is absolute')
  if (name.includes('\\')) throw unsafe(name, 'has a backslash')
  const parts = name.split('/').filter((part, at, all) => part !== '.' && !(part === '' && at === all.length - 1))
  if (parts.length > MAX_DEPTH) throw unsafe(name, `is deeper than ${MAX_DEPTH} folders`)
  for (const part of parts) {
    if (part === '') throw unsafe(name, 'has an empty part')
    if (part === '..') throw unsafe(name, 'leads out of the media folder')
    if (Buffer.byteLength(part) > MAX_PART_BYTES) throw unsafe(name, 'has a part of more than 255 bytes')
    if (/[. ]$/.test(part)) throw unsafe(name, 'has a part that ends in a dot or space')
    if (RESERVED.test(part)) throw unsafe(name, 'has a name that Windows keeps for devices')
    if (process.platform === 'win32' && /[<>:"|?*]/.test(part)) throw unsafe(name, 'can’t be a name on this system')
  }
  return parts
}

function unsafe(name: string, what: string): AppError {
  return new AppError('media-name', `The media archive has the name ${JSON.stringify(name.slice(0, 200))}, which ${what}.`, {
    hint: 'A backup by Zotonic or Backup Desk has no such names. Choose another backup.',
    details: { name: name.slice(0, 500) },
  })
}

/** What stands at a place below a folder. */
export type Standing = 'nothing' | 'file' | 'folder'

const MAX_KNOWN = 20_000

/** Looks at places below a folder without ever following a link. Folders that were seen are remembered. */
export class PlaceFinder {
  readonly #root: string
  readonly #folders = new Set<string>()

  constructor(root: string) {
    this.#root = root
  }

  /**
   * What is at `parts`, each folder above it looked at on the way.
   * @throws AppError `media-place` for a link, a device, or a file where a folder must be
   */
  async look(parts: readonly string[]): Promise<Standing> {
    // the folder itself may be a link, to another disk; nothing below it may
    for (let depth = 1; depth <= parts.length; depth += 1) {
      const below = parts.slice(0, depth)
      const key = below.join('/')
      if (depth < parts.length && this.#folders.has(key)) continue
      const path = join(this.#root, ...below)
      const facts = await lstat(path).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return null
        throw error
      })
      if (!facts) return 'nothing'
      if (facts.isDirectory()) {
        if (this.#folders.size >= MAX_KNOWN) this.#folders.clear()
        this.#folders.add(key)
      } else if (!facts.isFile() || depth < parts.length) {
        throw new AppError(
          'media-place',
          `${path} is ${facts.isFile() ? 'a file' : 'a link or device'}, where none is expected.`,
          {
            hint: 'Move it away, or choose to restore the database only.',
            details: { path },
          },
        )
      } else return 'file'
    }
    return 'folder'
  }
}
