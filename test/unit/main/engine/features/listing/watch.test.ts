import { execFile } from 'node:child_process'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type WatchOptions, watchRepositories } from '#engine/features/listing/watch.ts'
import { openTestContext } from '#test/support/engine-context.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { allowed } from '#test/support/patience.ts'

const run = promisify(execFile)

/** A site with a server's folder, watched; `changes` are the moments at which it was told to have changed. */
async function watchedSite(options: WatchOptions = {}, change: { isDemo?: boolean; without?: 'folder' } = {}) {
  const root = await temporaryFolder()
  const test = await openTestContext(join(root, 'home'))
  onTestFinished(() => test.close())
  const site = change.isDemo ? join(root, 'home', 'demo') : root
  const server = join(site, 'files', 'backup')
  if (change.without !== 'folder') await mkdir(server, { recursive: true })
  await test.context.sites.add({
    name: 'shop',
    database: { database: 'x', schema: 'shop', user: 'x' },
    server: { kind: 'folder', siteDir: join(site, 'site'), filesDir: join(site, 'files'), securityDir: join(site, 'security') },
  })
  const changes: number[] = []
  const emit = (event: unknown) => {
    changes.push(performance.now())
    expect(event).toEqual({ type: 'backups-changed', site: 'shop' })
  }
  const watch = watchRepositories({ ...test.context, emit }, options)
  onTestFinished(() => watch.close())
  await sleep(Math.min(1500, allowed(300)))
  const told = async (count: number, within = 30_000) => {
    const until = performance.now() + within
    while (changes.length < count && performance.now() < until) await sleep(20)
    return changes.length
  }
  return { root, server, changes, told, watch, context: test.context }
}

/** As a server does it: by another program, under another name first. */
const writtenByOthers = (folder: string, text = '{}') =>
  run('sh', ['-c', `printf '%s' '${text}' > backup.json.tmp && mv backup.json.tmp backup.json`], { cwd: folder })

describe('watchRepositories', () => {
  it('tells of an index that another program wrote, within two seconds and without looking at it now and then', async () => {
    const { server, told } = await watchedSite({ folderPoll: 3_600_000 })
    await writtenByOthers(server)
    expect(await told(1)).toBe(1)
    await sleep(1100)
    await writtenByOthers(server, '{ }')
    expect(await told(2)).toBe(2)
  })

  it('tells of files that come and go, not of those that are being made', async () => {
    const { server, told } = await watchedSite({ folderPoll: 3_600_000 })
    const making = join(server, 'shop-1.sql.gz.20261123T034300123-0a1b2c3d.part')
    await writeFile(making, 'x')
    await writeFile(making, 'xx')
    expect(await told(1, 600)).toBe(0)
    await rename(making, join(server, 'shop-1.sql.gz'))
    expect(await told(1)).toBe(1)
  })

  it('tells what comes in a row once a second at most', async () => {
    const { server, changes } = await watchedSite()
    const started = performance.now()
    let lastAt = started
    for (let turn = 0; lastAt - started < 2300; turn += 1) {
      lastAt = performance.now()
      await writeFile(join(server, 'backup.json'), `{${' '.repeat(turn)}}`)
    }
    // the last one is told too
    await expect.poll(() => changes.at(-1)).toBeGreaterThan(lastAt)
    await sleep(1200)
    // told at once they would come five times a second
    expect(changes.length).toBeGreaterThanOrEqual(2)
    expect(changes.length).toBeLessThanOrEqual(1 + (performance.now() - started) / 1000)
  })

  it('finds by looking what nobody tells: a folder that was not there, and one that was made anew', async () => {
    const { server, told } = await watchedSite({ folderPoll: 100 }, { without: 'folder' })
    await mkdir(server, { recursive: true })
    await writtenByOthers(server)
    expect(await told(1)).toBe(1)
    await rm(server, { recursive: true })
    await sleep(1500)
    const before = await told(0)
    await mkdir(server)
    await writtenByOthers(server, '{ }')
    expect(await told(before + 1)).toBe(before + 1)
    // it is listened to again, not only looked at
    await sleep(1200)
    await writeFile(join(server, 'notes.txt'), 'x')
    expect(await told(before + 2)).toBe(before + 2)
  })

  it('follows the sites, and ends when it is closed', async () => {
    const { root, server, told, watch, context } = await watchedSite({ folderPoll: 3_600_000 })
    const elsewhere = join(root, 'elsewhere')
    await mkdir(elsewhere)
    const site = await context.sites.get('shop')
    await context.sites.update({ ...site, vault: { path: elsewhere } })
    watch.sitesChanged()
    await sleep(Math.min(1500, allowed(300)))
    await writtenByOthers(elsewhere)
    expect(await told(1)).toBe(1)
    await watch.close()
    await writtenByOthers(server)
    expect(await told(2, 600)).toBe(1)
  })

  it('does not look at the demo site now and then', async () => {
    const { server, told } = await watchedSite({ folderPoll: 50 }, { isDemo: true, without: 'folder' })
    await mkdir(server, { recursive: true })
    await writtenByOthers(server)
    expect(await told(1, 500)).toBe(0)
  })
})
