import { createHash } from 'node:crypto'
import { readTar, type TarEntry } from '#engine/foundation/content/read-tar.ts'
import { type ArchiveKind, archiveError } from './archive-error.ts'
import { safeParts } from './safe-path.ts'

export interface ArchiveLimits {
  entries: number
  /** Of one file. */
  fileBytes: number
  /** Of all files. */
  bytes: number
}

export interface CheckOptions {
  kind: ArchiveKind
  limits: ArchiveLimits
  /** The system whose names count; default: this one. */
  platform?: string
}

export interface CheckedEntry {
  entry: TarEntry
  /** Below the archive's own top; none: the top itself. */
  parts: string[]
}

/**
 * The files and folders of an archive, whose names, sizes and places among each other were checked. A size is judged by
 * its header, so that nothing of a bomb is unpacked.
 * @throws AppError `…-name`, `…-duplicate`, `…-too-much`, and those of `readTar`
 */
export async function* checkedEntries(
  tar: AsyncIterable<Buffer>,
  { kind, limits, platform = process.platform }: CheckOptions,
): AsyncGenerator<CheckedEntry, void, void> {
  const names = new NameBook(kind, platform === 'win32' || platform === 'darwin')
  let entries = 0
  let bytes = 0
  const tooMuch = (what: string) => archiveError(kind, 'too-much', `has ${what}, which is more than can be restored here.`)
  for await (const entry of readTar(tar)) {
    entries += 1
    bytes += entry.size
    if (entries > limits.entries) throw tooMuch(`more than ${limits.entries} files and folders`)
    if (entry.size > limits.fileBytes) throw tooMuch(`a file of ${entry.size} bytes`)
    if (bytes > limits.bytes) throw tooMuch(`more than ${limits.bytes} bytes`)
    const parts = safeParts(entry.name, kind, platform)
    names.add(parts, entry)
    yield { entry, parts }
  }
}

/** Knows which names an archive had so far. */
class NameBook {
  readonly #kind: ArchiveKind
  /** Some systems take names that differ in case or composition for one. */
  readonly #isFolding: boolean
  readonly #seen = new Set<number>()
  #lastFolder = ''

  constructor(kind: ArchiveKind, isFolding: boolean) {
    this.#kind = kind
    this.#isFolding = isFolding
  }

  /** @throws AppError `…-duplicate` when there was such a name, or a file whose name it has as a folder, or the reverse */
  add(parts: readonly string[], entry: TarEntry): void {
    const isFile = entry.kind === 'file'
    if (parts.length === 0 && isFile) throw this.#duplicate(entry)
    const folder = parts.slice(0, -1).join('/')
    if (folder !== this.#lastFolder) {
      for (let depth = 1; depth < parts.length; depth += 1) this.#addOnce(parts.slice(0, depth), false, entry)
      this.#lastFolder = folder
    }
    if (parts.length > 0 && !this.#addOnce(parts, isFile, entry) && isFile) throw this.#duplicate(entry)
  }

  /** False: it was there already, as the same kind. */
  #addOnce(parts: readonly string[], isFile: boolean, entry: TarEntry): boolean {
    const key = this.#keyOf(parts) * 2
    if (this.#seen.has(key + (isFile ? 0 : 1))) throw this.#duplicate(entry)
    const own = key + (isFile ? 1 : 0)
    if (this.#seen.has(own)) return false
    this.#seen.add(own)
    return true
  }

  /** 52 bits of a hash stand for a name: millions of names would not fit in the memory that a job may take. */
  #keyOf(parts: readonly string[]): number {
    const name = parts.join('/')
    const folded = this.#isFolding ? name.normalize('NFC').toLowerCase() : name
    const hash = createHash('sha1').update(folded).digest()
    return hash.readUIntBE(0, 6) * 16 + ((hash[6] ?? 0) & 15)
  }

  #duplicate({ name }: TarEntry): Error {
    return archiveError(this.#kind, 'duplicate', `has ${JSON.stringify(name.slice(0, 200))} twice, or as a file and a folder.`, {
      name: name.slice(0, 500),
    })
  }
}
