import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  gregorianDays,
  keptKindOf,
  keptName,
  nextDateOf,
  type RotationScheme,
  schemeOf,
  slotFor,
  slotOf,
  splitBackupName,
  utcDate,
} from '#shared/rotation.ts'

const at = (iso: string) => new Date(iso)

describe('rotation', () => {
  // names and times as a real server listed them (fixtures, 3-slots-mixed)
  it.each([
    ['2026-11-23T01:55:32Z', '1'],
    ['2026-11-22T03:20:00Z', 'w3'],
    ['2026-11-21T03:20:00Z', '6'],
    ['2026-11-20T03:20:00Z', '5'],
    ['2026-11-15T03:59:59Z', 'w2'],
    ['2026-10-25T03:10:00Z', 'w4'],
  ])('gives %s the slot %s by the server’s scheme', (iso, slot) => {
    expect(slotFor('server', at(iso))).toBe(slot)
  })

  it('follows the manual: Sunday is day 1 and weekly, w1 to w4 in turn', () => {
    const sundays = ['2026-11-01', '2026-11-08', '2026-11-15', '2026-11-22', '2026-11-29'].map((day) =>
      slotFor('manual', at(`${day}T03:00:00Z`)),
    )
    expect(new Set(sundays.slice(0, 4))).toEqual(new Set(['w1', 'w2', 'w3', 'w4']))
    expect(sundays[4]).toBe(sundays[0])
    expect(slotFor('manual', at('2026-11-23T03:00:00Z'))).toBe('2')
    expect(slotFor('manual', at('2026-11-28T03:00:00Z'))).toBe('7')
  })

  it('goes by the UTC date', () => {
    expect(slotFor('server', at('2026-11-23T23:59:59Z'))).toBe('1')
    expect(slotFor('server', at('2026-11-24T00:00:00Z'))).toBe('2')
    expect(gregorianDays(at('1970-01-01T00:00:00Z'))).toBe(719_528)
  })

  it('tells the scheme of an index from the weekdays of its entries', () => {
    expect(schemeOf([{ slot: '1', timestamp: at('2026-11-23T03:00:00Z') }])).toBe('server')
    expect(schemeOf([{ slot: '2', timestamp: at('2026-11-23T03:00:00Z') }])).toBe('manual')
    expect(schemeOf([{ slot: null, timestamp: at('2026-11-23T03:00:00Z') }])).toBeNull()
    expect(schemeOf([])).toBeNull()
  })

  it('splits names, also of sites with a dash', () => {
    expect(slotOf('my-site', 'my-site-w4')).toBe('w4')
    expect(slotOf('my', 'my-site-w4')).toBeNull()
    expect(slotOf('testsite', 'testsite-safety-1119')).toBeNull()
    expect(splitBackupName('my-site-7')).toEqual({ site: 'my-site', slot: '7' })
    expect(splitBackupName('my-site-8')).toBeNull()
  })
})

describe('rotation on any day', () => {
  const day = fc.integer({ min: 0, max: 40_000 }).map((days) => new Date(days * 86_400_000 + 3 * 3_600_000))
  const scheme = fc.constantFrom('manual', 'server') as fc.Arbitrary<RotationScheme>
  const later = (date: Date, days: number) => new Date(date.getTime() + days * 86_400_000)

  it('keeps each backup for a whole week, and Sundays for four or five', () => {
    fc.assert(
      fc.property(scheme, day, (name, date) => {
        const turn = date.getUTCDay() !== 0 ? 7 : name === 'server' ? 35 : 28
        const slot = slotFor(name, date)
        for (let days = 1; days < turn; days += 1) expect(slotFor(name, later(date, days))).not.toBe(slot)
        expect(slotFor(name, later(date, turn))).toBe(slot)
      }),
    )
  })

  it('goes by the date alone, whatever the time of the day', () => {
    fc.assert(
      fc.property(scheme, day, fc.integer({ min: 0, max: 86_399_999 }), (name, date, ms) => {
        const midnight = new Date(Math.floor(date.getTime() / 86_400_000) * 86_400_000)
        expect(slotFor(name, new Date(midnight.getTime() + ms))).toBe(slotFor(name, midnight))
      }),
    )
  })

  it('is never taken for the other scheme, whatever nights are left and whatever else lies there', () => {
    fc.assert(
      fc.property(scheme, day, fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 30 }), (name, date, ages) => {
        const entries = ages.map((age) => {
          const timestamp = later(date, -age)
          return { slot: slotOf('testsite', `testsite-${slotFor(name, timestamp)}`) as string | null, timestamp }
        })
        for (const kind of ['safety', 'pinned'] as const) {
          const kept = keptName('testsite', kind, date)
          expect(slotOf('testsite', kept)).toBeNull()
          expect(splitBackupName(kept)).toBeNull()
          entries.push({ slot: slotOf('testsite', kept), timestamp: date })
        }
        expect([name, null]).toContain(schemeOf(entries))
      }),
    )
  })

  it('tells the next night of a slot, and that a slot of the other scheme has none', () => {
    const slots = ['1', '2', '3', '4', '5', '6', '7', 'w0', 'w1', 'w2', 'w3', 'w4']
    fc.assert(
      fc.property(scheme, day, fc.constantFrom(...slots), (name, date, slot) => {
        const next = nextDateOf(name, slot, date)
        const isForeign = (name === 'server' && slot === '7') || (name === 'manual' && (slot === '1' || slot === 'w0'))
        expect(next === null).toBe(isForeign)
        if (next === null) return
        for (let days = 0; utcDate(later(date, days)) < next; days += 1) expect(slotFor(name, later(date, days))).not.toBe(slot)
        expect(slotFor(name, at(`${next}T12:00:00Z`))).toBe(slot)
        expect(next >= utcDate(date)).toBe(true)
      }),
    )
  })
})

describe('names outside the rotation', () => {
  it('are those of safety and pinned backups, by their moment', () => {
    const moment = at('2026-11-23T01:55:32Z')
    expect(keptName('my-site', 'safety', moment)).toBe('my-site-safety-20261123015532')
    expect(keptKindOf('my-site', 'my-site-safety-20261123015532')).toBe('safety')
    expect(keptKindOf(null, 'my-site-pinned-20261123015532')).toBe('pinned')
    expect(keptKindOf('my', 'my-site-pinned-20261123015532')).toBeNull()
    expect(keptKindOf('my-site', 'my-site-pinned-x')).toBeNull()
    expect(keptKindOf('my-site', 'my-site-1')).toBeNull()
  })
})
