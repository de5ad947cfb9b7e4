import { statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { estimatedBackupBytes, requireFreeSpace } from '#engine/features/backup/free-space.ts'
import { temporaryFolder } from '#test/support/home.ts'

describe('requireFreeSpace', () => {
  it('refuses what does not fit on the disk, also of a folder that is yet to be made', async () => {
    const folder = join(await temporaryFolder(), 'not', 'yet')
    await requireFreeSpace(folder, 1_000_000)
    const disk = await statfs('/tmp')
    await expect(requireFreeSpace(folder, disk.bavail * disk.bsize)).rejects.toMatchObject({ code: 'disk-full' })
  })

  it('expects media to keep their size and dumps to shrink', () => {
    expect(estimatedBackupBytes({ database: 0, media: 1000, config: 0 })).toBeGreaterThan(900)
    expect(estimatedBackupBytes({ database: 1000, media: 0, config: 0 })).toBeLessThan(500)
  })
})
