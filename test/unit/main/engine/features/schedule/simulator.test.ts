import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { chooseName } from '#engine/features/backup/slot-choice.ts'
import { decideNight, delayOf, type LastNight } from '#engine/features/schedule/decide.ts'
import type { BackupIndex } from '#engine/foundation/repository/types.ts'
import { toAppError } from '#shared/errors.ts'
import { siteSchema } from '#shared/model/site.ts'
import { type CalendarDay, calendar, dateText, slotByHand } from '#test/support/slots-by-hand.ts'

/*
 * 800 days of nights. The program decides when and which slot; the expectations come from a calendar and a table of
 * their own: what kind of day it was says what must have become of its night.
 */

const DAYS = 800
const FIRST = { year: 2026, month: 10, day: 25 }
const TICK_MINUTES = 20
const DAY_MS = 86_400_000
const NIGHT = '03:00'

/** The weekly slots from the first Sunday on. A real server gave its Sunday of 2026-10-25 the slot w4. */
const SUNDAYS = { server: ['w4', 'w0', 'w1', 'w2', 'w3'], manual: ['w3', 'w4', 'w1', 'w2'] } as const

type Kind =
  | 'on' // awake the whole day
  | 'off' // asleep the whole day
  | 'late' // asleep until 11:00
  | 'early' // asleep from 02:00 on
  | 'weak' // the database is down until 06:30
  | 'broken' // the database is down the whole day
  | 'server-first' // the server makes its own at 00:20
  | 'server-night' // the server makes its own at 03:00, before our delay is over
  | 'ahead' // at 12:00 the clock jumps 10 days ahead, for 6 hours
  | 'back' // at 12:00 the clock is set back 3 days, for 5 hours

/** 23 days: each kind comes to every weekday. */
const PATTERN: Kind[] = [
  ...(['on', 'on', 'on', 'late', 'on', 'off', 'on', 'weak', 'on', 'on', 'server-night', 'on'] as const),
  ...(['off', 'off', 'on', 'early', 'on', 'broken', 'on', 'server-first', 'on', 'late', 'on'] as const),
]

/** Day 100 is a Tuesday: the wrong clock then says Friday 110, whose slot is that of Friday 103 too. */
const SPECIAL = new Map<number, Kind>([
  ...[101, 102, 103, 104, 105, 106, 107, 108, 109, 110].map((day): [number, Kind] => [day, 'on']),
  [100, 'ahead'],
  // set back to a day that has its backup, and to one that slept
  ...[395, 396, 397, 398, 399].map((day): [number, Kind] => [day, 'on']),
  [400, 'back'],
  [497, 'off'],
  ...[498, 499].map((day): [number, Kind] => [day, 'on']),
  [500, 'back'],
])

const kindOf = (day: number): Kind => SPECIAL.get(day) ?? PATTERN[day % PATTERN.length] ?? 'on'

/** What must have become of a night: the hour in which the backup was made, or `null`: none; and how often it was tried. */
function expectedNight(day: number, hasServer: boolean): { hour: number | null; tries: number } {
  // the slot of this Friday holds a backup that a wrong clock dated a week later
  if (day === 103) return { hour: null, tries: 21 }
  // the backup that the wrong clock made has this date
  if (day === 110) return { hour: null, tries: 0 }
  const byKind: Record<Kind, { hour: number | null; tries: number }> = {
    on: { hour: 3, tries: 1 },
    off: { hour: null, tries: 0 },
    late: { hour: 11, tries: 1 },
    early: { hour: null, tries: 0 },
    // tried at 03, 04, 05, 06 (failing), 07
    weak: { hour: 7, tries: 5 },
    // from 03 to 23 each hour
    broken: { hour: null, tries: 21 },
    'server-first': hasServer ? { hour: null, tries: 0 } : { hour: 3, tries: 1 },
    'server-night': hasServer ? { hour: null, tries: 0 } : { hour: 3, tries: 1 },
    ahead: { hour: 3, tries: 1 },
    back: { hour: 3, tries: 1 },
  }
  return byKind[kindOf(day)]
}

interface World {
  scheme: 'manual' | 'server'
  to: 'vault' | 'server'
}

