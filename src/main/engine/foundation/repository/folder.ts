import { createHash } from 'node:crypto'
import { type FileHandle, link, readdir, rename, rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { AppError } from '#shared/errors.ts'
import { syncFolder } from '../files/atomic.ts'
import type { Locks } from '../locks.ts'
import { createFile, type FolderOwner, makeHomeFolder } from './file-owner.ts'
import { readPlainFile, statPlainFile } from './folder-read.ts'
import { readIndexFile, updateIndexFile } from './index-file.ts'
import { assertPlainName, INDEX_FILE, newWriteId, parseWorkName, partName, SERVER_INDEX_TEMPORARY, showName } from './names.ts'
import type { FileStat, Lease, PutOptions, Repository } from './types.ts'

/** A repository that is a folder: besides the contract, what putting a slot in place needs. */
export interface FolderRepository extends Repository {
  readonly kind: 'folder'
  readonly owner: FolderOwner
  readonly folder: string
  readonly isOurJob: FolderOptions['isOurJob']
  /**
   * Creates `FILENAME.ID.part` for writing, with the owner and mode of the repository. Part files of a job that died
   * are cleared away by the recovery; those of a job that holds the lease are not touched.
   * @param id the job's id
   */
  createPart(finalName: string, id: string): Promise<{ path: string; handle: FileHandle }>
}

export interface FolderOptions {
  folder: string
  owner: FolderOwner
  /** Locks between our own programs; without them a lease holds within this process only. */
  locks?: Locks
  /** Whether a job is of our home folder; files of others that may be at work here are left alone. */
  isOurJob?: (id: string) => Promise<boolean>
  /** A missing folder counts as empty and is made at the first write. */
  create?: boolean
}

/** Opens a folder as a repository: the vault (`home`) or the backup folder of a server (`server`). */
export function openFolderRepository(options: FolderOptions): FolderRepository {
  const { owner, locks } = options
  const folder = resolve(options.folder)
  const pathOf = (name: string) => {
    assertPlainName(name)
    return join(folder, name)
  }

  async function assertReachable(): Promise<'there' | 'not-yet'> {
    const facts = await stat(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' && options.create) return null
      throw unreachable(folder, owner, error)
    })
    if (facts === null) return 'not-yet'
    if (facts.isDirectory()) return 'there'
    throw new AppError('not-a-folder', `${folder} is not a folder.`, { hint: 'Name the folder that holds backup.json.' })
  }

  async function makeReady(): Promise<void> {
    if ((await assertReachable()) === 'not-yet') await makeHomeFolder(folder)
  }

  async function writeBody(handle: FileHandle, body: Readable, signal: AbortSignal | undefined): Promise<string> {
    const hash = createHash('sha256')
    const chunks: AsyncIterator<Uint8Array | string> = body[Symbol.asyncIterator]()
    for (;;) {
      const next = await orAborted(chunks.next(), signal)
      if (next.done) break
      const bytes = typeof next.value === 'string' ? Buffer.from(next.value) : next.value
      hash.update(bytes)
      await handle.appendFile(bytes)
    }
    await handle.sync()
    return hash.digest('hex')
  }

  async function putInPlace(part: string, name: string, put: PutOptions): Promise<void> {
    if (put.ifAbsent) {
      await link(part, pathOf(name)).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error
        throw new AppError('exists', `${name} exists already in ${folder}. It was left as it is.`, { details: { name } })
      })
      await rm(part)
      return
    }
    if (put.ifVersion !== undefined && (await statPlainFile(pathOf(name), name))?.version !== put.ifVersion) {
      throw new AppError('changed-meanwhile', `${name} was changed by somebody else. It was left as it is.`, {
        hint: 'Look at it again, then repeat this.',
        details: { name },
      })
    }
    await rename(part, pathOf(name))
  }

  return {
    kind: 'folder',
    place: folder,
    owner,
    folder,
    isOurJob: options.isOurJob,
    capabilities: { rename: true, conditionalPut: true, ranges: true, append: true },

    async list(signal) {
      if ((await assertReachable()) === 'not-yet') return []
      const files: FileStat[] = []
      for (const entry of await readdir(folder, { withFileTypes: true })) {
        signal?.throwIfAborted()
        if (!entry.isFile() || parseWorkName(entry.name) !== null) continue
        const facts = await statPlainFile(join(folder, entry.name), entry.name)
        if (facts) files.push(facts)
      }
      return files
    },

    async stat(name) {
      const path = pathOf(name)
      await assertReachable()
      return statPlainFile(path, name)
    },

    read(name, readOptions = {}) {
      return Promise.resolve().then(() => readPlainFile(pathOf(name), name, readOptions))
    },

    async put(name, body, put = {}) {
      let part: string | null = null
      try {
        assertWritable(name)
        await makeReady()
        const file = partName(name, newWriteId())
        const handle = await createFile(folder, file, owner)
        part = join(folder, file)
        try {
          const hash = await writeBody(handle, body, put.signal)
          if (put.sha256 !== undefined && hash !== put.sha256) throw hashDiffers(name, put.sha256, hash)
        } finally {
          await handle.close()
        }
        await putInPlace(part, name, put)
      } catch (error) {
        body.destroy()
        if (part) await rm(part, { force: true })
        throw error
      }
      await syncFolder(folder)
      const facts = await statPlainFile(pathOf(name), name)
      if (facts) return facts
      throw new AppError('changed-meanwhile', `${name} was removed by somebody else right after it was written.`, {})
    },

    async remove(name) {
      assertWritable(name)
      await assertReachable()
      if ((await statPlainFile(pathOf(name), name)) === null) return
      await rm(pathOf(name), { force: true })
      await syncFolder(folder)
    },

    async readIndex() {
      return (await this.readIndexDocument()).entries
    },

    async readIndexDocument() {
      await assertReachable()
      return (await readIndexFile(folder)).document
    },

    async updateIndex(change) {
      await makeReady()
      await updateIndexFile(folder, owner, change)
    },

    async lease(signal) {
      const resource = `folder:${folder}`
      if (locks) return locks.acquire(resource, signal ? { signal } : {})
      return takeTurn(resource, signal)
    },

    async openSlot() {
      throw new AppError('being-built', 'Not there yet.', {})
    },

    async removeSlot() {
      throw new AppError('being-built', 'Not there yet.', {})
    },

    async createPart(finalName, id) {
      assertWritable(finalName)
      await makeReady()
      const file = partName(finalName, id)
      return { path: join(folder, file), handle: await createFile(folder, file, owner) }
    },
  }
}

