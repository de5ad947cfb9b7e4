import type { Locks } from '../locks.ts'
import { orAborted } from '../or-aborted.ts'
import type { Lease } from './types.ts'

const turns = new Map<string, Promise<void>>()

/** Waits until no other program of this home folder, or without locks nothing else in this process, works on the resource. */
export async function takeTurn(locks: Locks | undefined, resource: string, signal: AbortSignal | undefined): Promise<Lease> {
  if (locks) return locks.acquire(resource, signal ? { signal } : {})
  const before = turns.get(resource) ?? Promise.resolve()
  let free: () => void = () => {}
  const mine = new Promise<void>((settle) => {
    free = settle
  })
  const chain = before.then(() => mine)
  turns.set(resource, chain)
  const release = async () => {
    free()
    if (turns.get(resource) === chain) turns.delete(resource)
  }
  try {
    await orAborted(before, signal)
  } catch (error) {
    // whoever comes next still waits for those before
    chain.then(release, release)
    free()
    throw error
  }
  return { release }
}
