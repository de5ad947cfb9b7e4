import { describe, expect, it } from 'vitest'
import { chooseName } from '#engine/features/backup/slot-choice.ts'
import type { BackupIndex } from '#engine/foundation/repository/types.ts'
import { type Site, siteSchema } from '#shared/model/site.ts'

const MONDAY = new Date('2026-11-23T23:59:59.900Z')
const site = (rotation: Site['rotation'] = 'auto') =>
  siteSchema.parse({ name: 'testsite', database: { database: 'd', schema: 's', user: 'u' }, rotation })
const index = (...entries: [name: string, time: string][]): BackupIndex =>
  new Map(entries.map(([name, time]) => [name, { timestamp: Date.parse(time) / 1000 }]))
const serverIndex = index(['testsite-6', '2026-11-21T03:00:00Z'])
const manualIndex = index(['testsite-7', '2026-11-21T03:00:00Z'])

describe('chooseName', () => {
  it('takes the slot of the UTC date by the rotation of the site', () => {
    expect(chooseName(site(), MONDAY, 'vault', { server: null, own: index(), target: index() })).toBe('testsite-2')
    expect(chooseName(site(), MONDAY, 'vault', { server: serverIndex, own: manualIndex, target: manualIndex })).toBe('testsite-1')
    expect(chooseName(site(), MONDAY, 'vault', { server: null, own: serverIndex, target: serverIndex })).toBe('testsite-1')
    expect(chooseName(site('manual'), MONDAY, 'vault', { server: serverIndex, own: index(), target: index() })).toBe('testsite-2')
    expect(chooseName(site('server'), MONDAY, 'server', { server: serverIndex, own: index(), target: serverIndex })).toBe(
      'testsite-1',
    )
  })

  it('refuses a rotation that contradicts the server it is for', () => {
    expect(() =>
      chooseName(site('manual'), MONDAY, 'server', { server: serverIndex, own: index(), target: serverIndex }),
    ).toThrow('rotate')
  })

  it('replaces an older backup of the same day, never a newer one', () => {
    const own = index(['testsite-2', '2026-11-23T03:00:00Z'])
    expect(chooseName(site('manual'), MONDAY, 'vault', { server: null, own, target: own })).toBe('testsite-2')
    for (const time of ['2026-11-23T23:59:59Z', '2026-12-07T03:00:00Z']) {
      expect(() =>
        chooseName(site('manual'), MONDAY, 'vault', {
          server: null,
          own: index(['testsite-2', time]),
          target: index(['testsite-2', time]),
        }),
      ).toThrow('not older than this one')
    }
  })
})