/** The index is written by updateIndex alone, and files for the making by nobody but their maker. */
function assertWritable(name: string): void {
  assertPlainName(name)
  if (name !== INDEX_FILE && name !== SERVER_INDEX_TEMPORARY && parseWorkName(name) === null) return
  throw new AppError('reserved-name', `${showName(name)} is a name with a meaning of its own. Nothing was written.`, {
    hint: 'Use another name.',
    details: { name },
  })
}

function hashDiffers(name: string, wanted: string, found: string): AppError {
  return new AppError('hash-differs', `${name} did not arrive as it was sent: its SHA-256 differs. It was not put in place.`, {
    hint: 'Try again; if it happens again, verify the source.',
    details: { name, wanted, found },
  })
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

/** Waits for a source no longer than until the abort: a stalled one may never answer. */
function orAborted<T>(waited: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return waited
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    waited.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

const turns = new Map<string, Promise<void>>()

/** A lease within this process. */
async function takeTurn(resource: string, signal: AbortSignal | undefined): Promise<Lease> {
  const before = turns.get(resource) ?? Promise.resolve()
  let free: () => void = () => {}
  const mine = new Promise<void>((settle) => {
    free = settle
  })
  const chain = before.then(() => mine)
  turns.set(resource, chain)
  await before
  const release = async () => {
    free()
    if (turns.get(resource) === chain) turns.delete(resource)
  }
  if (signal?.aborted) {
    await release()
    signal.throwIfAborted()
  }
  return { release }
}
