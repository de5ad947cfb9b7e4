import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from '@playwright/test'
import { demoFolders, flipBit } from './support/demo.ts'
import {
  closes,
  confirm,
  confirmationOf,
  type Desk,
  expect,
  goTo,
  goToSite,
  jobBar,
  pictures,
  statePictures,
  test,
} from './support/desk.ts'
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
  await expect(inspector.getByText('not yet')).toHaveCount(1)
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

test('a backup is drilled: restored beside the site, looked at, and reported with the time it took', async ({ desk }) => {
  const { window } = desk
  const name = await withNewBackup(desk)
  await newestRow(window).getByRole('button').focus()
  const id = await startedBy(desk, () => window.keyboard.press('d'))
  await expect(newestRow(window)).toContainText('drilling')
  await statePictures(desk, 'backups-drilling')
  await jobIs(desk, id, 'done')
  await expect(newestRow(window)).toContainText('L3')
  const inspector = window.getByRole('complementary', { name: `Backup ${name}` })
  await expect(inspector).toContainText(/L3 Restored in a drill/)
  await expect(inspector).toContainText(/Measured recovery time [\d.]+ (?:ms|s)/)
  await expect(inspector).toContainText('Edges have both ends')
  await pictures(desk, 'backups-drilled')
  await inspector.getByText('Measured recovery time').scrollIntoViewIfNeeded()
  await statePictures(desk, 'backups-drill-report')
  await goToSite(window, 'demo', 'Overview')
  const facts = window.getByRole('complementary', { name: 'Facts of demo' })
  await expect(facts).toContainText(/Restored in (?:under )?\d+ s on \d+ \w+/)
  await statePictures(desk, 'site-overview-drilled')
})

test('a drill that fails turns the overview red, with the reason', async ({ desk }) => {
  const { window } = desk
  const name = await withNewBackup(desk)
  const { vault } = demoFolders(desk)
  const database = (await readdir(vault)).find((file) => file.startsWith(`${name}.sql.gz`)) ?? ''
  await flipBit(join(vault, database))
  const id = await startedBy(desk, () => window.getByRole('button', { name: 'Drill newest' }).click())
  await jobIs(desk, id, 'done')
  await expect(newestRow(window)).toContainText('drill failed')
  const inspector = window.getByRole('complementary', { name: `Backup ${name}` })
  await expect(inspector.getByRole('note')).toContainText(database)
  await expect(inspector).toContainText('The scratch database is kept, to be looked at:')
  await statePictures(desk, 'backups-drill-failed')
  await goTo(window, 'All sites')
  const row = window.getByRole('table', { name: 'Sites' }).getByRole('row').filter({ hasText: 'demo' })
  await expect(row).toContainText('Unprotected')
  await expect(row).toContainText(`The drill of ${name}`)
  await expect(row).toContainText('drill failed')
  await pictures(desk, 'all-sites-drill-failed')
  await goToSite(window, 'demo', 'Overview')
  await pictures(desk, 'site-overview-drill-failed')
  await goToSite(window, 'demo', 'Jobs')
  await window
    .getByRole('table', { name: 'Jobs' })
    .getByRole('button', { name: `Drilling ${name}` })
    .first()
    .click()
  await expect(window.getByRole('complementary', { name: `Drilling ${name}` })).toContainText('Not restored')
  await pictures(desk, 'job-drill-failed')

  // the next good backup makes it well again
  await withNewBackup(desk)
  await goToSite(window, 'demo', 'Overview')
  await expect(window.getByRole('main')).not.toContainText(`The drill of ${name}`)
})

test('a pinned backup stays out of the rotation, and is deleted only with the site’s name', async ({ desk }) => {
  const { window } = desk
  await withNewBackup(desk)
  await newestRow(window).getByRole('button').focus()
  const pinned = await jobIs(desk, await startedBy(desk, () => window.keyboard.press('p')), 'done')
  const { name } = pinned.result as { name: string }
  await window.getByRole('button', { name: /^Pinned/ }).click()
  const row = newestRow(window)
  await expect(row).toContainText('Pinned · until deleted')
  await row.getByRole('button', { name }).click()
  const inspector = window.getByRole('complementary', { name: `Backup ${name}` })
  await expect(inspector.getByRole('button', { name: 'Pin', exact: true })).toHaveCount(0)
  await pictures(desk, 'backups-pinned')
  const refused = await confirmationOf(desk, () => window.keyboard.press('Delete'))
  await expect(refused.getByRole('heading')).toContainText(name)
  await statePictures(desk, 'confirm-delete-backup', refused)
  await closes(refused, () => refused.getByRole('button', { name: 'Cancel' }).click())
  await expect(row).toContainText('Pinned')
  const id = await startedBy(desk, async () =>
    confirm(await confirmationOf(desk, () => inspector.getByRole('button', { name: 'Delete…' }).click()), 'demo'),
  )
  await jobIs(desk, id, 'done')
  await expect(window.getByRole('table', { name: 'Backups' }).getByText(name)).toHaveCount(0)
  expect((await readdir(demoFolders(desk).vault)).filter((file) => file.includes('pinned'))).toEqual([])
})
