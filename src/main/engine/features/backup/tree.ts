import type { Stats } from 'node:fs'
import { lstat, readdir, stat } from 'node:fs/promises'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { ahead } from './ahead.ts'

/**
 * File names as one character a byte (on Windows: as text). On Linux a name need not be UTF-8, and a name that went
 * through text and back would name no file.
 */
const RAW: BufferEncoding = process.platform === 'win32' ? 'utf8' : 'latin1'
/** Names sorted in one go; more would hold up the event loop. */
const RUN_LENGTH = 4096
const LOOKS_AHEAD = 16

/** Something in a folder that is not, or not wholly, in the archive. */
export interface ArchiveProblem {
  /** Relative to the archived folder. */
  path: string
  code: 'symbolic-link' | 'special-file' | 'vanished' | 'unreadable' | 'changed' | 'replaced'
  /** One plain sentence. */
  text: string
}

export interface TreeEntry {
  kind: 'file' | 'directory'
  /** What to open. */
  path: Buffer | string
  /** Below the root, without a leading slash; '' is the root itself. */
  relative: Buffer
  /** For messages. */
  shown: string
  stats: Stats
}

export interface WalkOptions {
  signal?: AbortSignal
  onProblem: (problem: ArchiveProblem) => void
  /** Symbolic links to plain files count as these files; otherwise links are left out and told. */
  followFileLinks?: boolean
}

/**
 * Walks a folder depth first, each folder before its content, names in the order of their bytes. Holds the names of
 * the folders it is in, never more. What cannot be listed is told by `onProblem` and left out.
 */
export async function* walkTree(root: string, options: WalkOptions): AsyncGenerator<TreeEntry> {
  const base = Buffer.from(root).toString(RAW)
  const top = await look(base, '', options)
  if ('problem' in top) options.onProblem(top.problem)
  if ('problem' in top || top.kind !== 'directory') return
  yield top
  yield* walkFolder(base, '', top, options)
}

async function* walkFolder(base: string, below: string, folder: TreeEntry, options: WalkOptions): AsyncGenerator<TreeEntry> {
  const prefix = below === '' ? '' : `${below}/`
  const names = await namesIn(base, below, folder, options)
  const looked = ahead(names, LOOKS_AHEAD, async (name) => ({ name, found: await look(base, prefix + name, options) }))
  for await (const { name, found } of looked) {
    options.signal?.throwIfAborted()
    if ('problem' in found) {
      options.onProblem(found.problem)
      continue
    }
    yield found
    if (found.kind === 'directory') yield* walkFolder(base, prefix + name, found, options)
  }
}

/** Number of plain files below a folder and their bytes; what cannot be read counts as nothing. */
export async function measureTree(root: string, signal?: AbortSignal): Promise<{ files: number; bytes: number }> {
  const size = { files: 0, bytes: 0 }
  for await (const entry of walkTree(root, { ...(signal ? { signal } : {}), onProblem: () => {} })) {
    if (entry.kind !== 'file') continue
    size.files += 1
    size.bytes += entry.stats.size
  }
  return size
}

/** The sentence for a file that could not be opened or listed. */
export function accessProblem(shown: string, error: unknown): ArchiveProblem {
  const code = (error as NodeJS.ErrnoException).code ?? ''
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return { path: shown, code: 'vanished', text: 'It was removed while the backup ran and is not in it.' }
  }
  if (code === 'ELOOP') return linkProblem(shown)
  return { path: shown, code: 'unreadable', text: `It could not be read (${code || String(error)}) and is not in the backup.` }
}

/** One file or folder below a root, or null (told by `onProblem`) when it is neither or cannot be seen. */
export async function lookAt(root: string, relative: string, options: WalkOptions): Promise<TreeEntry | null> {
  const found = await look(Buffer.from(root).toString(RAW), Buffer.from(relative).toString(RAW), options)
  if (!('problem' in found)) return found
  options.onProblem(found.problem)
  return null
}

async function look(base: string, relative: string, options: WalkOptions): Promise<TreeEntry | { problem: ArchiveProblem }> {
  const path = systemPath(base, relative)
  const bytes = Buffer.from(relative, RAW)
  const shown = printable(bytes) || '.'
  try {
    let stats = await lstat(path)
    if (stats.isSymbolicLink()) {
      const target = relative === '' || options.followFileLinks ? await stat(path).catch(() => null) : null
      // the root may be a link: the operator, or the server's own set-up, named it
      if (!(target?.isFile() || (relative === '' && target?.isDirectory()))) {
        return { problem: linkProblem(shown) }
      }
      stats = target
    }
    if (stats.isFile()) return { kind: 'file', path, relative: bytes, shown, stats }
    if (stats.isDirectory()) return { kind: 'directory', path, relative: bytes, shown, stats }
    const text = 'It is neither a file nor a folder and is not in the backup.'
    return { problem: { path: shown, code: 'special-file', text } }
  } catch (error) {
    return { problem: accessProblem(shown, error) }
  }
}

async function namesIn(base: string, relative: string, entry: TreeEntry, options: WalkOptions): Promise<Iterable<string>> {
  try {
    const names = await readdir(systemPath(base, relative), { encoding: RAW })
    // a folder that was swapped for a link must not lead the walk elsewhere
    const now = relative === '' ? entry.stats : await lstat(systemPath(base, relative))
    if (!now.isDirectory() || now.ino !== entry.stats.ino) {
      options.onProblem({
        path: entry.shown,
        code: 'replaced',
        text: 'The folder was replaced while the backup ran; its content is not in the backup.',
      })
      return []
    }
    return await sorted(names)
  } catch (error) {
    options.onProblem(accessProblem(entry.shown, error))
    return []
  }
}

/** A file name for a log or a terminal, where its control characters must not act. */
export function printable(name: Buffer): string {
  return name.toString('utf8').replace(/\p{Cc}/gu, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

function linkProblem(shown: string): ArchiveProblem {
  return { path: shown, code: 'symbolic-link', text: 'It is a symbolic link and is not in the backup.' }
}

function systemPath(base: string, relative: string): Buffer | string {
  const path = relative === '' ? base : `${base}/${relative}`
  return RAW === 'utf8' ? path : Buffer.from(path, RAW)
}

/** Sorts run by run with a pause between them, and merges the runs while they are read. */
async function sorted(names: string[]): Promise<Iterable<string>> {
  if (names.length <= RUN_LENGTH) return names.sort()
  const runs: string[][] = []
  for (let from = 0; from < names.length; from += RUN_LENGTH) {
    runs.push(names.slice(from, from + RUN_LENGTH).sort())
    await nextTurn()
  }
  return merged(runs)
}

function* merged(runs: string[][]): Generator<string> {
  const heads = runs.map(() => 0)
  for (;;) {
    let least: string | undefined
    let from = -1
    for (let run = 0; run < runs.length; run++) {
      const name = runs[run]?.[heads[run] ?? 0]
      if (name !== undefined && (least === undefined || name < least)) {
        least = name
        from = run
      }
    }
    if (least === undefined) return
    heads[from] = (heads[from] ?? 0) + 1
    yield least
  }
}
