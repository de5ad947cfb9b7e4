import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { screenshot, setTheme, setWindowSize } from './support/app.ts'
import { expectAccessible } from './support/axe.ts'
import { backupRow, expect, goTo, goToSite, jobBar, pictures, quiet, sidebar, statePictures, test } from './support/desk.ts'

/* The demo site by its button, and what its pages show. */

test('the demo site opens by its button, and tells how far it is', async ({ desk }) => {
  const { window } = desk
  await goTo(window, 'All sites')
  await window.getByRole('button', { name: 'Open the demo site' }).click()
  const card = window.getByRole('region', { name: 'Open the demo site' })
  await expect(card.getByRole('progressbar', { name: 'Opening the demo site' })).toBeVisible()
  await expect(jobBar(window)).toContainText('Opening the demo site')
  await statePictures(desk, 'first-run-demo-opening')
  await expect(window.getByRole('heading', { name: 'demo · Overview' })).toBeVisible({ timeout: 90_000 })
  // it is there already, and goes on encrypting its newest backups
  await quiet(window, 90_000)
  await expect(window.getByRole('complementary', { name: 'Facts of demo' })).toContainText('demo-1')
})

test('its overview says how protected it is, and why', async ({ desk }) => {
  const { window } = desk
  await desk.openDemo()
  await goToSite(window, 'demo', 'Overview')
  await expect(window.getByText(/There is a copy on the server only/)).toBeVisible()
  await expect(window.getByRole('list', { name: 'Last 35 nights' }).getByRole('button')).toHaveCount(35)
  await pictures(desk, 'site-overview')
  await goTo(window, 'All sites')
  await expect(window.getByRole('table').getByRole('button', { name: 'demo', exact: true })).toBeVisible()
  await pictures(desk, 'all-sites')
})

test('its backups stand in one table, filtered by kind and by what is typed', async ({ desk }) => {
  const { window } = desk
  await desk.openDemo()
  await goToSite(window, 'demo', 'Backups')
  await expect(backupRow(window, 'demo-1')).toContainText('Daily')
  await expect(backupRow(window, 'demo-1').getByRole('img', { name: 'On the server', exact: true })).toBeVisible()
  await expect(window.getByRole('complementary', { name: 'Backup demo-1' })).toContainText('encrypted')
  await pictures(desk, 'backups')

  await window.getByRole('button', { name: /^Weekly/ }).click()
  await expect(backupRow(window, 'demo-1')).toHaveCount(0)
  await expect(backupRow(window, 'demo-w3')).toBeVisible()
  await window.getByRole('button', { name: /^All \d/ }).click()

  await window.keyboard.press('/')
  await expect(window.getByRole('textbox', { name: 'Filter' })).toBeFocused()
  await window.keyboard.type('no such backup')
  await expect(window.getByRole('heading', { name: 'No backup matches this filter' })).toBeVisible()
  await statePictures(desk, 'backups-none-match')
  await window.keyboard.press('Escape')
  await expect(backupRow(window, 'demo-1')).toBeVisible()
})

test('the table is walked with the keyboard alone', async ({ desk }) => {
  const { window } = desk
  await desk.openDemo()
  await goToSite(window, 'demo', 'Backups')
  const inspector = (name: string) => window.getByRole('complementary', { name: `Backup ${name}` })
  await backupRow(window, 'demo-1').getByRole('button').focus()
  await window.keyboard.press('ArrowDown')
  await expect(inspector('demo-w3')).toBeVisible()
  await window.keyboard.press('ArrowUp')
  await expect(inspector('demo-1')).toBeVisible()
  await window.keyboard.press('End')
  await expect(inspector('demo-w1')).toBeVisible()
  await window.keyboard.press('Home')
  await window.keyboard.press(' ')
  await expect(inspector('demo-1')).toBeHidden()
  await window.keyboard.press('Enter')
  await expect(inspector('demo-1')).toBeVisible()

  await setWindowSize(desk.app, '900x600')
  await backupRow(window, 'demo-1').getByRole('button').focus()
  await window.keyboard.press('Enter')
  await expect(window.getByRole('dialog', { name: 'Chosen backup' })).toBeVisible()
  await screenshot(window, 'backups-drawer-light-900x600')
  await expectAccessible(window)
  await window.keyboard.press('Escape')
  await expect(window.getByRole('dialog', { name: 'Chosen backup' })).toBeHidden()
  await setWindowSize(desk.app, '1280x800')
})

