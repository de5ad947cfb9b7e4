import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { AppError } from '#shared/errors.ts'
import { formatMomentLong } from '#shared/format.ts'
import { orAborted } from '../or-aborted.ts'
import { isAlive, ownIdentity } from '../process-identity.ts'
import { LEASE_FILE } from './names.ts'
import { hasCode, type RepositoryFiles } from './repository-files.ts'
import type { Lease } from './types.ts'

const HEARTBEAT_MS = 10_000
const DEAD_MS = 60_000
/** Always as long, so that a heartbeat can rewrite the last byte of whatever lease is there without harm. */
const LEASE_BYTES = 1024
const LONGEST_PAUSE_MS = 2000
/** Who is done, or was cancelled, waits no longer for a server that does not answer. */
export const RELEASE_MS = 5000

const ownerSchema = z.object({
  token: z.string().max(64),
  host: z.string().max(255),
  /** Tells the process apart from all others of its computer; null: that system does not tell. */
  machine: z.string().max(64).nullable(),
  pid: z.int(),
  start: z.string().max(64).nullable(),
  since: z.iso.datetime(),
})

export type LeaseOwner = z.infer<typeof ownerSchema>

/** The lease of a folder that several computers write to. */
export interface FileLease extends Lease {
  /** @throws AppError `lease-lost`: it was taken by somebody else, after this computer slept or was cut off for a minute */
  assertHeld(): Promise<void>
}

/** Tokens of the leases that this process holds, or is just taking: one that is being written is nobody's that is gone. */
const ours = new Set<string>()

/** Tries to take a lease as `owner`, whose token counts as ours until it is let go of. @throws what `take` throws: then it is not ours */
export async function asOurs<L>(owner: LeaseOwner, take: () => Promise<L>): Promise<L> {
  ours.add(owner.token)
  try {
    return await take()
  } catch (error) {
    ours.delete(owner.token)
    throw error
  }
}

/** False: it was let go of already. */
export function letGo(token: string): boolean {
  return ours.delete(token)
}

/**
 * Takes the lease of a folder: a file that only one can create. Its time of change beats every 10 s; one that did not beat
 * for a minute, by the clock of the computer that has the folder, or whose process is seen to be gone, is broken.
 * Of this home folder's programs only one may ask at a time (see locks). Source: docs/formats.md, "Files of Backup Desk in a repository".
 * @param options.waitMs how long another computer is waited for
 * @throws AppError `repository-busy` naming who holds it; `cancelled` or the signal's reason; what creating a file there throws
 */
export async function takeLeaseFile(files: RepositoryFiles, options: LeaseOptions): Promise<FileLease> {
  const owner = newOwner()
  return asOurs(owner, () => takeAs(owner, files, options))
}

/** How a lease is waited for. */
export interface LeaseOptions {
  signal?: AbortSignal | undefined
  waitMs: number
}

async function takeAs(owner: LeaseOwner, files: RepositoryFiles, { signal, waitMs }: LeaseOptions): Promise<FileLease> {
  const text = `${JSON.stringify(owner).padEnd(LEASE_BYTES - 1)}\n`
  const began = performance.now()
  /** Of the folder's clock over one of ours that nobody sets. */
  let clockLead: number | null = null
  for (let pause = 100; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    signal?.throwIfAborted()
    if (await isCreated(files, text)) return hold(files, owner.token)
    const present = await look(files)
    if (present === null) continue
    clockLead ??= (await files.now()) - performance.now()
    if (performance.now() + clockLead - present.modified > DEAD_MS || isGone(present.owner)) {
      await breakLease(files, present)
      continue
    }
    if (performance.now() - began > waitMs) throw busy(files.place, present.owner)
    await sleep(pause, undefined, signal ? { signal } : {}).catch(() => {
      throw new AppError('cancelled', 'Cancelled while waiting for its turn. Nothing was changed.')
    })
  }
}

interface Present {
  owner: LeaseOwner | null
  text: string
  version: string
  /** Unix milliseconds by the folder's clock. */
  modified: number
}

async function isCreated(files: RepositoryFiles, text: string): Promise<boolean> {
  try {
    await files.create(LEASE_FILE, text)
    return true
  } catch (error) {
    if (hasCode(error, 'exists')) return false
    throw error
  }
}

