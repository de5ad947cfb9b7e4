import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from '@playwright/test'
import { demoFolders, flipBit } from './support/demo.ts'
import { type Desk, expect, goTo, goToSite, jobBar, pictures, statePictures, test } from './support/desk.ts'
import { jobIs, startedBy } from './support/jobs.ts'

/* Verify: the proof of a backup grows, and one flipped bit is found and named. */

const newestRow = (window: Page) => window.getByRole('table', { name: 'Backups' }).getByRole('row').nth(1)

/** The Backups page with a new backup in the vault as its first row; returns the name. */
async function withNewBackup(desk: Desk): Promise<string> {
  const { window } = desk
  await desk.openDemo()
  await goToSite(window, 'demo', 'Backups')
  const id = await startedBy(desk, () => window.getByRole('button', { name: 'Back up demo now' }).click())
  const { result } = await jobIs(desk, id, 'done')
  await expect(newestRow(window)).toContainText('just now')
  await newestRow(window).getByRole('button').click()
  return (result as { name: string }).name
}

test('verifying every copy to its end is shown as proof', async ({ desk }) => {
  const { window } = desk
  const name = await withNewBackup(desk)
  await expect(newestRow(window)).toContainText('not verified')
  const inspector = window.getByRole('complementary', { name: `Backup ${name}` })
  const id = await startedBy(desk, () => inspector.getByRole('button', { name: 'Verify all copies' }).click())
  await jobIs(desk, id, 'done')
  await expect(newestRow(window)).toContainText('L2')
  await expect(inspector).toContainText('Opens and reads to the end')
  await expect(inspector.getByText('not yet')).toHaveCount(0)
  await pictures(desk, 'backups-verified')
  await goToSite(window, 'demo', 'Overview')
  await expect(window.getByRole('complementary', { name: 'Facts of demo' })).toContainText('L2')
  await statePictures(desk, 'site-overview-verified')
  await goTo(window, 'All sites')
  await statePictures(desk, 'all-sites-verified')
})

test('a flipped bit is found, named, and marked in the row', async ({ desk }) => {
  const { window } = desk
  const name = await withNewBackup(desk)
  const { vault } = demoFolders(desk)
  const database = (await readdir(vault)).find((file) => file.startsWith(`${name}.sql.gz`)) ?? ''
  await flipBit(join(vault, database))
  await newestRow(window).getByRole('button').focus()
  const id = await startedBy(desk, () => window.keyboard.press('v'))
  await jobIs(desk, id, 'done')
  await expect(newestRow(window)).toContainText('failed')
  const inspector = window.getByRole('complementary', { name: `Backup ${name}` })
  await expect(inspector.getByRole('note')).toContainText(`The vault copy failed verification. L1, ${database}`)
  await expect(window.getByRole('button', { name: /^Problems/ })).toContainText('1')
  await pictures(desk, 'backups-damaged')
  await window.getByRole('button', { name: /^Problems/ }).click()
  await expect(window.getByRole('table', { name: 'Backups' }).getByRole('row')).toHaveCount(2)
  await statePictures(desk, 'backups-problems')
  await goToSite(window, 'demo', 'Jobs')
  await window
    .getByRole('table')
    .getByRole('button', { name: `Verifying ${name}` })
    .first()
    .click()
  await statePictures(desk, 'job-verify-failed')
  await expect(jobBar(window)).toContainText('No jobs running')
})
