import { AppError } from '#shared/errors.ts'
import { formatMomentLong } from '#shared/format.ts'
import type { FilestoreSettings } from '#shared/model/site.ts'
import { splitBackupName } from '#shared/rotation.ts'
import { openS3, type S3Connection, type S3Patience } from '../../connections/s3/connection.ts'
import type { Locks } from '../../locks.ts'
import { assertPlainName, showName } from '../names.ts'
import { assertWritable } from '../repository-files.ts'
import { takeTurn } from '../turn.ts'
import type { Repository } from '../types.ts'
import { recoverUploads, removeReplaced } from './finish-slot.ts'
import { readIndexObject, updateIndexObject } from './index-object.ts'
import { type ObjectLease, takeLeaseObject } from './lease-object.ts'
import { listObjects, removeObject, statObject } from './objects.ts'
import { putFile } from './put-file.ts'
import { openPutRecords } from './put-record.ts'
import { readObject } from './read-object.ts'
import { storeSlot } from './store-slot.ts'
import { openUploadRecords, storeIdOf } from './upload-record.ts'

/** A repository in an S3-compatible bucket. */
export interface S3Repository extends Repository {
  readonly kind: 's3'
  readonly connection: S3Connection
}

export interface S3RepositoryOptions {
  settings: FilestoreSettings
  /** The secret key. */
  secret: string
  /** Locks between our own programs on this computer; without them a lease holds within this process only. */
  locks?: Locks | undefined
  /** The home folder's `transfers/`. */
  transfers: string
  /** How long another computer's lease is waited for; default 2 minutes. */
  leaseWaitMs?: number | undefined
  patience?: S3Patience | undefined
}

const LEASE_WAIT_MS = 120_000

/**
 * Opens the backups of a filestore, `PREFIX/backup/`; nothing is sent yet. Source: docs/formats.md, "Filestore".
 * @throws AppError `ca-unreadable`
 */
export async function openS3Repository(options: S3RepositoryOptions): Promise<S3Repository> {
  const { locks, transfers, leaseWaitMs = LEASE_WAIT_MS } = options
  const s3 = await openS3(options)
  const store = storeIdOf(s3)
  const records = openUploadRecords(transfers, store)
  const puts = openPutRecords(s3, transfers, store)
  let shared: ObjectLease | null = null

  async function assertLeased(): Promise<void> {
    await shared?.assertHeld()
  }

  return {
    kind: 's3',
    place: s3.place,
    connection: s3,
    capabilities: {
      rename: false,
      get conditionalPut() {
        return s3.traits.ifNoneMatch !== 'no'
      },
      ranges: true,
      append: false,
    },

    list: (signal) => listObjects(s3, signal),

    async stat(name) {
      assertPlainName(name)
      return statObject(s3, name)
    },

    async read(name, read = {}) {
      assertPlainName(name)
      return readObject(s3, name, read)
    },

    async put(name, body, put = {}) {
      try {
        assertWritable(name)
      } catch (error) {
        body.destroy()
        throw error
      }
      return putFile({ s3, puts }, name, body, put)
    },

    async remove(name) {
      assertWritable(name)
      await removeObject(s3, name)
    },

    async readIndex() {
      return (await readIndexObject(s3)).document.entries
    },

    async readIndexDocument() {
      return (await readIndexObject(s3)).document
    },

    async updateIndex(change) {
      await assertLeased()
      await updateIndexObject(s3, change)
    },

    async lease(signal) {
      const turn = await takeTurn(locks, `s3:${store}`, signal)
      try {
        const lease = await takeLeaseObject(s3, { signal, waitMs: leaseWaitMs })
        shared = lease
        const release = async () => {
          if (shared === lease) shared = null
          await lease.release()
          await turn.release()
        }
        await recoverUploads(s3, records).catch(async (error: unknown) => {
          await release()
          throw error
        })
        // what stays is seen by nobody, and keeps nobody from writing
        await puts.recover().catch(() => {})
        return { release }
      } catch (error) {
        await turn.release()
        throw error
      }
    },

    openSlot: (slot) => storeSlot(s3, records, slot, assertLeased),

    async removeSlot({ name, timestamp }) {
      if (splitBackupName(name) === null) {
        throw new AppError('not-removable', `${showName(name)} is no rotation slot. Nothing was removed.`, {
          hint: 'Safety and pinned backups are removed one by one, in the vault.',
          details: { name },
        })
      }
      const oldEntry = (await readIndexObject(s3)).document.entries.get(name)
      if (oldEntry?.timestamp !== timestamp) {
        throw new AppError(
          'unknown-backup',
          `There is no ${showName(name)} of ${formatMomentLong(new Date(timestamp * 1000))} in ${s3.place}. Nothing was removed.`,
          { hint: 'See the list of backups.', details: { name } },
        )
      }
      await assertLeased()
      await updateIndexObject(s3, (index) => {
        if (index.get(name)?.timestamp === timestamp) index.delete(name)
      })
      await removeReplaced(s3, { name, oldEntry, entries: (await readIndexObject(s3)).document.entries })
    },
  }
}
