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

/** An age or a span in two units at most: `6 h 40 m`, `2 d 6 h`, `45 s`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
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
