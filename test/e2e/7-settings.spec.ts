import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Locator, Page } from '@playwright/test'
import { filesWith, textOf } from './support/canary.ts'
import {
  closes,
  complaints,
  confirm,
  confirmationOf,
  type Desk,
  expect,
  goTo,
  goToSite,
  jobBar,
  pictures,
  quiet,
  sidebar,
  statePictures,
  test,
} from './support/desk.ts'
import { jobIs, preferences, startedBy } from './support/jobs.ts'

/* Settings, stored passwords and preferences; and that no password which was typed is found anywhere afterwards. */

const PASSPHRASE = 'canary passphrase ½ of the store'
const WRONG = 'canary of a wrong passphrase'

const tab = (window: Page, name: string): Locator => window.getByRole('tab', { name })

interface Database {
  port: number
  password: string
}

async function demoDatabase(desk: Desk): Promise<Database> {
  const { database } = JSON.parse(await readFile(join(desk.home, 'sites', 'demo.json'), 'utf8')) as { database: { port: number } }
  return { port: database.port, password: await readFile(join(desk.home, 'demo', 'database-password'), 'utf8') }
}

/** Fills the form of a new site that reads the demo's database. */
async function fillSite(window: Page, name: string, { port, password }: Database): Promise<void> {
  await goTo(window, 'All sites')
  await window.getByRole('button', { name: 'Add site' }).click()
  await window.getByRole('button', { name: 'By hand' }).click()
  await window.getByRole('textbox', { name: 'Site name' }).fill(name)
  await window.getByRole('textbox', { name: 'Host and port' }).fill('127.0.0.1')
  await window.getByRole('textbox', { name: 'Port', exact: true }).fill(String(port))
  for (const field of ['Database', 'Schema', 'User']) await window.getByRole('textbox', { name: field, exact: true }).fill('demo')
  await window.getByRole('textbox', { name: 'Password', exact: true }).fill(password)
}

/** The site `museum`, as the tests of this file leave it; made when it is not there. */
async function withMuseum(desk: Desk): Promise<void> {
  const { window } = desk
  await desk.openDemo()
  if (await sidebar(window).getByRole('button', { name: 'museum' }).isVisible()) return
  await fillSite(window, 'museum', await demoDatabase(desk))
  await window.getByRole('button', { name: 'Add museum' }).click()
  const added = window.getByRole('heading', { name: 'museum · Overview' })
  const dialog = window.getByRole('dialog')
  await expect(dialog.or(added)).toBeVisible()
  if (await dialog.isVisible()) {
    for (const field of await dialog.locator('input').all()) await field.fill(PASSPHRASE)
    await dialog.getByRole('button', { name: /^(?:Create store|Unlock)$/ }).click()
  }
  await expect(added).toBeVisible()
}

test('the settings of a site have a test beside the form, step by step', async ({ desk }) => {
  const { window } = desk
  await desk.openDemo()
  await goToSite(window, 'demo', 'Settings')
  const panel = window.getByRole('region', { name: 'Test result' })
  await window.getByRole('button', { name: 'Test', exact: true }).click()
  await expect(panel).toContainText('Works')
  await pictures(desk, 'settings-connections')
  await window.getByRole('group', { name: 'Connection' }).getByRole('button', { name: 'Server' }).click()
  await statePictures(desk, 'settings-server')
  await window.getByRole('group', { name: 'Connection' }).getByRole('button', { name: 'Vault' }).click()
  await statePictures(desk, 'settings-vault')

  await window.getByRole('group', { name: 'Connection' }).getByRole('button', { name: 'Database' }).click()
  await window.getByRole('textbox', { name: 'Port', exact: true }).fill('1')
  await window.getByRole('button', { name: 'Test again' }).click()
  await expect(panel).toContainText('failed')
  await expect(window.getByRole('status').filter({ hasText: '1 change not saved: port' })).toBeVisible()
  await statePictures(desk, 'settings-test-failed')
  await window.getByRole('button', { name: 'Discard' }).click()
  await expect(window.getByText('Nothing changed')).toBeVisible()

  await tab(window, 'Encryption').click()
  await statePictures(desk, 'settings-encryption')
  await tab(window, 'Rotation').click()
  await window.getByRole('radio', { name: 'Monday is 2' }).click()
  await statePictures(desk, 'settings-rotation')
  await window.getByRole('button', { name: 'Discard' }).click()
})

