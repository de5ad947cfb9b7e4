import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { demoFolders } from './support/demo.ts'
import {
  confirm,
  confirmationOf,
  type Desk,
  expect,
  goTo,
  goToSite,
  jobBar,
  pictures,
  sidebar,
  statePictures,
  test,
} from './support/desk.ts'
import { jobIs, startedBy } from './support/jobs.ts'

/* What goes wrong is told with what stays intact and a way on. */

async function stopDemo(desk: Desk): Promise<void> {
  const { window } = desk
  await goTo(window, 'Preferences')
  await window.getByRole('button', { name: 'Stop', exact: true }).click()
  await expect(window.getByRole('button', { name: 'Start', exact: true })).toBeVisible({ timeout: 60_000 })
}

test('a backup from a database that is down fails with a reason and a way on', async ({ desk }) => {
  const { window } = desk
  await desk.openDemo()
  await stopDemo(desk)
  await statePictures(desk, 'preferences-demo-stopped')
  await goToSite(window, 'demo', 'Backups')
  const id = await startedBy(desk, () => window.getByRole('button', { name: 'Back up demo now' }).click())
  const { error } = await jobIs(desk, id, 'failed')
  expect(error?.hint).not.toBe('')
  await expect(jobBar(window)).toContainText('Backing up demo: failed')
  await pictures(desk, 'backups-failed')
  await jobBar(window).getByRole('button', { name: 'Show' }).click()
  await expect(window.getByRole('complementary', { name: 'Backing up demo' }).getByRole('alert')).toContainText(
    error?.message ?? '?',
  )
  await expect(jobBar(window)).toContainText('No jobs running')
  await statePictures(desk, 'job-failed')
  await goToSite(window, 'demo', 'Settings')
  await window.getByRole('button', { name: 'Test', exact: true }).click()
  await expect(window.getByRole('region', { name: 'Test result' })).toContainText('failed')
  await goToSite(window, 'demo', 'Backups')
  await window.keyboard.press('r')
  await expect(window.getByText('There is no plan.')).toBeVisible()
  await statePictures(desk, 'restore-no-plan')
  await window.keyboard.press('Escape')
})

test('a damaged index is reported with a way out, and the other repository still listed', async ({ desk }) => {
  const { window } = desk
  await desk.openDemo()
  const { server } = demoFolders(desk)
  const path = join(server, 'backup.json')
  const whole = await readFile(path)
  await writeFile(path, whole.subarray(0, 100))
  try {
    await goToSite(window, 'demo', 'Backups')
    await window.keyboard.press('F5')
    await expect(window.getByRole('note').filter({ hasText: 'backup.json' }).first()).toBeVisible()
    await pictures(desk, 'backups-index-damaged')
    await goToSite(window, 'demo', 'Overview')
    await statePictures(desk, 'site-overview-index-damaged')
  } finally {
    await writeFile(path, whole)
  }
  await goToSite(window, 'demo', 'Backups')
  await window.keyboard.press('F5')
  await expect(window.getByRole('note').filter({ hasText: 'backup.json' })).toHaveCount(0)
  await expect(window.getByRole('table', { name: 'Backups' })).toBeVisible()
})

test('a settings file that cannot be read is kept aside and reported', async ({ desk }) => {
  const { window } = desk
  await desk.openDemo()
  const path = join(desk.home, 'sites', 'broken.json')
  await writeFile(path, '{ "version": 1, "name": "broken", ')
  await goTo(window, 'All sites')
  await window.getByRole('button', { name: 'Check now' }).click()
  const problem = window.getByRole('note').filter({ hasText: 'broken.json' })
  await expect(problem).toContainText('Kept as')
  await pictures(desk, 'all-sites-problem')
  const kept = ((await problem.locator('code').textContent()) ?? '').trim()
  expect(await readFile(kept, 'utf8')).toContain('"broken"')
  await rm(kept)
  await window.getByRole('button', { name: 'Check now' }).click()
  await expect(problem).toHaveCount(0)
})

test('the demo is removed with its name typed', async ({ desk }) => {
  const { window } = desk
  await desk.openDemo()
  await goTo(window, 'Preferences')
  const page = await confirmationOf(desk, () => window.getByRole('button', { name: 'Remove…' }).click())
  await expect(page.getByRole('heading')).toHaveText('Remove the demo site from this computer?')
  await statePictures(desk, 'confirm-remove-demo', page)
  await confirm(page, 'demo')
  await expect(window.getByText('Not set up')).toBeVisible({ timeout: 60_000 })
  await statePictures(desk, 'preferences-demo-absent')
  await expect(sidebar(window).getByRole('button', { name: 'demo' })).toHaveCount(0)
  expect(await stat(join(desk.home, 'demo')).catch(() => null)).toBeNull()
})
