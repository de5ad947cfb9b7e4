import { expect, goToSite, pictures, test } from './support/desk.ts'

/* A site's password tried on its newest backups. */

test('a password is tried on the newest encrypted backups', async ({ desk }) => {
  const { window } = desk
  await desk.openDemo()
  await goToSite(window, 'demo', 'Settings')
  await window.getByRole('tab', { name: 'Encryption' }).click()
  const panel = window.getByRole('region', { name: 'Password test' })
  await window.getByRole('button', { name: 'Test it' }).click()
  await expect(panel).toContainText('Opens the newest backup')
  await expect(panel).toContainText(/The stored password opens demo-\w+\.sql\.gz\.enc of .* on the server/)
  await pictures(desk, 'settings-password-opens')

  await window.getByRole('button', { name: 'Replace it…' }).click()
  await window.getByRole('textbox', { name: 'Password for backups' }).fill('not the password')
  await window.getByRole('button', { name: 'Test it' }).click()
  await expect(panel).toContainText('Does not open it')
  await expect(panel).toContainText('The given password does not open')
  await expect(window.getByText(/Save waits for “I have stored it”/)).toBeVisible()
  await pictures(desk, 'settings-password-does-not-open')

  await window.getByRole('button', { name: 'Generate one' }).click()
  const shown = window.locator('code[data-selectable]').first()
  await expect(shown).toHaveText(/^[0-9a-z]{4}(?:-[0-9a-z]{4}){6}$/)
  const first = await shown.textContent()
  await expect(panel).toBeHidden()
  await window.getByRole('textbox', { name: 'Where it is stored' }).fill('the safe')
  await pictures(desk, 'settings-password-generated')
  await window.getByRole('button', { name: 'Discard' }).click()
  await expect(window.getByText('A password is stored for demo. It is not shown.')).toBeVisible()
  await expect(window.getByText('Nothing changed')).toBeVisible()
  // another one each time, and none is left in the page
  await window.getByRole('button', { name: 'Replace it…' }).click()
  await window.getByRole('button', { name: 'Generate one' }).click()
  expect(await shown.textContent()).not.toBe(first)
  await window.getByRole('button', { name: 'Discard' }).click()
})
