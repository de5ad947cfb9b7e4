import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { listBackups, listFolder } from '#engine/features/listing/index.ts'
import { siteSchema } from '#shared/model/site.ts'
import { openTestContext } from '#test/support/engine-context.ts'
import { fixture, hasFixtures } from '#test/support/fixtures.ts'
import { temporaryFolder } from '#test/support/home.ts'

if (!hasFixtures) console.error('SKIPPED in kept.test.ts: the fixtures of a real server are missing')

describe.skipIf(!hasFixtures)('why a real server’s backups are kept', () => {
  const keptAt = async (now: string) => {
    const { backups } = await listFolder(fixture('backups', '3-slots-mixed'), new Date(now))
    return backups.map(({ slot, kept }) => `${slot} ${kept.reason} ${kept.text} until ${kept.replacedOn}`)
  }

  it('tells the weekday or week, and the night that replaces each', async () => {
    expect(await keptAt('2026-11-23T12:00:00Z')).toEqual([
      '1 day Monday until 2026-11-30',
      'w3 week week 3 until 2026-12-27',
      '6 day Saturday until 2026-11-28',
      '5 day Friday until 2026-11-27',
      '4 day Thursday until 2026-11-26',
      '3 day Wednesday until 2026-11-25',
      '2 day Tuesday until 2026-11-24',
      'w2 week week 2 until 2026-12-20',
      'w1 week week 1 until 2026-12-13',
      'w0 week week 0 until 2026-12-06',
      'w4 week week 4 until 2026-11-29',
    ])
  })

  it('looks from today on when the nights did not run', async () => {
    const kept = await keptAt('2026-12-15T12:00:00Z')
    expect(kept[0]).toBe('1 day Monday until 2026-12-21')
    expect(kept[6]).toBe('2 day Tuesday until 2026-12-15')
    expect(kept[10]).toBe('w4 week week 4 until 2027-01-03')
  })
})

describe('why backups are kept', () => {
  it('goes by the scheme of each repository, and nothing replaces what is outside of the rotation', async () => {
    const folder = await temporaryFolder()
    const files = join(folder, 'files')
    const vault = join(folder, 'vault')
    await mkdir(join(files, 'backup'), { recursive: true })
    await mkdir(vault)
    const at = (iso: string) => ({ timestamp: Date.parse(iso) / 1000 })
    await writeFile(join(files, 'backup', 'backup.json'), JSON.stringify({ 'shop-1': at('2026-11-23T03:00:00Z') }))
    const own = {
      'shop-2': at('2026-11-23T03:00:00Z'),
      'shop-w0': at('2026-11-22T03:00:00Z'),
      'shop-pinned-20261120030000': at('2026-11-20T03:00:00Z'),
      'shop-safety-20261119101500': at('2026-11-19T10:15:00Z'),
      'shop-old': at('2026-11-18T10:15:00Z'),
      'other-3': at('2026-11-17T10:15:00Z'),
    }
    await writeFile(join(vault, 'backup.json'), JSON.stringify(own))
    const { context, close } = await openTestContext(join(folder, 'home'))
    onTestFinished(close)
    const site = siteSchema.parse({
      name: 'shop',
      database: { database: 'd', schema: 's', user: 'u' },
      server: { kind: 'folder', siteDir: folder, filesDir: files, securityDir: folder },
      vault: { path: vault },
      rotation: 'manual',
    })
    const { backups } = await listBackups(context, site, 'all', { now: new Date('2026-11-23T12:00:00Z') })
    const kept = backups.map(({ name, repository, kind, kept }) => [repository, name, kind, ...Object.values(kept)].join(' '))
    expect(kept).toEqual([
      'vault shop-2 daily day Monday 2026-11-30',
      'server shop-1 daily day Monday 2026-11-30',
      // no Sunday of the manual is w0
      'vault shop-w0 weekly week week 0 ',
      'vault shop-pinned-20261120030000 pinned pinned pinned ',
      'vault shop-safety-20261119101500 safety safety safety ',
      'vault shop-old other outside outside the rotation ',
      'vault other-3 other outside outside the rotation ',
    ])
  })
})