interface Made {
  name: string
  at: Date
}

/** The program, living through the days. */
function live({ scheme, to }: World): {
  made: Made[]
  tries: Map<number, number>
  indexes: string[]
  reasons: Map<number, string>
} {
  const site = siteSchema.parse({
    name: 'testsite',
    database: { database: 'd', schema: 's', user: 'u' },
    rotation: scheme === 'manual' ? 'manual' : 'auto',
    schedule: { enabled: true, at: NIGHT, to },
  })
  const schedule = site.schedule
  if (!schedule) throw new Error('no schedule')
  const start = Date.UTC(FIRST.year, FIRST.month - 1, FIRST.day)
  const own: BackupIndex = new Map()
  // a server that ran before: its last Saturday shows how it counts
  const server: BackupIndex | null = scheme === 'server' ? new Map([['testsite-6', { timestamp: start / 1000 - 75_000 }]]) : null
  const delaySeconds = delayOf(site.name, schedule.at)
  const target = to === 'server' ? (server ?? own) : own
  // these are in the repository the whole time and must not matter to anybody
  target.set('testsite-safety-20271123094200', { timestamp: Date.UTC(2027, 10, 23, 0, 5) / 1000 })
  target.set('testsite-pinned-20261101030100', { timestamp: Date.UTC(2026, 10, 1, 3, 1) / 1000 })
  const made: Made[] = []
  const tries = new Map<number, number>()
  const reasons = new Map<number, string>()
  const indexes: string[] = []
  let last: LastNight | null = null
  for (let day = 0; day < DAYS; day += 1) {
    const kind = kindOf(day)
    for (let minute = 0; minute < 1440; minute += TICK_MINUTES) {
      const true_ = new Date(start + day * DAY_MS + minute * 60_000)
      if (server && ((kind === 'server-first' && minute === 20) || (kind === 'server-night' && minute === 180))) {
        const slot = slotByHand('server', days[day] as CalendarDay, SUNDAYS.server)
        server.set(`testsite-${slot}`, { timestamp: true_.getTime() / 1000 })
      }
      const asleep = kind === 'off' || (kind === 'late' && minute < 660) || (kind === 'early' && minute >= 120)
      if (asleep) continue
      const wrong =
        kind === 'ahead' && minute >= 720 && minute < 1080 ? 10 : kind === 'back' && minute >= 720 && minute < 1020 ? -3 : 0
      const now = new Date(true_.getTime() + wrong * DAY_MS)
      const backups = [...target].flatMap(([name, { timestamp }]) =>
        /^testsite-(?:[1-7]|w[0-4])$/.test(name) ? [new Date(timestamp * 1000)] : [],
      )
      const decision = decideNight({ now, schedule, delaySeconds, backups, last })
      if (decision.state !== 'due') continue
      reasons.set(day, decision.reason)
      tries.set(day, (tries.get(day) ?? 0) + 1)
      const date = now.toISOString().slice(0, 10)
      try {
        if (kind === 'broken' || (kind === 'weak' && minute < 390)) throw new Error('the database is down')
        const name = chooseName(site, now, to, { server, own, target })
        target.set(name, { timestamp: Math.floor(now.getTime() / 1000) })
        made.push({ name, at: now })
        last = { date, at: now.toISOString(), outcome: 'made', text: '' }
      } catch (error) {
        last = { date, at: now.toISOString(), outcome: 'failed', text: toAppError(error).message }
      }
    }
    indexes.push(indexText(target))
  }
  return { made, tries, indexes, reasons }
}

function indexText(index: BackupIndex): string {
  return [...index]
    .filter(([name]) => !/-(?:safety|pinned)-/.test(name))
    .map(([name, { timestamp }]) => `${name} ${new Date(timestamp * 1000).toISOString().slice(0, 10)}`)
    .sort()
    .join('\n')
}

const days: CalendarDay[] = []
for (const day of calendar(FIRST)) {
  if (days.length === DAYS + 10) break
  days.push(day)
}

