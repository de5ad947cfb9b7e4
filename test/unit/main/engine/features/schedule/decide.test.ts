import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decideNight, delayOf, type LastNight } from '#engine/features/schedule/decide.ts'
import { type Schedule, scheduleSchema } from '#shared/model/site.ts'

const schedule = (settings: Partial<Schedule> = {}): Schedule => scheduleSchema.parse({ enabled: true, ...settings })
const at = (iso: string) => new Date(iso)
const decide = (
  now: string,
  facts: { settings?: Partial<Schedule>; delay?: number; backups?: string[]; last?: LastNight } = {},
) =>
  decideNight({
    now: at(now),
    schedule: schedule(facts.settings),
    delaySeconds: facts.delay ?? 0,
    backups: (facts.backups ?? []).map(at),
    last: facts.last ?? null,
  })
const failed = (date: string, iso: string): LastNight => ({ date, at: iso, outcome: 'failed', text: 'The disk is full.' })

describe('decideNight', () => {
  it('waits for the time of the night, delay included', () => {
    expect(decide('2026-11-23T02:59:59Z')).toMatchObject({ state: 'waiting', nextAt: at('2026-11-23T03:00:00Z') })
    expect(decide('2026-11-23T03:01:59Z', { delay: 120 })).toMatchObject({ state: 'waiting', nextAt: at('2026-11-23T03:02:00Z') })
    expect(decide('2026-11-23T03:02:00Z', { delay: 120 })).toMatchObject({ state: 'due', isNight: true })
  })

  it('is due until midnight when none of today is there, whatever happened in the days before', () => {
    expect(decide('2026-11-23T23:59:59Z', { backups: ['2026-11-20T03:00:00Z'] })).toMatchObject({ state: 'due' })
    expect(decide('2026-11-24T00:00:00Z', { backups: ['2026-11-20T03:00:00Z'] })).toMatchObject({ state: 'waiting' })
  })

  it.each([
    ['at the first second of today', '2026-11-23T00:00:00Z'],
    ['by hand, in the evening', '2026-11-23T22:00:00Z'],
    ['by a clock that is a little ahead', '2026-11-23T23:30:00Z'],
  ])('is content with a backup made %s', (_what, backup) => {
    expect(decide('2026-11-23T23:00:00Z', { backups: [backup] })).toMatchObject({
      state: 'made',
      nextAt: at('2026-11-24T03:00:00Z'),
    })
  })

  it('is not content with one of the last second of yesterday', () => {
    expect(decide('2026-11-23T03:00:00Z', { backups: ['2026-11-22T23:59:59Z'] })).toMatchObject({ state: 'due' })
  })

  it('does not take a backup of the future for tonight’s, and says so', () => {
    const decision = decide('2026-11-23T03:00:00Z', { backups: ['2026-11-24T03:00:00Z', '2026-11-20T03:00:00Z'] })
    expect(decision).toMatchObject({ state: 'due', reason: expect.stringContaining('Tue 24 Nov 2026 03:00 UTC, in the future') })
  })

  it('tries a failed night again after an hour, and not after midnight', () => {
    const last = failed('2026-11-23', '2026-11-23T03:01:00Z')
    const soon = decide('2026-11-23T04:00:59Z', { last })
    expect(soon).toMatchObject({ state: 'retry-later', nextAt: at('2026-11-23T04:01:00Z') })
    expect(soon.reason).toBe('Failed at 03:01 UTC: The disk is full. The next try is on Mon 23 Nov 04:01 UTC.')
    expect(decide('2026-11-23T04:01:00Z', { last })).toMatchObject({ state: 'due' })
    const late = failed('2026-11-23', '2026-11-23T23:30:00Z')
    expect(decide('2026-11-23T23:40:00Z', { last: late })).toMatchObject({ nextAt: at('2026-11-24T03:00:00Z') })
    expect(decide('2026-11-24T00:31:00Z', { last: late })).toMatchObject({ state: 'waiting' })
  })

  it('does not wait for a failure that a clock dated later than now', () => {
    expect(decide('2026-11-23T05:00:00Z', { last: failed('2026-11-23', '2026-11-23T20:00:00Z') })).toMatchObject({ state: 'due' })
    expect(decide('2026-11-23T05:00:00Z', { last: failed('2026-12-23', '2026-12-23T20:00:00Z') })).toMatchObject({ state: 'due' })
  })

  it('is off when it is switched off', () => {
    expect(decide('2026-11-23T05:00:00Z', { settings: { enabled: false } })).toMatchObject({ state: 'off', nextAt: null })
  })
})

