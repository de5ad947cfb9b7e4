import { slotFor } from '#shared/rotation.ts'
import { SITE_NAME } from '../content/site.ts'
import { SeededRandom } from '../random.ts'

/** A night whose backup is still there. */
export interface Night {
  /** When the server began: shortly after three, UTC. */
  at: Date
  /** `demo-3`. */
  name: string
  isEncrypted: boolean
  /** On weekdays the media were mostly left out. */
  databaseOnly: boolean
}

const DAY_MS = 86_400_000
const NIGHTS = 21
const ENCRYPTED_NIGHTS = 3

/**
 * The nights of the last three weeks whose backups a server's rotation has kept: the newest of each weekday and the
 * Sundays; oldest first. The last three are encrypted. Source: docs/formats.md, "Backup directory".
 */
export function keptNights(now: Date): Night[] {
  const random = new SeededRandom(301)
  const today = Math.floor(now.getTime() / DAY_MS) * DAY_MS
  const nights = new Map<string, Night>()
  for (let age = 0; age < NIGHTS + 1; age++) {
    const at = new Date(today - age * DAY_MS + (3 * 60 + random.whole(1, 4)) * 60_000 + random.whole(0, 59) * 1000)
    if (at.getTime() > now.getTime() - 60_000 || nights.size >= 9) continue
    const name = `${SITE_NAME}-${slotFor('server', at)}`
    if (nights.has(name)) continue
    const order = nights.size
    nights.set(name, {
      at,
      name,
      isEncrypted: order < ENCRYPTED_NIGHTS,
      databaseOnly: at.getUTCDay() !== 0 && order !== 0 && order !== 3,
    })
  }
  return [...nights.values()].reverse()
}

/** When encryption was switched on: between the last plain and the first encrypted night. */
export function encryptionStart(nights: Night[]): Date {
  const first = nights.find(({ isEncrypted }) => isEncrypted)
  return new Date((first?.at.getTime() ?? Date.now()) - 14 * 3_600_000)
}
