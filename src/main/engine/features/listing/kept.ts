import type { BackupEntry } from '#shared/model/backup.ts'
import { DAY_MS, keptKindOf, nextDateOf, type RotationScheme } from '#shared/rotation.ts'

const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']

/**
 * Why a backup is kept, and which night replaces it: the next one that the rotation of its repository gives the same
 * slot. A slot is only replaced by a newer backup. Source: docs/formats.md, "Slots".
 * @param slot null: a name outside of the rotation
 */
export function whyKept(
  name: string,
  slot: string | null,
  made: Date,
  { site, scheme, now }: { site: string | null; scheme: RotationScheme; now: Date },
): BackupEntry['kept'] {
  if (slot === null) {
    const kind = keptKindOf(site, name)
    return { reason: kind ?? 'outside', text: kind ?? 'outside the rotation', replacedOn: null }
  }
  const dayAfter = new Date(made.getTime() + DAY_MS)
  const replacedOn = nextDateOf(scheme, slot, dayAfter > now ? dayAfter : now)
  if (slot.startsWith('w')) return { reason: 'week', text: `week ${slot.slice(1)}`, replacedOn }
  return { reason: 'day', text: WEEKDAYS[made.getUTCDay()] ?? '', replacedOn }
}