test('the palette and the keys lead everywhere', async ({ desk }) => {
  const { window } = desk
  await desk.openDemo()
  await goToSite(window, 'demo', 'Overview')
  await window.keyboard.press('g')
  await window.keyboard.press('b')
  await expect(window.getByRole('heading', { name: 'demo · Backups' })).toBeVisible()
  await window.keyboard.press('Control+k')
  await expect(window.getByRole('combobox', { name: 'Search or run' })).toBeFocused()
  await statePictures(desk, 'palette')
  await window.keyboard.type('decr')
  await expect(window.getByRole('option', { name: /Decrypt files/ })).toBeVisible()
  await window.keyboard.press('ArrowDown')
  await window.keyboard.press('ArrowUp')
  await window.keyboard.press('Escape')
  await expect(window.getByRole('combobox', { name: 'Search or run' })).toBeHidden()
  const keys = [
    ['Control+d', 'Decrypt files'],
    ['Control+j', 'All jobs'],
    ['Control+,', 'Preferences'],
    ['Control+0', 'All sites'],
    ['Control+1', 'demo · Overview'],
  ] as const
  for (const [key, heading] of keys) {
    await window.keyboard.press(key)
    await expect(window.getByRole('heading', { name: heading, level: 1 })).toBeVisible()
  }
})

test('the native menu lists the sites, and acts on the chosen backup', async ({ desk }) => {
  const { window } = desk
  await desk.openDemo()
  const choose = (menu: string, label: string) =>
    desk.app.electron.evaluate(
      ({ Menu }, [menu, label]) => {
        const { submenu } = Menu.getApplicationMenu()?.items.find((item) => item.label === menu) ?? {}
        const found = submenu?.items.find((item) => item.label === label)
        if (!found) throw new Error(`${menu} has no ${label}`)
        found.click()
      },
      [menu, label] as const,
    )
  await goTo(window, 'All jobs')
  await choose('&Backup', 'Drill (D)')
  await expect(window.getByText('Choose a backup on a site’s Backups page first.')).toBeVisible()
  await choose('&Site', 'demo')
  await expect(window.getByRole('heading', { name: 'demo · Overview' })).toBeVisible()
  await choose('&Site', 'Backups (G B)')
  await expect(window.getByRole('complementary', { name: /^Backup demo-/ })).toBeVisible()
  await choose('&Backup', 'Coming nights')
  await expect(window.getByRole('dialog', { name: 'Coming nights' })).toBeVisible()
  await window.keyboard.press('Escape')
  await window.keyboard.press('Control+k')
  await window.keyboard.type('pin')
  await expect(window.getByRole('option', { name: /^Pin demo-/ })).toBeVisible()
  await window.keyboard.press('Escape')
})

test('files that the index does not name are shown apart, and left alone', async ({ desk }) => {
  const { window } = desk
  await desk.openDemo()
  const backups = join(desk.home, 'demo', 'files', 'backup')
  await writeFile(join(backups, 'demo-w4.sql.gz'), 'left behind')
  await writeFile(join(backups, 'notes.txt'), 'not a backup')
  await goToSite(window, 'demo', 'Backups')
  await window.keyboard.press('F5')
  const unknown = window.getByRole('region', { name: 'Files that the index of the server does not name' })
  await expect(unknown).toContainText('demo-w4.sql.gz')
  await expect(unknown.getByRole('listitem').filter({ hasText: 'notes.txt' })).toContainText('foreign')
  await expect(sidebar(window).getByRole('button', { name: 'demo' })).toBeVisible()
  await unknown.scrollIntoViewIfNeeded()
  await setTheme(desk.app, 'light')
  await statePictures(desk, 'backups-unknown-files')
})