/** null: it came or went at that very moment. */
async function look(files: RepositoryFiles): Promise<Present | null> {
  const facts = await files.stat(LEASE_FILE)
  const file = await files.readText(LEASE_FILE, LEASE_BYTES).catch((error: unknown) => {
    if (hasCode(error, 'changed-while-reading')) return null
    throw error
  })
  // the age of one must not be taken for that of another
  if (!facts || !file || facts.version !== file.version) return null
  return { owner: ownerOf(file.text), text: file.text, version: file.version, modified: facts.modified.getTime() }
}

/** null: it is just being written, or by something else than us. */
export function ownerOf(text: string): LeaseOwner | null {
  try {
    return ownerSchema.parse(JSON.parse(text))
  } catch {
    return null
  }
}

/** Renamed first: of two who break it only one finds it. What turns out to be another lease by then is put back. */
async function breakLease(files: RepositoryFiles, dead: Present): Promise<void> {
  const aside = `${LEASE_FILE}.${randomBytes(8).toString('hex')}`
  try {
    await files.rename(LEASE_FILE, aside)
  } catch (error) {
    if (hasCode(error, 'not-found')) return
    throw error
  }
  const taken = await files.readText(aside, LEASE_BYTES)
  if (taken && (taken.text !== dead.text || taken.version !== dead.version)) {
    await files.link(aside, LEASE_FILE).catch((error: unknown) => {
      if (!hasCode(error, 'exists')) throw error
    })
  }
  await files.remove(aside)
}

function hold(files: RepositoryFiles, token: string): FileLease {
  const beat = setInterval(() => {
    // a cut connection comes back; whether the lease is still ours is asked before it matters
    files.touch(LEASE_FILE, LEASE_BYTES).catch(() => {})
  }, HEARTBEAT_MS)
  beat.unref()

  async function isOurs(): Promise<boolean> {
    const file = await files.readText(LEASE_FILE, LEASE_BYTES)
    return file !== null && ownerOf(file.text)?.token === token
  }

  return {
    async assertHeld() {
      // somebody who breaks a dead lease may just be putting back ours
      for (let tried = 0; tried < 3; tried += 1) {
        if (tried > 0) await sleep(500)
        if (!(await isOurs())) continue
        await files.touch(LEASE_FILE, LEASE_BYTES).catch(() => {})
        return
      }
      // it would keep the lease of the other one alive
      clearInterval(beat)
      throw new AppError(
        'lease-lost',
        `Another program took over ${files.place}, because this computer was not heard of for a minute. What was stored so far stays there; nothing was put in place.`,
        { hint: 'Start the transfer again: it goes on where it was.', details: { place: files.place } },
      )
    },
    async release() {
      if (!letGo(token)) return
      clearInterval(beat)
      // one that can't be removed, for want of a connection, dies by itself
      const limit = AbortSignal.timeout(RELEASE_MS)
      if (await orAborted(isOurs(), limit).catch(() => false)) await orAborted(files.remove(LEASE_FILE), limit).catch(() => {})
    },
  }
}

export function newOwner(): LeaseOwner {
  const since = new Date().toISOString()
  return {
    token: randomBytes(16).toString('hex'),
    host: hostname().slice(0, 255),
    machine: machineId(),
    ...ownIdentity(),
    since,
  }
}

/** Whether the process that took it is known to be gone, or is this one, which has given it up. */
export function isGone(owner: LeaseOwner | null): boolean {
  if (!owner || owner.machine === null || owner.start === null || owner.machine !== machineId()) return false
  return owner.pid === process.pid && isAlive(owner) ? !ours.has(owner.token) : !isAlive(owner)
}

/** The same for processes that can see each other only: containers of one computer differ. null: this system does not tell. */
function machineId(): string | null {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    const processes = readlinkSync('/proc/self/ns/pid')
    return createHash('sha256').update(`${hostname()} ${boot} ${processes}`).digest('hex').slice(0, 32)
  } catch {
    return null
  }
}

export function busy(place: string, owner: LeaseOwner | null): AppError {
  const who = owner ? `Backup Desk on ${owner.host}, since ${formatMomentLong(new Date(owner.since))}` : 'another program'
  return new AppError('repository-busy', `${place} is in use by ${who}. Nothing was changed.`, {
    hint: 'Try again when it is done. A program that died is noticed within a minute.',
    details: { place, host: owner?.host ?? null, since: owner?.since ?? null },
  })
}
