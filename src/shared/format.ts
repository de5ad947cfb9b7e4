/** The one place where sizes, dates, durations and counts become words. */

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** Decimal units with three digits: `36.4 kB`, `1.31 GB`, `812 B`. */
export function formatBytes(bytes: number): string {
  let value = Math.max(0, bytes)
  let unit = 0
  while (unit < UNITS.length - 1 && value >= (unit === 0 ? 1000 : 999.5)) {
    value /= 1000
    unit += 1
  }
  if (unit === 0) return `${Math.round(value)} B`
  const digits = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2
  return `${value.toFixed(digits)} ${UNITS[unit]}`
}

/** `61.0 MB/s`, `1,204 rows/s`. */
export function formatRate(rate: number, unit: 'bytes' | 'rows' | 'files' | 'steps'): string {
  return unit === 'bytes' ? `${formatBytes(rate)}/s` : `${formatCount(Math.round(rate))} ${unit}/s`
}

/** `12,846`. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US')
}

/**
 * The first of many names: `a, b, c and 7 more`.
 * @param shown how many are named
 * @param count how many there are, when `names` has not all of them
 */
export function formatSome(names: readonly string[], shown: number, count: number = names.length): string {
  const named = names.slice(0, shown)
  const rest = count - named.length
  return named.join(', ') + (rest > 0 ? ` and ${formatCount(rest)} more` : '')
}

/** An age or a span in two units at most: `6 h 40 m`, `2 d 6 h`, `45 s`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  if (whole === 0 && seconds > 0) return 'under 1 s'
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} m`
  if (whole < 86_400) {
    const minutes = Math.floor((whole % 3600) / 60)
    return minutes ? `${Math.floor(whole / 3600)} h ${String(minutes).padStart(2, '0')} m` : `${Math.floor(whole / 3600)} h`
  }
  const hours = Math.floor((whole % 86_400) / 3600)
  return hours ? `${Math.floor(whole / 86_400)} d ${hours} h` : `${Math.floor(whole / 86_400)} d`
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}

/** `Sat 21 Nov 03:01` (UTC). */
export function formatMoment(iso: string | Date): string {
  const date = new Date(iso)
  return `${DAYS[date.getUTCDay()]} ${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`
}

/** `Sat 21 Nov 2026 03:01 UTC`. */
export function formatMomentLong(iso: string | Date): string {
  const date = new Date(iso)
  return `${DAYS[date.getUTCDay()]} ${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())} UTC`
}

/** `21 Nov`. */
export function formatDay(iso: string | Date): string {
  const date = new Date(iso)
  return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`
}

/** `09:42` (UTC). */
export function formatClock(iso: string | Date): string {
  const date = new Date(iso)
  return `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`
}

/** A moment as the server's listing has it: ISO UTC to the second. */
export function isoSeconds(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`
}

/** `1 file`, `3 files`. */
export function formatPlural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`
}

/** An age in its largest unit: `just now`, `18 m ago`, `6 h ago`, `4 d ago`. */
export function formatAge(iso: string | Date, now: Date): string {
  const seconds = Math.round((now.getTime() - new Date(iso).getTime()) / 1000)
  if (seconds < 60) return 'just now'
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ago`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`
  return `${Math.floor(seconds / 86_400)} d ago`
}

/** A time to come, in its largest unit: `now`, `in 18 m`, `in 17 h`, `in 3 d`. */
export function formatUntil(iso: string | Date, now: Date): string {
  const seconds = Math.round((new Date(iso).getTime() - now.getTime()) / 1000)
  if (seconds < 60) return 'now'
  if (seconds < 3600) return `in ${Math.floor(seconds / 60)} m`
  if (seconds < 86_400) return `in ${Math.floor(seconds / 3600)} h`
  return `in ${Math.floor(seconds / 86_400)} d`
}

/** A moment to come: `03:02` on this UTC day, else `Tue 24 Nov 03:02`. */
export function formatComing(iso: string | Date, now: Date): string {
  const date = new Date(iso)
  return date.toISOString().slice(0, 10) === now.toISOString().slice(0, 10) ? formatClock(date) : formatMoment(date)
}

/** A day near now: `today`, `Sun 22` in the last week, else `13 Nov` (UTC). */
export function formatNearDay(iso: string | Date, now: Date): string {
  const date = new Date(iso)
  if (date.toISOString().slice(0, 10) === now.toISOString().slice(0, 10)) return 'today'
  const age = now.getTime() - date.getTime()
  return age >= 0 && age < 7 * 86_400_000 ? `${DAYS[date.getUTCDay()]} ${date.getUTCDate()}` : formatDay(date)
}

/** A moment near now: `today 03:01`, else `20 Nov 03:04` (UTC). */
export function formatNearMoment(iso: string | Date, now: Date): string {
  const date = new Date(iso)
  const day = date.toISOString().slice(0, 10) === now.toISOString().slice(0, 10) ? 'today' : formatDay(date)
  return `${day} ${formatClock(date)}`
}

/** `Mon`, by UTC. */
function formatWeekday(iso: string | Date): string {
  return DAYS[new Date(iso).getUTCDay()] ?? ''
}

/** `Mon 30 Nov` (UTC). */
export function formatWeekdayDay(iso: string | Date): string {
  return `${formatWeekday(iso)} ${formatDay(iso)}`
}

/** `0.4 s`, `14 ms`: what a step took. */
export function formatMilliseconds(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`
  return milliseconds < 60_000 ? `${(milliseconds / 1000).toFixed(1)} s` : formatDuration(milliseconds / 1000)
}

/** `5.34 of 8.61 GB`: both in the unit of the total; counts as `12 of 80 files`. A total that was too small is left out. */
export function formatAmount(done: number, total: number | null, unit: 'bytes' | 'rows' | 'files' | 'steps'): string {
  const whole = total !== null && done <= total ? total : null
  if (unit !== 'bytes')
    return whole === null ? `${formatCount(done)} ${unit}` : `${formatCount(done)} of ${formatCount(whole)} ${unit}`
  if (whole === null) return formatBytes(done)
  const [doneAmount, doneUnit] = formatBytes(done).split(' ')
  const [totalAmount, totalUnit] = formatBytes(whole).split(' ')
  return doneUnit === totalUnit ? `${doneAmount} of ${totalAmount} ${totalUnit}` : `${formatBytes(done)} of ${formatBytes(whole)}`
}

/**
 * What the confirmation window calls a plan: `Plan 7F3A-19C2, valid once`.
 * @param id eight hexadecimal digits or more: a UUID, a SHA-256
 */
export function formatPlanLabel(id: string): string {
  return `Plan ${id.slice(0, 4).toUpperCase()}-${id.slice(4, 8).toUpperCase()}, valid once`
}
