import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '#shared/errors.ts'
import { PlaceFinder, safeParts } from './safe-path.ts'
import { readTar, type TarEntry } from './tar-reader.ts'

export interface MediaLimits {
  entries: number
  /** Of one file. */
  fileBytes: number
  /** Of all files. */
  bytes: number
}

export const MEDIA_LIMITS: MediaLimits = { entries: 2_000_000, fileBytes: 2 ** 40, bytes: 2 ** 44 }

/** One file or folder of an archive, and what stands in its place. */
export interface MediaVisit {
  entry: TarEntry
  /** Below the media folder. */
  parts: string[]
  path: string
  /** True when there is one of the same kind already. */
  isThere: boolean
  /** Folders above it that are missing. */
  places: PlaceFinder
}

/**
 * Goes through a media archive; every name, size and place in it was checked. Writes nothing.
 * @throws AppError `media-name`, `media-place`, `media-duplicate`, `media-too-much`, and those of `readTar`
 */
export async function* visitMedia(
  tar: AsyncIterable<Buffer>,
  archiveDir: string,
  limits: MediaLimits = MEDIA_LIMITS,
): AsyncGenerator<MediaVisit, void, void> {
  const places = new PlaceFinder(archiveDir)
  const seen = new Set<number>()
  let entries = 0
  let bytes = 0
  for await (const entry of readTar(tar)) {
    entries += 1
    bytes += entry.size
    if (entries > limits.entries) throw tooMuch(`more than ${limits.entries} files and folders`)
    if (entry.size > limits.fileBytes) throw tooMuch(`a file of ${entry.size} bytes`)
    if (bytes > limits.bytes) throw tooMuch(`more than ${limits.bytes} bytes`)
    const parts = safeParts(entry.name)
    if (parts.length === 0) {
      if (entry.kind === 'file') throw duplicate(entry.name)
      continue
    }
    const key = keyOf(parts)
    if (seen.has(key)) throw duplicate(entry.name)
    seen.add(key)
    const standing = await places.look(parts)
    const path = join(archiveDir, ...parts)
    if (standing !== 'nothing' && standing !== entry.kind) {
      throw new AppError('media-place', `${path} is a ${standing}, but a ${entry.kind} in the backup.`, {
        hint: 'Move it away, or choose to restore the database only.',
        details: { path },
      })
    }
    yield { entry, parts, path, isThere: standing !== 'nothing', places }
  }
}

/** 52 bits of a hash stand for a name: millions of names would not fit in the memory that a job may take. */
function keyOf(parts: readonly string[]): number {
  const name = parts.join('/')
  // these systems take names that differ in case or composition for one
  const isFolding = process.platform === 'win32' || process.platform === 'darwin'
  const folded = isFolding ? name.normalize('NFC').toLowerCase() : name
  return createHash('sha1').update(folded).digest().readUIntBE(0, 6) * 16 + (folded.length % 16)
}

/** How a file's content compares with the archive's: up to where they are equal, and what of the archive follows. */
export interface Comparison {
  isSame: boolean
  equalBytes: number
  /** The chunk that differs; the rest of the entry's content is still to be read. */
  next: Buffer | null
}

/** Reads an entry's content beside the file that stands in its place, as far as they are equal. */
export async function compareContent(path: string, entry: TarEntry, onBytes: (bytes: number) => void): Promise<Comparison> {
  const file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0))
  try {
    if ((await file.stat()).size !== entry.size) return { isSame: false, equalBytes: 0, next: null }
    let buffer = Buffer.alloc(0)
    let at = 0
    for (let next = await entry.content.next(); !next.done; next = await entry.content.next()) {
      const chunk = next.value
      if (buffer.length < chunk.length) buffer = Buffer.allocUnsafe(chunk.length)
      if (!(await readsAs(file, buffer, chunk, at))) return { isSame: false, equalBytes: at, next: chunk }
      at += chunk.length
      onBytes(chunk.length)
    }
    return { isSame: true, equalBytes: at, next: null }
  } finally {
    await file.close()
  }
}

async function readsAs(
  file: Awaited<ReturnType<typeof open>>,
  buffer: Buffer,
  chunk: Buffer,
  position: number,
): Promise<boolean> {
  let read = 0
  while (read < chunk.length) {
    const { bytesRead } = await file.read(buffer, read, chunk.length - read, position + read)
    if (bytesRead === 0) return false
    read += bytesRead
  }
  return chunk.equals(buffer.subarray(0, chunk.length))
}

function duplicate(name: string): AppError {
  return new AppError('media-duplicate', `The media archive has ${JSON.stringify(name.slice(0, 200))} twice.`, {
    hint: 'A backup by Zotonic or Backup Desk has each file once. Choose another backup.',
    details: { name: name.slice(0, 500) },
  })
}

function tooMuch(what: string): AppError {
  return new AppError('media-too-much', `The media archive has ${what}; that is no site’s media.`, {
    hint: 'Choose another backup.',
  })
}
