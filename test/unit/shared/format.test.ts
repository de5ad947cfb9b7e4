import { describe, expect, it } from 'vitest'
import {
  formatAge,
  formatAmount,
  formatBytes,
  formatDuration,
  formatMilliseconds,
  formatMoment,
  formatMomentLong,
  formatNearDay,
  formatNearMoment,
  formatPlural,
  isoSeconds,
} from '#shared/format.ts'

describe('format', () => {
  it.each([
    [0, '0 B'],
    [812, '812 B'],
    [999, '999 B'],
    [1000, '1.00 kB'],
    [36_400, '36.4 kB'],
    [999_499, '999 kB'],
    [999_999, '1.00 MB'],
    [1_310_000_000, '1.31 GB'],
    [48_200_000, '48.2 MB'],
  ])('%i bytes are %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text)
  })

  it.each([
    [0, '0 s'],
    [0.4, 'under 1 s'],
    [59, '59 s'],
    [125, '2 m'],
    [24_000, '6 h 40 m'],
    [7200, '2 h'],
    [194_400, '2 d 6 h'],
  ])('%i seconds are %s', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text)
  })

  it('shows moments in UTC', () => {
    expect(formatMoment('2026-11-21T03:01:00Z')).toBe('Sat 21 Nov 03:01')
    expect(formatMomentLong('2026-11-21T03:01:00Z')).toBe('Sat 21 Nov 2026 03:01 UTC')
    expect(isoSeconds(new Date(1795398925_000))).toBe('2026-11-23T01:55:25Z')
  })

  it('says moments near now shorter', () => {
    const now = new Date('2026-11-23T09:42:00Z')
    expect(
      ['2026-11-23T03:01:00Z', '2026-11-22T03:01:00Z', '2026-11-13T03:01:00Z'].map((iso) => formatNearDay(iso, now)),
    ).toEqual(['today', 'Sun 22', '13 Nov'])
    expect(formatNearMoment('2026-11-23T03:01:00Z', now)).toBe('today 03:01')
    expect(formatNearMoment('2026-11-20T03:04:00Z', now)).toBe('20 Nov 03:04')
    expect(
      ['2026-11-23T09:41:30Z', '2026-11-23T09:24:00Z', '2026-11-23T03:01:00Z', '2026-11-19T03:01:00Z'].map((iso) =>
        formatAge(iso, now),
      ),
    ).toEqual(['just now', '18 m ago', '6 h ago', '4 d ago'])
  })

  it('puts an amount beside its total', () => {
    expect(formatAmount(5.34e9, 8.61e9, 'bytes')).toBe('5.34 of 8.61 GB')
    expect(formatAmount(842e6, 1.35e9, 'bytes')).toBe('842 MB of 1.35 GB')
    expect(formatAmount(12, 8000, 'files')).toBe('12 of 8,000 files')
    expect(formatAmount(12, null, 'rows')).toBe('12 rows')
    expect(formatAmount(760_000, 713_000, 'bytes')).toBe('760 kB')
  })

  it('says what a step took', () => {
    expect([14, 400, 1400, 125_000].map(formatMilliseconds)).toEqual(['14 ms', '400 ms', '1.4 s', '2 m'])
  })

  it('counts things', () => {
    expect(formatPlural(1, 'file')).toBe('1 file')
    expect(formatPlural(12846, 'entry', 'entries')).toBe('12,846 entries')
  })
})
