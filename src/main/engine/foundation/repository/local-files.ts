import { createHash } from 'node:crypto'
import { lstatSync, renameSync } from 'node:fs'
import { type FileHandle, link, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { AppError } from '#shared/errors.ts'
import { syncFolder } from '../files/atomic.ts'
import { GatheredWrites } from '../files/gathered-writes.ts'
import { writeAll } from '../files/write-all.ts'
import { orAborted } from '../or-aborted.ts'
import { MAX_INDEX_BYTES } from './backup-index.ts'
import { createFile, type FolderOwner, makeHomeFolder } from './file-owner.ts'
import { openPlainFile, readPlainFile, statPlainFile } from './folder-read.ts'
import { clockName, INDEX_FILE, SERVER_INDEX_TEMPORARY } from './names.ts'
import { existsAlready, notFound, type RepositoryFiles, type TextFile } from './repository-files.ts'

/** The files of a folder of this computer, and its path. */
export interface LocalFiles extends RepositoryFiles {
  readonly folder: string
}

export interface LocalFilesOptions {
  folder: string
  owner: FolderOwner
  /** A missing folder counts as empty and is made at the first write. */
  create?: boolean
}

export function localFiles(options: LocalFilesOptions): LocalFiles {
  const { owner } = options
  const folder = resolve(options.folder)
  const at = (name: string) => join(folder, name)

  async function reach(): Promise<'there' | 'not-yet'> {
    const facts = await stat(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' && options.create) return null
      throw unreachable(folder, owner, error)
    })
    if (facts === null) return 'not-yet'
    if (facts.isDirectory()) return 'there'
    throw new AppError('not-a-folder', `${folder} is not a folder.`, { hint: 'Name the folder that holds backup.json.' })
  }

  async function openForWriting(name: string, offset: number): Promise<FileHandle> {
    if (offset === 0) {
      await rm(at(name), { force: true })
      return createFile(folder, name, owner)
    }
    const handle = await open(at(name), 'r+').catch(asAppError(name, folder))
    await handle.truncate(offset)
    return handle
  }

  async function readText(name: string, maxBytes: number): Promise<TextFile | null> {
    const handle = await openPlainFile(at(name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null
      throw error
    })
    if (handle === null) return null
    try {
      const facts = await handle.stat({ bigint: true })
      const buffer = Buffer.alloc(Math.min(Number(facts.size) + 1, maxBytes))
      let length = 0
      for (;;) {
        const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length)
        length += bytesRead
        if (bytesRead === 0 || length === buffer.length) break
      }
      return { text: buffer.toString('utf8', 0, length), version: `${facts.size}:${facts.mtimeNs}:${facts.ino}` }
    } finally {
      await handle.close()
    }
  }

  return {
    place: folder,
    owner,
    isRemote: false,
    sureBytes: (size) => size,
    folder,
    reach,
    readText,

    async prepare() {
      if ((await reach()) === 'not-yet') await makeHomeFolder(folder)
    },

    async list(signal) {
      const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return []
        throw error
      })
      const files = []
      for (const entry of entries) {
        signal?.throwIfAborted()
        const facts = entry.isFile() ? await statPlainFile(at(entry.name), entry.name) : null
        if (facts) files.push(facts)
      }
      return files
    },

    stat: (name) => statPlainFile(at(name), name),

    read: (name, read = {}) => readPlainFile(at(name), name, read).catch(asAppError(name, folder)),

    async write(name, body, { offset = 0, signal, onWritten }) {
      const handle = await openForWriting(name, offset)
      const writes = new GatheredWrites(handle, offset, onWritten)
      try {
        const chunks: AsyncIterator<Uint8Array | string> = body[Symbol.asyncIterator]()
        for (;;) {
          const next = await orAborted(chunks.next(), signal)
          if (next.done) break
          await writes.write(typeof next.value === 'string' ? Buffer.from(next.value) : next.value)
        }
        await writes.end()
        await handle.sync()
        return writes.position
      } catch (error) {
        body.destroy()
        // what was taken is written: the next try goes on behind it
        await writes.end().catch(() => {})
        throw error
      } finally {
        await handle.close()
      }
    },

    async create(name, text) {
      const handle = await createFile(folder, name, owner).catch(asAppError(name, folder))
      try {
        await handle.writeFile(text)
        await handle.sync()
      } catch (error) {
        await rm(at(name), { force: true })
        throw error
      } finally {
        await handle.close()
      }
    },

    async touch(name, size) {
      const handle = await open(at(name), 'r+').catch(asAppError(name, folder))
      try {
        await writeAll(handle, Buffer.from('\n'), size - 1)
      } finally {
        await handle.close()
      }
    },

    rename: (from, to) => rename(at(from), at(to)).catch(asAppError(from, folder)),
    link: (from, to) => link(at(from), at(to)).catch(asAppError(to, folder)),
    remove: (name) => rm(at(name), { force: true }),

    async replaceIndex(part, expected) {
      const now = await readText(INDEX_FILE, MAX_INDEX_BYTES + 1)
      if (now?.version !== expected?.version || now?.text !== expected?.text) return false
      // one right after the other: a server that writes now must not slip in between
      if (owner === 'server' && lstatSync(at(SERVER_INDEX_TEMPORARY), { throwIfNoEntry: false })) return false
      const last = lstatSync(at(INDEX_FILE), { bigint: true, throwIfNoEntry: false })
      if (expected && expected.version !== (last && `${last.size}:${last.mtimeNs}:${last.ino}`)) return false
      renameSync(at(part), at(INDEX_FILE))
      await syncFolder(folder)
      return true
    },

    async hash(name, signal) {
      const hash = createHash('sha256')
      for await (const chunk of await this.read(name, signal ? { signal } : {})) hash.update(chunk)
      return hash.digest('hex')
    },

    async sync(names = []) {
      for (const name of names) {
        const handle = await open(at(name), 'r+').catch(asAppError(name, folder))
        await handle.sync().finally(() => handle.close())
      }
      await syncFolder(folder)
    },

    async now() {
      // a network disk goes by the clock of its server
      const name = clockName()
      const handle = await createFile(folder, name, owner)
      try {
        return Number((await handle.stat()).mtimeMs)
      } finally {
        await handle.close()
        await rm(at(name), { force: true })
      }
    },
  }
}

function asAppError(name: string, folder: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    if (error.code === 'EEXIST') throw existsAlready(name, folder)
    if (error.code === 'ENOENT') throw notFound(name, folder)
    throw error
  }
}

function unreachable(folder: string, owner: FolderOwner, error: NodeJS.ErrnoException): AppError {
  const what = owner === 'server' ? 'The server’s backup folder' : 'The backup folder'
  const why =
    error.code === 'ENOENT' || error.code === 'ENOTDIR' ? 'does not exist' : `can’t be read (${error.code ?? error.message})`
  return new AppError('repository-unreachable', `${what} ${folder} ${why}.`, {
    hint: 'Is the disk mounted, and does the path in the site’s settings fit?',
    details: { folder, system: error.code ?? null },
    cause: error,
  })
}
