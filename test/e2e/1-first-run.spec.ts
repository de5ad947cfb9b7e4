import { expect } from '@playwright/test'
import { goTo, jobBar, pictures, sidebar, statePictures, test } from './support/desk.ts'

/* An empty home folder: two ways on, and what the window offers before there is a site. */

test('with no site it offers two ways on, and the drop as a third', async ({ desk }) => {
  const { window } = desk
  await expect(window.getByRole('heading', { name: 'No site is protected from here yet' })).toBeVisible()
  await expect(window.getByRole('button', { name: 'Add a site…' })).toBeVisible()
  await expect(window.getByRole('button', { name: 'Open the demo site' })).toBeEnabled()
  await expect(window.getByRole('button', { name: /Only have \.enc files/ })).toBeVisible()
  await expect(sidebar(window).getByText('None yet')).toBeVisible()
  await expect(jobBar(window)).toContainText('No jobs running')
  await pictures(desk, 'first-run')
})

test('pages without anything to show say what to do', async ({ desk }) => {
  const { window } = desk
  await goTo(window, 'Decrypt files')
  await expect(window.getByRole('heading', { name: 'Drop .enc files anywhere on this window' })).toBeVisible()
  await pictures(desk, 'decrypt-empty')
  await goTo(window, 'All jobs')
  await statePictures(desk, 'jobs-empty')
})

test('the form of a new site says what is missing, field by field', async ({ desk }) => {
  const { window } = desk
  await goTo(window, 'All sites')
  await window.getByRole('button', { name: 'Add a site…' }).click()
  await expect(window.getByRole('button', { name: 'Look at the server' })).toBeDisabled()
  await pictures(desk, 'add-site-from-a-server')
  await window.getByRole('button', { name: 'By hand' }).click()
  const add = window.getByRole('button', { name: /^Add (?:site$|9)/ })
  await expect(add).toBeDisabled()
  await window.getByRole('textbox', { name: 'Site name' }).fill('9 lives')
  await window.getByRole('textbox', { name: 'Host and port' }).fill('')
  await window.getByRole('textbox', { name: 'Port', exact: true }).fill('99999')
  await expect(window.getByRole('textbox', { name: 'Site name' })).toHaveAttribute('aria-invalid', 'true')
  await expect(window.getByRole('textbox', { name: 'Host and port' })).toHaveAttribute('aria-invalid', 'true')
  await expect(window.getByRole('textbox', { name: 'Port', exact: true })).toHaveAttribute('aria-invalid', 'true')
  await expect(add).toBeDisabled()
  await pictures(desk, 'add-site-errors')
  await window.getByRole('button', { name: 'Cancel' }).click()
  await expect(window.getByRole('heading', { name: 'No site is protected from here yet' })).toBeVisible()
})