test('nights are set, with what the coming ones replace', async ({ desk }) => {
  const { window } = desk
  await desk.openDemo()
  await goToSite(window, 'demo', 'Settings')
  await tab(window, 'Nights').click()
  await window.getByRole('switch', { name: 'Back up demo every night' }).click({ force: true })
  // a time that comes, so that no night is due now
  const soon = new Date(Date.now() + 3 * 3600_000).toISOString().slice(11, 16)
  await window.getByRole('textbox', { name: 'From' }).fill('25:00')
  await expect(window.getByText('A time is written HH:MM, 00:00 to 23:59 UTC.')).toBeVisible()
  await window.getByRole('textbox', { name: 'From' }).fill(soon)
  await expect(window.getByText(/on this computer’s clock today/)).toBeVisible()
  await window.getByRole('button', { name: 'Save the settings of demo' }).click()
  await expect(window.getByText('Nothing changed')).toBeVisible()
  await expect(window.getByRole('region', { name: 'Coming nights' })).toContainText(`${soon} UTC`)
  await expect(window.getByRole('table', { name: 'Coming nights of demo' }).getByRole('row')).toHaveCount(15)
  await pictures(desk, 'settings-nights')
  await expect(jobBar(window)).toContainText(/No jobs running.*Next: demo .*UTC/)

  await goToSite(window, 'demo', 'Backups')
  await window.getByRole('button', { name: 'Coming nights' }).press('Enter')
  await expect(window.getByRole('dialog', { name: 'Coming nights' })).toBeVisible()
  await pictures(desk, 'backups-coming-nights')
  await window.keyboard.press('Escape')
  await expect(window.getByRole('dialog', { name: 'Coming nights' })).toBeHidden()
  await goTo(window, 'All sites')
  await expect(window.getByRole('table', { name: 'Sites' })).toContainText(soon)
  await statePictures(desk, 'all-sites-nights')

  await goToSite(window, 'demo', 'Settings')
  await tab(window, 'Nights').click()
  const target = await confirmationOf(desk, async () => {
    await window.getByRole('combobox', { name: 'Into' }).click()
    await window.getByRole('option', { name: 'The server’s folder' }).click()
    await window.getByRole('button', { name: 'Save the settings of demo' }).click()
  })
  await statePictures(desk, 'confirm-server-nights', target)
  await closes(target, () => target.getByRole('button', { name: 'Cancel' }).click())
  await expect(window.getByText(/Not confirmed. The nights of demo stay/)).toBeVisible()
  await expect(window.getByText('1 change not saved: target of the nights')).toBeVisible()
  await window.getByRole('button', { name: 'Discard' }).click()
  await window.getByRole('switch', { name: 'Back up demo every night' }).click({ force: true })
  await window.getByRole('button', { name: 'Save the settings of demo' }).click()
  await expect(window.getByRole('region', { name: 'Coming nights' })).toContainText('Off')

  await tab(window, 'Dump').click()
  await window.getByRole('radio', { name: 'Built-in' }).click()
  await statePictures(desk, 'settings-dump')
  await window.getByRole('button', { name: 'Discard' }).click()
})

test('leaving settings that are not saved is asked about first', async ({ desk }) => {
  const { window } = desk
  await desk.openDemo()
  await goToSite(window, 'demo', 'Settings')
  await tab(window, 'Rotation').click()
  await window.getByRole('radio', { name: 'Monday is 2' }).click()
  const dialog = window.getByRole('dialog', { name: 'Leave without saving?' })
  await window.keyboard.press('Control+j')
  await expect(dialog).toContainText('1 change of demo: rotation')
  await statePictures(desk, 'settings-leaving')
  // staying is the default
  await window.keyboard.press('Enter')
  await expect(dialog).toBeHidden()
  await expect(window.getByText('1 change not saved: rotation')).toBeVisible()
  await tab(window, 'Connections').click()
  await expect(dialog).toBeHidden()
  await window.keyboard.press('Control+j')
  await dialog.getByRole('button', { name: 'Leave without saving' }).click()
  await expect(window.getByRole('heading', { name: 'All jobs' })).toBeVisible()
  await goToSite(window, 'demo', 'Settings')
  await expect(window.getByText('Nothing changed')).toBeVisible()
})

