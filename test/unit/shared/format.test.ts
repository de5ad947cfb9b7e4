import { describe, expect, it } from 'vitest'
import { formatBytes, formatDuration, formatMoment, formatMomentLong, formatPlural, isoSeconds } from '#shared/format.ts'

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

  it('counts things', () => {
    expect(formatPlural(1, 'file')).toBe('1 file')
    expect(formatPlural(12846, 'entry', 'entries')).toBe('12,846 entries')
  })
})