/** The same, told from the table of expectations alone. */
function expected({ scheme, to }: World): { made: { name: string; date: string; hour: number }[]; indexes: string[] } {
  const made: { name: string; date: string; hour: number }[] = []
  const slots = new Map<string, string>()
  const indexes: string[] = []
  const nameOf = (day: number) => `testsite-${slotByHand(scheme, days[day] as CalendarDay, SUNDAYS[scheme])}`
  const enter = (day: number) => slots.set(nameOf(day), dateText(days[day] as CalendarDay))
  const onServer = to === 'server'
  if (onServer) slots.set('testsite-6', '2026-10-24')
  for (let day = 0; day < DAYS; day += 1) {
    const { hour } = expectedNight(day, onServer)
    if (hour !== null) made.push({ name: nameOf(day), date: dateText(days[day] as CalendarDay), hour })
    if (hour !== null || (onServer && kindOf(day).startsWith('server-'))) enter(day)
    // the one backup under each wrong clock
    const wrong = day === 100 ? 110 : day === 500 ? 497 : null
    if (wrong !== null) {
      made.push({ name: nameOf(wrong), date: dateText(days[wrong] as CalendarDay), hour: 12 })
      enter(wrong)
    }
    indexes.push(
      [...slots]
        .map(([name, date]) => `${name} ${date}`)
        .sort()
        .join('\n'),
    )
  }
  return { made, indexes }
}

const lives = new Map<string, ReturnType<typeof live>>()
/** Each world is lived once. */
function life(world: World): ReturnType<typeof live> {
  const key = `${world.scheme} ${world.to}`
  const known = lives.get(key) ?? live(world)
  lives.set(key, known)
  return known
}

const WORLDS: [string, World][] = [
  ['by the manual, into the vault', { scheme: 'manual', to: 'vault' }],
  ['as the server counts, into the vault', { scheme: 'server', to: 'vault' }],
  ['as the server counts, onto the server', { scheme: 'server', to: 'server' }],
]

describe('800 nights', () => {
  const zone = process.env.TZ
  beforeEach(() => {
    // a zone with summer time, far from UTC: nothing may depend on it
    process.env.TZ = 'America/St_Johns'
  })
  afterEach(() => {
    if (zone === undefined) delete process.env.TZ
    else process.env.TZ = zone
  })

  it('span what is odd about calendars', () => {
    const dates = days.slice(0, DAYS).map(dateText)
    expect(dates[0]).toBe('2026-10-25')
    expect(dates.at(-1)).toBe('2029-01-01')
    expect(dates).toContain('2028-02-29')
    expect(dates).not.toContain('2027-02-29')
    expect(new Date(2027, 6, 1).getTimezoneOffset()).not.toBe(new Date(2027, 0, 1).getTimezoneOffset())
  })

  it.each(WORLDS)('%s: each night is made when it must be, in its slot, once', (_what, world) => {
    const lived = life(world)
    const wanted = expected(world)
    const made = lived.made.map(({ name, at }) => ({ name, date: at.toISOString().slice(0, 10), hour: at.getUTCHours() }))
    expect(made).toEqual(wanted.made)
    expect(new Set(made.map(({ date }) => date)).size).toBe(made.length)
    expect(lived.indexes).toEqual(wanted.indexes)
  })

  it.each(WORLDS)('%s: a night that fails is tried each hour, and no other', (_what, world) => {
    const { tries } = life(world)
    const everyDay = Array.from({ length: DAYS }, (_, day) => day)
    const underWrongClock = (day: number) => (day === 100 || day === 500 ? 1 : 0)
    expect(everyDay.map((day) => `day ${day}: ${tries.get(day) ?? 0}`)).toEqual(
      everyDay.map((day) => `day ${day}: ${expectedNight(day, world.to === 'server').tries + underWrongClock(day)}`),
    )
  })

  it('say that a backup is dated in the future, instead of waiting for it', () => {
    const { reasons } = life({ scheme: 'manual', to: 'vault' })
    for (const day of [101, 105, 109]) expect(reasons.get(day)).toMatch(/dated \w+ 12 Feb 2027 .* in the future: is the clock/)
    expect(reasons.get(99)).not.toContain('future')
    expect(reasons.get(111)).not.toContain('future')
  })
})
