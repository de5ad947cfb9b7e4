import { setTimeout as sleep } from 'node:timers/promises'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { AppError } from '#shared/errors.ts'
import type { S3Connection } from '../../connections/s3/connection.ts'
import { isUnmet } from '../../connections/s3/errors.ts'
import { orAborted } from '../../or-aborted.ts'
import { asOurs, busy, isGone, type LeaseOptions, type LeaseOwner, letGo, newOwner, ownerOf, RELEASE_MS } from '../lease-file.ts'
import { LEASE_FILE } from '../names.ts'
import { hasCode } from '../repository-files.ts'
import type { Lease } from '../types.ts'
import { readText } from './index-object.ts'
import { orNull, putObject, removeObject } from './objects.ts'

const HEARTBEAT_MS = 20_000
const DEAD_MS = 90_000
/** Who put a lease without the server's help is its holder when it is still there by then. */
const SETTLE_MS = 1500
const LONGEST_PAUSE_MS = 2000
const MAX_LEASE_BYTES = 4096

/** The lease of a filestore. */
export interface ObjectLease extends Lease {
  /** @throws AppError `lease-lost`: it was taken by somebody else, after this computer slept or was cut off for a while */
  assertHeld(): Promise<void>
}

/**
 * Takes the lease of a filestore: an object that only one can create, where the server knows `If-None-Match`; else the one that was put last.
 * It is put anew every 20 s; one that was not for 90 s, by the server's clock, or whose process is seen to be gone, is taken over.
 * Of this home folder's programs only one may ask at a time (see locks). Source: docs/formats.md, "Filestore".
 * @param options.waitMs how long another computer is waited for
 * @throws AppError `repository-busy` naming who holds it; `cancelled` or the signal's reason; those of the connection
 */
export async function takeLeaseObject(s3: S3Connection, options: LeaseOptions): Promise<ObjectLease> {
  const owner = newOwner()
  return asOurs(owner, () => takeAs(owner, s3, options))
}

async function takeAs(owner: LeaseOwner, s3: S3Connection, { signal, waitMs }: LeaseOptions): Promise<ObjectLease> {
  const began = performance.now()
  for (let pause = 200; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    signal?.throwIfAborted()
    const present = await look(s3, signal)
    const isFree = present === null || isDead(s3, present)
    const version = isFree ? await tryTake(s3, owner, present, signal) : null
    if (version !== null) return hold(s3, owner, version)
    if (!isFree && performance.now() - began > waitMs) throw busy(s3.place, present.owner)
    await wait(pause, signal)
  }
}

interface Present {
  owner: LeaseOwner | null
  isReleased: boolean
  version: string
  /** By the server's clock. */
  modified: Date
}

async function look(s3: S3Connection, signal?: AbortSignal): Promise<Present | null> {
  const object = await readText(s3, LEASE_FILE, MAX_LEASE_BYTES, signal)
  if (object === null) return null
  const { version, modified, text } = object
  return { owner: ownerOf(text), isReleased: /"released":true/.test(text), version, modified }
}

function isDead(s3: S3Connection, { owner, isReleased, modified }: Present): boolean {
  return isReleased || isGone(owner) || Date.now() + (s3.clockDifference ?? 0) - modified.getTime() > DEAD_MS
}

/** The version that was put; null: somebody else was quicker. */
async function tryTake(
  s3: S3Connection,
  owner: LeaseOwner,
  present: Present | null,
  signal: AbortSignal | undefined,
): Promise<string | null> {
  const bytes = textOf(owner)
  const expected = present === null ? 'absent' : { version: present.version }
  let version: string
  try {
    version = await putObject(s3, LEASE_FILE, bytes, { expected, signal })
  } catch (error) {
    if (hasCode(error, 'exists') || hasCode(error, 'changed-meanwhile')) return null
    throw error
  }
  if (present === null) {
    if (s3.traits.ifNoneMatch === 'unknown') s3.traits.ifNoneMatch = (await refusesSecond(s3, bytes, signal)) ? 'yes' : 'no'
    if (s3.traits.ifNoneMatch === 'yes') return version
  }
  await wait(SETTLE_MS, signal)
  return (await look(s3, signal))?.owner?.token === owner.token ? version : null
}

/** Whether the server keeps what is there when it is told to: it may as well not know the condition and overwrite. */
async function refusesSecond(s3: S3Connection, bytes: Buffer, signal: AbortSignal | undefined): Promise<boolean> {
  const answer = await orNull(
    s3.send(
      `write ${LEASE_FILE}`,
      async ({ client, options }) =>
        client.send(
          new PutObjectCommand({ Bucket: s3.bucket, Key: s3.keyOf(LEASE_FILE), Body: bytes, IfNoneMatch: '*' }),
          options,
        ),
      { signal, isExpected: isUnmet },
    ),
    isUnmet,
  )
  return answer === null
}

function hold(s3: S3Connection, owner: LeaseOwner, taken: string): ObjectLease {
  let version = taken
  let beats = 0
  let isLost = false
  let beating: Promise<void> = Promise.resolve()

  async function renew(): Promise<void> {
    beats += 1
    const signal = AbortSignal.timeout(HEARTBEAT_MS)
    try {
      version = await putObject(s3, LEASE_FILE, textOf(owner, { beats }), { expected: { version }, signal })
    } catch (error) {
      // a cut connection comes back; whether the lease is still ours is asked before it matters
      if (!hasCode(error, 'changed-meanwhile')) return
      // a beat whose answer was lost may have been put all the same
      const present = await look(s3, signal).catch(() => undefined)
      if (present?.owner?.token === owner.token) version = present.version
      else isLost = present !== undefined
    }
  }

  const beat = setInterval(() => {
    beating = beating.then(() => (isLost ? undefined : renew()))
  }, HEARTBEAT_MS)
  beat.unref()

  return {
    async assertHeld() {
      await beating
      if (!isLost && (await look(s3))?.owner?.token === owner.token) return
      isLost = true
      throw new AppError(
        'lease-lost',
        `Another program took over ${s3.place}, because this computer was not heard of for a while. What was stored so far stays there; nothing was put in place.`,
        { hint: 'Start the transfer again: it goes on where it was.', details: { place: s3.place } },
      )
    },
    async release() {
      if (!letGo(owner.token)) return
      clearInterval(beat)
      const signal = AbortSignal.timeout(RELEASE_MS)
      try {
        await orAborted(beating, signal)
        if (isLost || (await look(s3, signal))?.owner?.token !== owner.token) return
        await removeObject(s3, LEASE_FILE, signal).catch(async (error: unknown) => {
          if (!hasCode(error, 'filestore-forbidden')) throw error
          await putObject(s3, LEASE_FILE, textOf(owner, { released: true }), { expected: 'anything', signal })
        })
      } catch {
        // one that can't be given back, for want of a connection, dies by itself
      }
    },
  }
}

function textOf(owner: LeaseOwner, more: Record<string, unknown> = {}): Buffer {
  return Buffer.from(JSON.stringify({ ...owner, ...more }))
}

async function wait(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(milliseconds, undefined, signal ? { signal } : {}).catch(() => {
    throw new AppError('cancelled', 'Cancelled while waiting for its turn. Nothing was changed.')
  })
}