describe('delayOf', () => {
  it('is always the same for a site, and spreads sites over five minutes', () => {
    const delays = Array.from({ length: 50 }, (_, at) => delayOf(`site${at}`, '03:00'))
    expect(delays).toEqual(Array.from({ length: 50 }, (_, at) => delayOf(`site${at}`, '03:00')))
    expect(new Set(delays).size).toBeGreaterThan(40)
    expect(Math.max(...delays)).toBeLessThan(300)
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(0)
  })

  it('never leads past midnight', () => {
    for (let site = 0; site < 200; site += 1) expect(delayOf(`site${site}`, '23:59')).toBeLessThan(60)
  })
})

/* Lives of a computer: it is awake now and then, its clock jumps, its backups fail, others make some. */
const HOUR_MS = 3_600_000
const events = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.record({ type: fc.constant('awake' as const), minutes: fc.integer({ min: 1, max: 3000 }) }) },
    { weight: 4, arbitrary: fc.record({ type: fc.constant('asleep' as const), minutes: fc.integer({ min: 1, max: 6000 }) }) },
    {
      weight: 2,
      arbitrary: fc.record({ type: fc.constant('jump' as const), minutes: fc.integer({ min: -20_000, max: 20_000 }) }),
    },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('trouble' as const), minutes: fc.integer({ min: 1, max: 500 }) }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('server' as const), minutes: fc.constant(0) }) },
  ),
  { minLength: 1, maxLength: 60 },
)

describe('the nights of any life', () => {
  it('have never two backups on one date, and are caught up whenever the computer is awake and well after their time', () => {
    const times = fc.record({ hour: fc.integer({ min: 0, max: 23 }), minute: fc.integer({ min: 0, max: 59 }) })
    const start = fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2031, 0, 1) })
    fc.assert(
      fc.property(events, times, start, fc.integer({ min: 0, max: 59 }), (life, { hour, minute }, begun, delaySeconds) => {
        const two = (value: number) => String(value).padStart(2, '0')
        const night = schedule({ at: `${two(hour)}:${two(minute)}` })
        const backups: Date[] = []
        const own: string[] = []
        let last: LastNight | null = null
        let clock = begun
        for (const { type, minutes } of life) {
          if (type === 'jump' || type === 'asleep') clock += minutes * 60_000
          if (type === 'server' && !backups.some((made) => sameDate(made, new Date(clock)))) backups.push(new Date(clock))
          if (type !== 'awake' && type !== 'trouble') continue
          for (let passed = 0; passed < minutes; passed += 7) {
            const now = new Date(clock)
            const facts = { now, schedule: night, delaySeconds, backups, last }
            const decision = decideNight(facts)
            const date = now.toISOString().slice(0, 10)
            if (decision.state === 'due' && type === 'trouble') last = failed(date, now.toISOString())
            else if (decision.state === 'due') {
              backups.push(now)
              own.push(date)
              last = { date, at: now.toISOString(), outcome: 'made', text: '' }
            }
            const isTime =
              now.getTime() >= Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate(), hour, minute, delaySeconds)
            const isMade = backups.some((made) => sameDate(made, now))
            const failedLately = last?.outcome === 'failed' && now.getTime() - Date.parse(last.at) < HOUR_MS
            if (isTime && !isMade && !failedLately) throw new Error(`not caught up at ${now.toISOString()}`)
            if (!isTime && own.at(-1) === date && decision.state === 'due') throw new Error(`too early: ${now.toISOString()}`)
            clock += 7 * 60_000
          }
        }
        expect(new Set(own).size).toBe(own.length)
      }),
      { numRuns: 150 },
    )
  })
})

function sameDate(a: Date, b: Date): boolean {
  return a.getUTCFullYear() === b.getUTCFullYear() && a.getUTCMonth() === b.getUTCMonth() && a.getUTCDate() === b.getUTCDate()
}
