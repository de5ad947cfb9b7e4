import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from '@playwright/test'
import { projectRoot } from './support/app.ts'
import { demoFolders, withLargeMedium } from './support/demo.ts'
import { closes, confirm, confirmationOf, expect, goTo, goToSite, jobBar, pictures, statePictures, test } from './support/desk.ts'
import { jobIs, jobs, killEngine, startedBy } from './support/jobs.ts'

/* Back up now: into the vault, into the server's folder, cancelled, and with the engine killed in its middle. */

const backUpNow = (window: Page) => window.getByRole('button', { name: 'Back up demo now' })
const newestRow = (window: Page) => window.getByRole('table', { name: 'Backups' }).getByRole('row').nth(1)

async function intoServer(window: Page): Promise<void> {
  await window.getByRole('button', { name: 'Other ways to back up' }).click()
  await window.getByRole('menuitem', { name: /Into the server’s folder/ }).click()
}

async function indexOf(folder: string): Promise<string> {
  return readFile(join(folder, 'backup.json'), 'utf8').catch(() => '')
}

async function leftovers(folder: string): Promise<string[]> {
  const files = await readdir(folder).catch(() => [])
  return files.filter((name) => name.includes('.part') || name.startsWith('.'))
}

test('a backup goes into the vault, with its progress in the job bar', async ({ desk }) => {
  const { window } = desk
  await desk.openDemo()
  await goToSite(window, 'demo', 'Backups')
  await withLargeMedium(desk, 12, async () => {
    const id = await startedBy(desk, () => backUpNow(window).click())
    await expect(jobBar(window)).toContainText('Backing up demo')
    await expect(jobBar(window).getByRole('progressbar', { name: 'Backing up demo' })).toBeVisible()
    await statePictures(desk, 'backups-backing-up')
    await jobIs(desk, id, 'done')
  })
  await expect(newestRow(window)).toContainText('just now')
  await expect(newestRow(window).getByRole('img', { name: 'In the vault', exact: true })).toBeVisible()
  await expect(jobBar(window)).toContainText('No jobs running')
  await pictures(desk, 'backups-after-backup')
})

test('what the window encrypted, zbd verifies to its end', async ({ desk }) => {
  await desk.openDemo()
  await goToSite(desk.window, 'demo', 'Backups')
  if ((await indexOf(demoFolders(desk).vault)) === '') {
    await jobIs(desk, await startedBy(desk, () => backUpNow(desk.window).click()), 'done')
  }
  const [name, entry] = Object.entries(
    JSON.parse(await indexOf(demoFolders(desk).vault)) as Record<string, { database: string }>,
  )[0]!
  expect(entry.database).toMatch(/\.sql\.gz\.enc$/)
  const args = [join(projectRoot, 'bin', 'zbd'), 'verify', 'demo', name, '--from', 'vault', '--home', desk.home, '--json']
  const printed = await new Promise<string>((resolve) => execFile(process.execPath, args, (_error, stdout) => resolve(stdout)))
  expect(JSON.parse(printed)).toMatchObject({ ok: true })
})

test('the job says what it did, and keeps its log', async ({ desk }) => {
  const { window } = desk
  await desk.openDemo()
  await goToSite(window, 'demo', 'Backups')
  if (!(await jobs(desk)).some(({ kind, state }) => kind === 'backup' && state === 'done'))
    await jobIs(desk, await startedBy(desk, () => backUpNow(window).click()), 'done')
  await goToSite(window, 'demo', 'Jobs')
  await window.getByRole('table').getByRole('button', { name: 'Backing up demo' }).first().click()
  const detail = window.getByRole('complementary', { name: 'Backing up demo' })
  await expect(detail).toContainText('Done')
  await expect(detail.getByRole('textbox', { name: 'Log' })).not.toBeEmpty()
  await pictures(desk, 'job-done')
})

test('into the server’s folder it goes only with the site’s name in the shell’s window', async ({ desk }) => {
  const { window } = desk
  await desk.openDemo()
  await goToSite(window, 'demo', 'Backups')
  const { server } = demoFolders(desk)
  const before = await indexOf(server)
  await window.getByRole('button', { name: 'Other ways to back up' }).click()
  await expect(window.getByRole('menuitem', { name: /Into the server’s folder/ })).toBeVisible()
  await statePictures(desk, 'backups-menu')
  await window.keyboard.press('Escape')

  const refused = await confirmationOf(desk, () => intoServer(window))
  await expect(refused.getByRole('heading')).toHaveText('Back up demo into the server’s folder of demo?')
  await statePictures(desk, 'confirm-server-backup', refused)
  await closes(refused, () => refused.getByRole('button', { name: 'Cancel' }).click())
  expect(await indexOf(server)).toBe(before)

  const id = await startedBy(desk, async () => confirm(await confirmationOf(desk, () => intoServer(window)), 'demo'))
  await jobIs(desk, id, 'done')
  expect(await indexOf(server)).not.toBe(before)
  await expect(newestRow(window)).toContainText('just now')
  await expect(newestRow(window).getByRole('img', { name: 'On the server', exact: true })).toBeVisible()
})

test('a cancelled backup leaves the vault as it was', async ({ desk }) => {
  const { window } = desk
  await desk.openDemo()
  await goToSite(window, 'demo', 'Backups')
  const { vault } = demoFolders(desk)
  const before = await indexOf(vault)
  await withLargeMedium(desk, 80, async () => {
    const id = await startedBy(desk, () => backUpNow(window).click())
    await expect(jobBar(window).getByRole('progressbar')).toBeVisible()
    await jobBar(window).getByRole('button', { name: 'Cancel' }).click()
    await jobIs(desk, id, 'cancelled')
  })
  expect(await indexOf(vault)).toBe(before)
  expect(await leftovers(vault)).toEqual([])
  await goTo(window, 'All jobs')
  await expect(window.getByRole('row').nth(1).getByRole('img', { name: 'Cancelled' })).toBeVisible()
  await window.getByRole('table').getByRole('button', { name: 'Backing up demo' }).first().click()
  await statePictures(desk, 'job-cancelled')
})

test('a killed engine leaves the window standing and the job interrupted', async ({ desk }) => {
  const { window } = desk
  await desk.openDemo()
  await goToSite(window, 'demo', 'Backups')
  const { vault } = demoFolders(desk)
  const before = await indexOf(vault)
  await withLargeMedium(desk, 80, async () => {
    const id = await startedBy(desk, () => backUpNow(window).click())
    await expect(jobBar(window).getByRole('progressbar')).toBeVisible()
    await killEngine(desk)
    await jobIs(desk, id, 'interrupted')
  })
  await expect(jobBar(window)).toContainText('Backing up demo: interrupted')
  await statePictures(desk, 'backups-interrupted')
  expect(await indexOf(vault)).toBe(before)
  await expect.poll(() => leftovers(vault)).toEqual([])
  await jobBar(window).getByRole('button', { name: 'Show' }).click()
  await expect(window.getByRole('complementary', { name: 'Backing up demo' })).toContainText('Interrupted')
  await statePictures(desk, 'job-interrupted')
  await expect(jobBar(window)).toContainText('No jobs running')

  await desk.openDemo()
  await goToSite(window, 'demo', 'Backups')
  await jobIs(desk, await startedBy(desk, () => backUpNow(window).click()), 'done')
})