test('a new site whose name is taken is refused, in words', async ({ desk }) => {
  const { window } = desk
  await desk.openDemo()
  await fillSite(window, 'demo', { ...(await demoDatabase(desk)), password: '' })
  await window.getByRole('button', { name: 'Add demo' }).click()
  await expect(window.getByRole('alert')).toContainText('Not added.')
  await statePictures(desk, 'add-site-refused')
  await window.getByRole('button', { name: 'Cancel' }).click()
})

test('the first password that is kept asks for a passphrase', async ({ desk }) => {
  const { window } = desk
  await desk.openDemo()
  await fillSite(window, 'museum', await demoDatabase(desk))
  await window.getByRole('button', { name: 'Add museum' }).click()
  const dialog = window.getByRole('dialog', { name: 'Choose a passphrase' })
  await dialog.getByRole('textbox', { name: 'Passphrase' }).fill(PASSPHRASE)
  await dialog.getByRole('textbox', { name: 'The same again' }).fill(WRONG)
  await expect(dialog.getByText('The two differ.')).toBeVisible()
  await expect(dialog.getByRole('button', { name: 'Create store' })).toBeDisabled()
  await statePictures(desk, 'secrets-create')
  await dialog.getByRole('textbox', { name: 'The same again' }).fill(PASSPHRASE)
  await dialog.getByRole('button', { name: 'Create store' }).click()
  await expect(window.getByRole('heading', { name: 'museum · Overview' })).toBeVisible()
  await pictures(desk, 'site-overview-empty')
  await goToSite(window, 'museum', 'Backups')
  await expect(window.getByRole('heading', { name: 'No backup of museum yet' })).toBeVisible()
  await pictures(desk, 'backups-empty')
})

test('encryption is set up with a password that is shown once and has to be stored', async ({ desk }) => {
  const { window } = desk
  await withMuseum(desk)
  await goToSite(window, 'museum', 'Settings')
  await tab(window, 'Encryption').click()
  await window.getByRole('switch', { name: 'Encrypt backups of museum' }).click({ force: true })
  await window.getByRole('button', { name: 'Generate one' }).click()
  const generated = (await window.locator('code[data-selectable]').first().textContent()) ?? ''
  expect(generated.length).toBeGreaterThanOrEqual(16)
  const save = window.getByRole('button', { name: 'Save the settings of museum' })
  await expect(save).toBeDisabled()
  await expect(window.getByText(/Save waits for “I have stored it”/)).toBeVisible()
  await pictures(desk, 'settings-encryption-generated')
  await window.getByRole('checkbox', { name: 'I have stored it' }).click()
  await save.click()
  await expect(window.getByText('A password is stored for museum. It is not shown.')).toBeVisible()
  expect(await textOf(window)).not.toContain(generated)

  await goToSite(window, 'museum', 'Backups')
  const id = await startedBy(desk, () => window.getByRole('button', { name: 'Back up museum now' }).first().click())
  const { result } = await jobIs(desk, id, 'done')
  await expect(window.getByRole('table', { name: 'Backups' }).getByRole('row').nth(1)).toContainText('no files')
  await statePictures(desk, 'backups-database-only')
  expect(result).toMatchObject({ name: expect.stringMatching(/^museum-/) })
  const secrets = { passphrase: PASSPHRASE, wrong: WRONG, generated }
  expect(await filesWith(desk.home, secrets)).toEqual([])
})

