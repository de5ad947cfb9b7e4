import { expect, type Page, test } from '@playwright/test'
import { type App, launchApp, screenshot, setTheme } from './support/app.ts'
import { expectAccessible } from './support/axe.ts'

/* The shell's own confirmation window, asked for by the engine before something is deleted. */

test.describe.configure({ mode: 'serial' })

let app: App

test.beforeAll(async () => {
  app = await launchApp()
  const { jobId } = await app.window.evaluate(() => window.desk.invoke('demo.start', {}))
  await expect
    .poll(() => app.window.evaluate((id) => window.desk.invoke('jobs.show', { id }).then(({ job }) => job.state), jobId), {
      timeout: 90_000,
      intervals: [500],
    })
    .toBe('done')
})
test.afterAll(() => app.close())

/** Starts what needs to be confirmed; its answer is read with `outcome`. */
async function askToReset(): Promise<Page> {
  const opened = app.electron.waitForEvent('window')
  await app.window.evaluate(() => {
    const asked = window.desk.invoke('demo.reset', {})
    Object.assign(window, { asked: asked.then(({ jobId }) => jobId) })
  })
  const page = await opened
  await page.getByRole('textbox').waitFor()
  return page
}

function outcome(): Promise<string | null> {
  return app.window.evaluate(() => (window as unknown as { asked: Promise<string | null> }).asked)
}

test('shows the facts, has Cancel as its default, and runs nothing until the name was typed', async () => {
  const page = await askToReset()
  const run = page.locator('#run')
  const name = page.getByRole('textbox')
  await expect(name).toBeFocused()
  await expect(run).toBeDisabled()
  await expect(page.getByRole('heading')).not.toHaveText('Confirm')
  const typedName = (await page.locator('#typed').textContent()) ?? ''
  for (const wrong of [typedName.slice(0, -1), typedName.toUpperCase(), ` ${typedName}`, `${typedName} `]) {
    await name.fill(wrong)
    await expect(run).toBeDisabled()
  }
  await screenshot(page, 'confirmation-light')
  await expectAccessible(page)
  await name.fill(typedName)
  await expect(run).toBeEnabled()
  await setTheme(app, 'dark')
  await screenshot(page, 'confirmation-ready-dark')
  await expectAccessible(page)
  await setTheme(app, 'light')
  await page.keyboard.press('Enter').catch(() => {})
  expect(await outcome()).toBeNull()
  expect(page.isClosed()).toBe(true)
})

test('is cancelled by Escape, by Cancel and by closing it', async () => {
  const ways: ((page: Page) => Promise<unknown>)[] = [
    (page) => page.keyboard.press('Escape'),
    (page) => page.getByRole('button', { name: 'Cancel' }).click(),
    (page) => page.close(),
  ]
  for (const cancel of ways) {
    const page = await askToReset()
    await cancel(page).catch(() => {})
    expect(await outcome()).toBeNull()
  }
})

test('is out of reach for script in the main page', async () => {
  const page = await askToReset()
  expect(await app.window.evaluate(() => Object.keys(window).filter((name) => /confirm(?!$)/i.test(name)))).toEqual([])
  expect(await page.evaluate(() => ['desk' in window, window.opener === null])).toEqual([false, true])
  await page.keyboard.press('Escape').catch(() => {})
  expect(await outcome()).toBeNull()
})

test('is run by its button alone', async () => {
  const page = await askToReset()
  await page.getByRole('textbox').fill((await page.locator('#typed').textContent()) ?? '')
  await page
    .locator('#run')
    .click()
    .catch(() => {})
  expect(await outcome()).toMatch(/.+/)
})
