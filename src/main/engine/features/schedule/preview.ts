import type { ComingNight } from '#shared/contract/schedule.ts'
import { isoSeconds } from '#shared/format.ts'
import { DAY_MS, type RotationScheme, slotFor, utcDate } from '#shared/rotation.ts'

/** A backup that is in a repository now. */
export interface PresentBackup {
  name: string
  made: Date
  /** As stored. */
  bytes: number
}

/**
 * Which file each of the coming nights writes and what that replaces, when all of them run.
 * @param first when the first of them starts
 * @param present the backups of the repository by NAME
 */
export function comingNights(
  site: string,
  scheme: RotationScheme,
  first: Date,
  count: number,
  present: ReadonlyMap<string, PresentBackup>,
): ComingNight[] {
  const slots = new Map<string, NonNullable<ComingNight['replaces']>>(
    [...present].map(([name, { made, bytes }]) => [name, { name, timestamp: isoSeconds(made), bytes }]),
  )
  const nights: ComingNight[] = []
  for (let turn = 0; turn < count; turn += 1) {
    const at = new Date(first.getTime() + turn * DAY_MS)
    const slot = slotFor(scheme, at)
    const name = `${site}-${slot}`
    nights.push({ date: utcDate(at), slot, name, replaces: slots.get(name) ?? null })
    slots.set(name, { name, timestamp: isoSeconds(at), bytes: null })
  }
  return nights
}
