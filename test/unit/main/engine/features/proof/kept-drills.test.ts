import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { clearKeptDrills, noteKept, removeKeptOf } from '#engine/features/proof/drill/kept-drills.ts'
import { openHome } from '#engine/foundation/home.ts'
import { openLocks } from '#engine/foundation/locks.ts'
import { temporaryFolder } from '#test/support/home.ts'

const log = { info() {}, warn() {}, error() {}, async flush() {} }
const backup = (name: string) => ({ site: 'shop', repository: 'vault', name, timestamp: '2026-11-23T03:00:00Z' })

async function scratch() {
  const home = await openHome(await temporaryFolder())
  const context = { home, log, locks: openLocks(home.locks, 'test') }
  const keep = async (folder: string, name: string) => {
    await mkdir(join(home.scratch, folder))
    await writeFile(join(home.scratch, folder, 'data'), 'x'.repeat(100))
    return noteKept(context, join(home.scratch, folder), backup(name), { outcome: 'failed' })
  }
  return { context, keep, left: async () => (await readdir(home.scratch)).sort(), home }
}

it('keeps the last two, and nothing that it did not keep itself goes', async () => {
  const { context, keep, left, home } = await scratch()
  await mkdir(join(home.scratch, 'of somebody else'))
  await mkdir(join(home.scratch, 'damaged'))
  await writeFile(join(home.scratch, 'damaged', 'drill.json'), '{ "site": ')
  expect(await keep('drill-c', 'shop-1')).toBeGreaterThan(100)
  await new Promise((resolve) => setTimeout(resolve, 5))
  await keep('drill-b', 'shop-2')
  await new Promise((resolve) => setTimeout(resolve, 5))
  await keep('drill-a', 'shop-3')
  expect(await left()).toEqual(['damaged', 'drill-a', 'drill-b', 'of somebody else'])
  const removed = await clearKeptDrills(context)
  expect(removed.map(({ folder }) => folder)).toEqual([join(home.scratch, 'drill-a'), join(home.scratch, 'drill-b')])
  expect(await left()).toEqual(['damaged', 'of somebody else'])
})

it('a backup that is drilled well needs none any more; another one does', async () => {
  const { context, keep, left } = await scratch()
  await keep('drill-a', 'shop-1')
  await keep('drill-b', 'shop-2')
  await removeKeptOf(context, { ...backup('shop-1'), timestamp: '2026-11-30T03:00:00Z' })
  await removeKeptOf(context, { ...backup('shop-1'), repository: 'server' })
  expect(await left()).toEqual(['drill-a', 'drill-b'])
  await removeKeptOf(context, backup('shop-1'))
  expect(await left()).toEqual(['drill-b'])
})
