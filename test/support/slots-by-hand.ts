/**
 * Which slot a night goes to, told in another way than the program does: by counting through a calendar that is kept
 * as year, month and day, from Sundays whose slots are known. Written from docs/formats.md, "Slots"; nothing of the
 * program is used.
 */

export interface CalendarDay {
  year: number
  month: number
  day: number
  /** 0 is Sunday. */
  weekday: number
  /** Sundays since the first day of the calendar. */
  sundays: number
}

const LENGTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

function lengthOf(year: number, month: number): number {
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  return month === 2 && isLeap ? 29 : (LENGTHS[month - 1] ?? 0)
}

/** Days on end from a Sunday on. */
export function* calendar(from: { year: number; month: number; day: number }): Generator<CalendarDay> {
  const today = { ...from, weekday: 0, sundays: 0 }
  for (;;) {
    yield { ...today }
    today.weekday = today.weekday === 6 ? 0 : today.weekday + 1
    if (today.weekday === 0) today.sundays += 1
    today.day += 1
    if (today.day > lengthOf(today.year, today.month)) {
      today.day = 1
      today.month += 1
    }
    if (today.month > 12) {
      today.month = 1
      today.year += 1
    }
  }
}

export function dateText({ year, month, day }: CalendarDay): string {
  return `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`
}

const SERVER_DAYS = ['', '1', '2', '3', '4', '5', '6']
const MANUAL_DAYS = ['', '2', '3', '4', '5', '6', '7']

/**
 * @param firstSunday the weekly slots in their order, beginning with that of the calendar's first day
 */
export function slotByHand(
  scheme: 'manual' | 'server',
  { weekday, sundays }: CalendarDay,
  firstSunday: readonly string[],
): string {
  if (weekday === 0) return firstSunday[sundays % firstSunday.length] ?? ''
  return (scheme === 'server' ? SERVER_DAYS : MANUAL_DAYS)[weekday] ?? ''
}
