import { createReadStream } from 'node:fs'
import { chmod, chown, link, lstat, mkdir, open, readdir, readFile, rm, rmdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { SshConnection } from '#engine/foundation/connections/ssh/types.ts'
import { syncFolder, writeFileAtomic } from '#engine/foundation/files/atomic.ts'
import { AppError } from '#shared/errors.ts'
import { hasContent } from './compare.ts'
import { journalLines } from './journal-lines.ts'
import { makeDurable } from './make-durable.ts'
import { copyWhole, keepFile, moveFile } from './move-file.ts'
import type { Likeness } from './put-in-place.ts'

/** What is at a place, links not followed; `other`: a link, a device and the like. */
export interface DiskFacts {
  kind: 'file' | 'folder' | 'other'
  size: number
  /** Unix seconds of its last change. */
  seconds: number
  /** Permission bits. */
  mode: number
  uid: number
  gid: number
}

/** Whose the files are that are made. */
export interface DiskUser {
  uid: number
  gid: number
  groups: readonly number[]
}

/** Appends to a file. */
export interface DiskAppender {
  /** Resolves when the text is on the disk. */
  append(text: string): Promise<void>
  close(): Promise<void>
}

/** The disk that a site's folders are on: of this computer, or of a server. Paths are those of that disk. */
export interface SiteDisk {
  /** null: this computer. */
  readonly server: SshConnection | null
  join(...parts: string[]): string
  /** null: there is nothing. */
  facts(path: string): Promise<DiskFacts | null>
  /** Of where a path leads to; null: there is nothing. */
  target(path: string): Promise<DiskFacts | null>
  /** None when there is no such folder. */
  names(folder: string): Promise<string[]>
  /** null: the system knows no users. */
  user(): Promise<DiskUser | null>
  /** With all that are missing above it, for nobody else. */
  makeFolders(path: string): Promise<void>
  /** @throws AppError `exists` */
  makeFolder(path: string, like: Likeness): Promise<void>
  /** One that holds something stays. */
  removeFolder(path: string): Promise<void>
  remove(path: string): Promise<void>
  removeTree(path: string): Promise<void>
  /** Also onto another disk, where it grows at `part`. Whoever looks at `to` sees what was there, or the whole file. */
  move(from: string, to: string, part: string): Promise<void>
  /** Keeps what is at `path` at `kept` as well, or moves it there. */
  keep(path: string, kept: string): Promise<void>
  /** The same file under another name, or a copy. */
  secondName(path: string, name: string): Promise<void>
  hasContent(path: string, content: Buffer): Promise<boolean>
  openAppender(path: string): Promise<DiskAppender>
  writeAtomic(path: string, text: string): Promise<void>
  /** A small file; null: there is none. */
  readText(path: string): Promise<string | null>
  lines(path: string): AsyncIterable<string>
  syncFolder(path: string): Promise<void>
  /** Returns when files that were written below a folder are on the disk. */
  makeDurable(folder: string, files: AsyncIterable<string>, signal: AbortSignal): Promise<void>
}

/** The disk of this computer. */
export const localDisk: SiteDisk = {
  server: null,
  join,
  facts: (path) => factsOf(lstat(path)),
  target: (path) => factsOf(stat(path)),
  names: (folder) => readdir(folder).catch((error: unknown) => whenMissing(error, [])),
  async user() {
    const [uid, gid] = [process.getuid?.(), process.getgid?.()]
    return uid === undefined || gid === undefined ? null : { uid, gid, groups: process.getgroups?.() ?? [] }
  },
  async makeFolders(path) {
    await mkdir(path, { recursive: true, mode: 0o700 })
  },
  async makeFolder(path, { mode, owner }) {
    await mkdir(path, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
      throw new AppError('exists', `There is ${path} already.`, { details: { path }, cause: error })
    })
    if (owner) await chown(path, owner.uid, owner.gid)
    await chmod(path, mode)
  },
  async removeFolder(path) {
    await rmdir(path).catch((error: NodeJS.ErrnoException) => {
      if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(error.code ?? '')) throw error
    })
  },
  remove: (path) => rm(path, { force: true }),
  removeTree: (path) => rm(path, { recursive: true, force: true }),
  move: moveFile,
  keep: keepFile,
  async secondName(path, name) {
    try {
      await link(path, name)
    } catch {
      await copyWhole(path, name, `${name}.part`)
    }
  },
  hasContent,
  async openAppender(path) {
    const handle = await open(path, 'a', 0o600)
    return {
      async append(text) {
        await handle.appendFile(text)
        await handle.sync()
      },
      close: () => handle.close(),
    }
  },
  async writeAtomic(path, text) {
    await writeFileAtomic(path, text)
  },
  readText: (path) => readFile(path, 'utf8').catch((error: unknown) => whenMissing(error, null)),
  async *lines(path) {
    const input = createReadStream(path)
    try {
      yield* journalLines(input as AsyncIterable<Buffer>, path)
    } finally {
      // whoever needs the first lines alone leaves early
      input.destroy()
    }
  },
  syncFolder,
  makeDurable,
}

async function factsOf(asked: ReturnType<typeof lstat>): Promise<DiskFacts | null> {
  try {
    const facts = await asked
    const kind = facts.isDirectory() ? 'folder' : facts.isFile() ? 'file' : 'other'
    const { size, uid, gid } = facts
    return {
      kind,
      size: Number(size),
      seconds: Math.floor(Number(facts.mtimeMs) / 1000),
      mode: Number(facts.mode) & 0o7777,
      uid: Number(uid),
      gid: Number(gid),
    }
  } catch (error) {
    return whenMissing(error, null)
  }
}

function whenMissing<T>(error: unknown, instead: T): T {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR') return instead
  throw error
}
