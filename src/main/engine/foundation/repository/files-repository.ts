import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { AppError } from '#shared/errors.ts'
import type { Locks } from '../locks.ts'
import { orAborted } from '../or-aborted.ts'
import { readIndexFile, updateIndexFile } from './index-file.ts'
import { type FileLease, takeLeaseFile } from './lease-file.ts'
import { assertPlainName, isOurs, newWriteId, partName } from './names.ts'
import { assertWritable, type RepositoryFiles } from './repository-files.ts'
import { type Recovered, recoverSlots } from './slot-recovery.ts'
import { removeRotationSlot } from './slot-removal.ts'
import { storeSlot } from './slot-storing.ts'
import { takeTurn } from './turn.ts'
import type { PutOptions, Repository } from './types.ts'

/** A repository of plain files: the contract, and the repair of what was interrupted. */
export interface FilesRepository extends Repository {
  readonly files: RepositoryFiles
  /**
   * Finishes or takes back what programs that died have left, see {@link recoverSlots}. No live job may write here.
   * @param except the id of a job whose files are left alone
   */
  recover(except?: string): Promise<Recovered>
  /** Before what can't be taken back. @throws AppError `lease-lost` when the lease was taken over by somebody else */
  assertLeased(): Promise<void>
}

export interface FilesRepositoryOptions {
  kind: 'folder' | 'sftp'
  files: RepositoryFiles
  /** Locks between our own programs on this computer; without them a lease holds within this process only. */
  locks?: Locks | undefined
  /** Whether a job is of our home folder; files of others that may be at work here are left alone. */
  isOurJob?: ((id: string) => Promise<boolean>) | undefined
  /** How long another computer's lease is waited for; default 2 minutes. */
  leaseWaitMs?: number | undefined
}

const LEASE_WAIT_MS = 120_000

export function openFilesRepository({
  kind,
  files,
  locks,
  isOurJob,
  leaseWaitMs = LEASE_WAIT_MS,
}: FilesRepositoryOptions): FilesRepository {
  /** The lease of a folder that other computers share; a vault is this computer's alone. */
  let shared: FileLease | null = null
  let isRecovered = false

  async function recover(except?: string): Promise<Recovered> {
    return recoverSlots(files, {
      ...(except === undefined ? {} : { except }),
      ...(isOurJob ? { isOurJob } : {}),
      isLeased: shared !== null,
    })
  }

  /** Once under a lease: nobody else leaves anything meanwhile. */
  async function recoverOnce(id: string): Promise<void> {
    if (isRecovered) return
    await recover(id)
    isRecovered = shared !== null
  }

  async function assertLeased(): Promise<void> {
    await shared?.assertHeld()
  }

  async function putInPlace(part: string, name: string, put: PutOptions): Promise<void> {
    if (put.ifAbsent) {
      await files.link(part, name)
      await files.remove(part)
      return
    }
    if (put.ifVersion !== undefined && (await files.stat(name))?.version !== put.ifVersion) {
      throw new AppError('changed-meanwhile', `${name} was changed by somebody else. It was left as it is.`, {
        hint: 'Look at it again, then repeat this.',
        details: { name },
      })
    }
    await files.rename(part, name)
  }

  return {
    kind,
    place: files.place,
    files,
    recover,
    assertLeased,
    capabilities: { rename: true, conditionalPut: true, ranges: true, append: true },

    async list(signal) {
      const found = await files.list(signal)
      if (found.length === 0) await files.reach()
      return found.filter(({ name }) => !isOurs(name))
    },

    async stat(name) {
      assertPlainName(name)
      const facts = await files.stat(name)
      if (facts === null) await files.reach()
      return facts
    },

    async read(name, readOptions = {}) {
      assertPlainName(name)
      return files.read(name, readOptions)
    },

    async put(name, body, put = {}) {
      let part: string | null = null
      try {
        assertWritable(name)
        await files.prepare()
        part = partName(name, newWriteId())
        const hash = createHash('sha256')
        await files.write(part, Readable.from(hashed(body, hash, put.signal), { objectMode: false }), { signal: put.signal })
        const found = hash.digest('hex')
        if (put.sha256 !== undefined && found !== put.sha256) throw hashDiffers(name, put.sha256, found)
        await putInPlace(part, name, put)
      } catch (error) {
        body.destroy()
        if (part) await files.remove(part).catch(() => {})
        throw error
      }
      await files.sync()
      const facts = await files.stat(name)
      if (facts) return facts
      throw new AppError('changed-meanwhile', `${name} was removed by somebody else right after it was written.`, {})
    },

    async remove(name) {
      assertWritable(name)
      if ((await this.stat(name)) === null) return
      await files.remove(name)
      await files.sync()
    },

    async readIndex() {
      return (await this.readIndexDocument()).entries
    },

    async readIndexDocument() {
      const { document, file } = await readIndexFile(files)
      if (file === null) await files.reach()
      return document
    },

    async updateIndex(change) {
      await files.prepare()
      await assertLeased()
      await updateIndexFile(files, change)
    },

    async lease(signal) {
      const turn = await takeTurn(locks, `${kind}:${files.place}`, signal)
      if (files.owner === 'home') return turn
      try {
        await files.reach()
        const lease = await takeLeaseFile(files, { signal, waitMs: leaseWaitMs })
        shared = lease
        isRecovered = false
        return {
          async release() {
            if (shared === lease) shared = null
            await lease.release()
            await turn.release()
          },
        }
      } catch (error) {
        await turn.release()
        throw error
      }
    },

    async openSlot(slot) {
      const writing = storeSlot(files, slot, assertLeased)
      await files.reach()
      await recoverOnce(slot.id)
      return writing
    },

    async removeSlot(slot) {
      await files.reach()
      await recoverOnce(newWriteId())
      await removeRotationSlot(files, slot, assertLeased)
    },
  }
}

async function* hashed(
  body: Readable,
  hash: ReturnType<typeof createHash>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const chunks: AsyncIterator<Uint8Array | string> = body[Symbol.asyncIterator]()
  for (;;) {
    const next = await orAborted(chunks.next(), signal)
    if (next.done) return
    const bytes = typeof next.value === 'string' ? Buffer.from(next.value) : next.value
    hash.update(bytes)
    yield bytes
  }
}

function hashDiffers(name: string, wanted: string, found: string): AppError {
  return new AppError('hash-differs', `${name} did not arrive as it was sent: its SHA-256 differs. It was not put in place.`, {
    hint: 'Try again; if it happens again, verify the source.',
    details: { name, wanted, found },
  })
}
