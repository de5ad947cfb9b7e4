import { createHash } from 'node:crypto'
import { readFile, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { AppError } from '#shared/errors.ts'
import { writeFileAtomic } from './files/atomic.ts'
import { isAlive, ownIdentity } from './process-identity.ts'

const HEARTBEAT_MS = 5000
/** Where a process start time cannot be had, a lock that did not beat for this long is taken as left behind. */
const STALE_MS = 60_000

const ownerSchema = z.object({
  resource: z.string(),
  program: z.string(),
  pid: z.int(),
  start: z.string().nullable(),
  since: z.string(),
})

export type LockOwner = z.infer<typeof ownerSchema>

export interface Lock {
  release(): Promise<void>
}

/** Locks between programs of this computer: window and `zbd` share a home folder (docs/formats.md, "Home folder"). */
export interface Locks {
  /**
   * Waits until the resource is free.
   * @throws AppError `cancelled` when `signal` aborts while waiting
   */
  acquire(resource: string, options?: { signal?: AbortSignal; onWait?: (owner: LockOwner | null) => void }): Promise<Lock>
  /** null: somebody alive holds it. */
  tryAcquire(resource: string): Promise<Lock | null>
  ownerOf(resource: string): Promise<LockOwner | null>
}

export function openLocks(folder: string, program: string): Locks {
  const fileOf = (resource: string) => {
    const readable = resource.replace(/[^a-zA-Z0-9._-]/g, '_').slice(0, 60)
    return join(folder, `${readable}-${createHash('sha256').update(resource).digest('hex').slice(0, 12)}`)
  }

  async function ownerOf(resource: string): Promise<LockOwner | null> {
    try {
      return ownerSchema.parse(JSON.parse(await readFile(fileOf(resource), 'utf8')))
    } catch {
      return null
    }
  }

  async function isLeftBehind(file: string, owner: LockOwner | null): Promise<boolean> {
    if (owner?.start) return !isAlive(owner)
    if (owner && !isAlive(owner)) return true
    const beat = await stat(file).catch(() => null)
    return beat !== null && Date.now() - beat.mtimeMs > STALE_MS
  }

  /** Two programs must not both find it left behind and the slower one remove the quicker one's new lock. */
  async function breakIfLeftBehind(resource: string): Promise<void> {
    const file = fileOf(resource)
    if (!(await isLeftBehind(file, await ownerOf(resource)))) return
    const guard = `${file}.break`
    try {
      await writeFileAtomic(guard, '', { ifAbsent: true })
    } catch {
      const made = await stat(guard).catch(() => null)
      if (made && Date.now() - made.mtimeMs > 10_000) await rm(guard, { force: true })
      return
    }
    try {
      if (await isLeftBehind(file, await ownerOf(resource))) await rm(file, { force: true })
    } finally {
      await rm(guard, { force: true })
    }
  }

  async function tryAcquire(resource: string): Promise<Lock | null> {
    const file = fileOf(resource)
    await breakIfLeftBehind(resource)
    const owner: LockOwner = { resource, program, ...ownIdentity(), since: new Date().toISOString() }
    try {
      await writeFileAtomic(file, JSON.stringify(owner), { ifAbsent: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return null
      throw error
    }
    const beat = setInterval(() => {
      const now = new Date()
      utimes(file, now, now).catch(() => {})
    }, HEARTBEAT_MS)
    beat.unref()
    let released = false
    return {
      async release() {
        if (released) return
        released = true
        clearInterval(beat)
        await rm(file, { force: true })
      },
    }
  }

  return {
    tryAcquire,
    ownerOf,
    async acquire(resource, options = {}) {
      let pause = 20
      for (;;) {
        options.signal?.throwIfAborted()
        const lock = await tryAcquire(resource)
        if (lock) return lock
        options.onWait?.(await ownerOf(resource))
        await sleep(pause, undefined, options.signal ? { signal: options.signal } : {}).catch(() => {
          throw new AppError('cancelled', 'Cancelled while waiting for its turn. Nothing was changed.')
        })
        pause = Math.min(pause * 2, 500)
      }
    },
  }
}
