import { describe, expect, it } from 'vitest'
import { comingNights, type PresentBackup } from '#engine/features/schedule/preview.ts'

const present = (entries: Record<string, string>): Map<string, PresentBackup> =>
  new Map(Object.entries(entries).map(([name, iso], at) => [name, { name, made: new Date(iso), bytes: 100 + at }]))

describe('comingNights', () => {
  it('names each night’s file and what is in its slot by then', () => {
    const backups = present({
      'shop-2': '2026-11-17T03:01:00Z',
      'shop-w4': '2026-10-25T03:01:00Z',
      'shop-pinned-20261117030100': '2026-11-17T03:01:00Z',
    })
    const nights = comingNights('shop', 'server', new Date('2026-11-24T03:04:05Z'), 8, backups)
    expect(nights.map(({ date, slot, name }) => `${date} ${slot} ${name}`)).toEqual([
      '2026-11-24 2 shop-2',
      '2026-11-25 3 shop-3',
      '2026-11-26 4 shop-4',
      '2026-11-27 5 shop-5',
      '2026-11-28 6 shop-6',
      '2026-11-29 w4 shop-w4',
      '2026-11-30 1 shop-1',
      '2026-12-01 2 shop-2',
    ])
    expect(nights.map(({ replaces }) => replaces)).toEqual([
      { name: 'shop-2', timestamp: '2026-11-17T03:01:00Z', bytes: 100 },
      null,
      null,
      null,
      null,
      { name: 'shop-w4', timestamp: '2026-10-25T03:01:00Z', bytes: 101 },
      null,
      // that of the first night, which is still to come
      { name: 'shop-2', timestamp: '2026-11-24T03:04:05Z', bytes: null },
    ])
  })

  it('follows the manual where the site does', () => {
    const nights = comingNights('shop', 'manual', new Date('2026-11-28T03:00:00Z'), 3, new Map())
    expect(nights.map(({ name }) => name)).toEqual(['shop-7', 'shop-w4', 'shop-2'])
  })
})