test('after a restart the store is locked until the passphrase is given', async ({ desk }) => {
  await withMuseum(desk)
  await desk.restart()
  const { window } = desk
  // the demo's database ended with the app: its pages say so, and start it
  await goToSite(window, 'demo', 'Overview')
  await expect(window.getByRole('note')).toContainText('The demo site is stopped.')
  await expect(window.getByRole('alert')).toHaveCount(0)
  await statePictures(desk, 'site-overview-demo-stopped')
  await window.getByRole('button', { name: 'Start the demo site' }).click()
  await expect(window.getByText('The demo site is stopped.')).toBeHidden()
  await quiet(window)
  await goTo(window, 'Preferences')
  await expect(window.getByText('Locked', { exact: true })).toBeVisible()
  await pictures(desk, 'preferences-locked')
  // the demo's database has another port after each start
  await goToSite(window, 'museum', 'Settings')
  await window.getByRole('textbox', { name: 'Port', exact: true }).fill(String((await demoDatabase(desk)).port))
  await window.getByRole('button', { name: 'Save the settings of museum' }).click()
  await expect(window.getByText('Nothing changed')).toBeVisible()
  await goToSite(window, 'museum', 'Backups')
  await window.getByRole('button', { name: 'Back up museum now' }).first().click()
  const dialog = window.getByRole('dialog', { name: 'Unlock stored passwords' })
  await expect(dialog).toBeVisible()
  await dialog.getByRole('textbox', { name: 'Passphrase' }).fill(WRONG)
  await dialog.getByRole('button', { name: 'Unlock' }).click()
  await expect(dialog.getByRole('alert')).toBeVisible()
  await statePictures(desk, 'secrets-wrong-passphrase')
  await dialog.getByRole('textbox', { name: 'Passphrase' }).fill(PASSPHRASE)
  const id = await startedBy(desk, () => dialog.getByRole('button', { name: 'Unlock' }).click())
  await jobIs(desk, id, 'done')
  await goTo(window, 'Preferences')
  await expect(window.getByText('Open', { exact: true })).toBeVisible()
})

test('what goes on in the background is a preference', async ({ desk }) => {
  const { window } = desk
  await goTo(window, 'Preferences')
  const stay = window.getByRole('switch', { name: 'Stay in the tray when the window is closed' })
  await stay.click({ force: true })
  await expect(stay).toBeChecked()
  const saved = async () => (await preferences(desk)).stayInTray
  await expect.poll(saved).toBe(true)
  await statePictures(desk, 'preferences-background')
  await stay.click({ force: true })
  await expect.poll(saved).toBe(false)
})

test('the theme follows the preference', async ({ desk }) => {
  const { window } = desk
  await goTo(window, 'Preferences')
  await window.getByRole('button', { name: 'Dark' }).click()
  await expect(window.locator('html')).toHaveAttribute('data-mantine-color-scheme', 'dark')
  expect(await desk.app.electron.evaluate(({ nativeTheme }) => nativeTheme.themeSource)).toBe('dark')
  await desk.restart()
  await expect(desk.window.locator('html')).toHaveAttribute('data-mantine-color-scheme', 'dark')
  await goTo(desk.window, 'Preferences')
  await desk.window.getByRole('button', { name: 'As the system' }).click()
  await expect.poll(() => desk.app.electron.evaluate(({ nativeTheme }) => nativeTheme.themeSource)).toBe('system')
})

test('a site is removed with its name typed, and its backups stay', async ({ desk }) => {
  await withMuseum(desk)
  const { window } = desk
  await goToSite(window, 'museum', 'Settings')
  const page = await confirmationOf(desk, () => window.getByRole('button', { name: 'Remove site…' }).click())
  await statePictures(desk, 'confirm-remove-site', page)
  await confirm(page, 'museum')
  await expect(window.getByText(/museum is removed from Backup Desk\. Its backups stay in/)).toBeVisible()
  await expect(sidebar(window).getByRole('button', { name: 'museum' })).toBeHidden()
  await statePictures(desk, 'site-removed')
})

test('no password that was typed is found in files, pages or messages', async ({ desk }) => {
  const { window } = desk
  await withMuseum(desk)
  const { password } = await demoDatabase(desk)
  for (const page of ['Overview', 'Backups', 'Jobs', 'Settings'] as const) {
    await goToSite(window, 'museum', page)
    const text = await textOf(window)
    for (const secret of [PASSPHRASE, WRONG, password]) expect(text).not.toContain(secret)
  }
  expect(await filesWith(desk.home, { passphrase: PASSPHRASE, wrong: WRONG })).toEqual([])
  // the demo keeps its database's password in a file of its own
  expect(await filesWith(desk.home, { database: password }, ['demo/'])).toEqual([])
  expect(desk.app.messages.filter((text) => [PASSPHRASE, WRONG, password].some((secret) => text.includes(secret)))).toEqual([])
  expect(complaints(desk.app)).toEqual([])
})
