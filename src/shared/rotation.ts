/**
 * Rotation: which slot a night's backup goes to. Source: docs/formats.md, "Backup directory".
 * All by the UTC date.
 */

export type RotationScheme = 'manual' | 'server'

export const DAY_MS = 86_400_000
/** Days from year 0 to 1970-01-01, as Erlang's calendar counts them. */
const GREGORIAN_EPOCH_DAYS = 719_528
const SLOT = /^(?:[1-7]|w[0-4])$/
const KEPT = /^(.+)-(safety|pinned)-\d{14}$/
/** After this many days every slot of every scheme had its turn. */
const LONGEST_TURN_DAYS = 35

/** Days since year 0 of a UTC moment. */
export function gregorianDays(date: Date): number {
  return Math.floor(date.getTime() / DAY_MS) + GREGORIAN_EPOCH_DAYS
}

/**
 * The slot of a moment.
 * `server`: Monday = 1 .. Saturday = 6, Sunday = w0..w4 by `floor(gregorianDays / 7) mod 5`.
 * `manual`: Monday = 2 .. Saturday = 7, Sunday (day 1) = w1..w4 in turn.
 */
export function slotFor(scheme: RotationScheme, date: Date): string {
  const day = date.getUTCDay()
  const week = Math.floor(gregorianDays(date) / 7)
  if (scheme === 'server') return day === 0 ? `w${week % 5}` : String(day)
  return day === 0 ? `w${(week % 4) + 1}` : String(day + 1)
}

/** The slot in a backup's name, or null for a name outside the rotation (safety, pinned, foreign). */
export function slotOf(site: string, name: string): string | null {
  if (!name.startsWith(`${site}-`)) return null
  const slot = name.slice(site.length + 1)
  return SLOT.test(slot) ? slot : null
}

/** Splits `SITE-SLOT` without knowing the site; null when it is no rotation name. */
export function splitBackupName(name: string): { site: string; slot: string } | null {
  const dash = name.lastIndexOf('-')
  if (dash <= 0) return null
  const slot = name.slice(dash + 1)
  return SLOT.test(slot) ? { site: name.slice(0, dash), slot } : null
}

/**
 * The scheme that made an index, seen from the weekdays of its entries; null when they do not tell.
 * An entry counts only for a scheme that would have given it exactly that slot; the newest telling entry decides.
 */
export function schemeOf(entries: Iterable<{ slot: string | null; timestamp: Date }>): RotationScheme | null {
  const newestFirst = [...entries].sort((a, b) => b.timestamp.getTime() - a.timestamp.getTime())
  for (const { slot, timestamp } of newestFirst) {
    if (slot === null) continue
    const server = slotFor('server', timestamp) === slot
    const manual = slotFor('manual', timestamp) === slot
    if (server !== manual) return server ? 'server' : 'manual'
  }
  return null
}

/** The UTC date of a moment: `2026-11-23`. */
export function utcDate(moment: Date): string {
  return moment.toISOString().slice(0, 10)
}

/** The first UTC date from that of `from` on whose night goes to the slot; null: this scheme never writes it. */
export function nextDateOf(scheme: RotationScheme, slot: string, from: Date): string | null {
  for (let days = 0; days < LONGEST_TURN_DAYS; days += 1) {
    const day = new Date(from.getTime() + days * DAY_MS)
    if (slotFor(scheme, day) === slot) return utcDate(day)
  }
  return null
}

/** Backups that the rotation never touches. They live in the vault only. */
export type KeptKind = 'safety' | 'pinned'

/** `SITE-safety-YYYYMMDDHHMMSS`, `SITE-pinned-YYYYMMDDHHMMSS`, by UTC. */
export function keptName(site: string, kind: KeptKind, moment: Date): string {
  return `${site}-${kind}-${moment.toISOString().replace(/\D/g, '').slice(0, 14)}`
}

/** Whether a name is that of a safety or pinned backup. @param site null: of any site */
export function keptKindOf(site: string | null, name: string): KeptKind | null {
  const [, owner, kind] = KEPT.exec(name) ?? []
  if (owner === undefined || (site !== null && owner !== site)) return null
  return kind === 'pinned' ? 'pinned' : 'safety'
}
