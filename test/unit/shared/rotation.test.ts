import { describe, expect, it } from 'vitest'
import { gregorianDays, schemeOf, slotFor, slotOf, splitBackupName } from '#shared/rotation.ts'

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
