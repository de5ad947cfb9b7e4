import { test as base, expect, type Locator, type Page } from '@playwright/test'
import { type App, launchApp, screenshot, screenshots, setTheme } from './app.ts'
import { expectAccessible } from './axe.ts'
import { temporaryHome } from './home.ts'

/** One app and one home folder for all tests of a worker, so that the demo site is made once. */
export interface Desk {
  readonly app: App
  readonly window: Page
  readonly home: string
  /** Closes the app and starts it again on the same home. */
  restart(): Promise<void>
  /** The demo site's pages with its database running; makes the demo the first time, by its button. */
  openDemo(): Promise<void>
}

/** What no page may say: errors, and breaches of its Content Security Policy. */
export function complaints(app: App): string[] {
  return app.messages.filter((text) => /^(?:error|uncaught):|content.security.policy/i.test(text))
}

async function startDesk(): Promise<Desk & { close(): Promise<void> }> {
  const home = await temporaryHome()
  let app = await launchApp({ home: home.path })
  return {
    get app() {
      return app
    },
    get window() {
      return app.window
    },
    home: home.path,
    async restart() {
      await app.close()
      app = await launchApp({ home: home.path })
    },
    async openDemo() {
      const { window } = app
      await goTo(window, 'All sites')
      if (await isListed(window, 'demo')) {
        await goTo(window, 'Preferences')
        const running = window.getByRole('button', { name: 'Stop', exact: true })
        const start = window.getByRole('button', { name: 'Start', exact: true })
        await running.or(start).waitFor()
        if (await start.isVisible()) {
          await start.click()
          await running.waitFor({ timeout: 60_000 })
        }
      } else {
        await window.getByRole('button', { name: 'Open the demo site' }).click()
        await window.getByRole('heading', { name: 'demo · Overview' }).waitFor({ timeout: 90_000 })
      }
      await quiet(window)
    },
    async close() {
      await app.close()
      await home.remove()
    },
  }
}

async function isListed(window: Page, site: string): Promise<boolean> {
  const firstRun = window.getByRole('heading', { name: 'No site is protected from here yet' })
  const listed = sidebar(window).getByRole('button', { name: site })
  await firstRun.or(listed).first().waitFor()
  return listed.isVisible()
}

export const test = base.extend<{ noComplaints: undefined }, { desk: Desk; hasOwnHome: boolean }>({
  /** `test.use({ hasOwnHome: true })`: the tests of a file begin with nothing set up, and leave nothing to those of others. */
  hasOwnHome: [false, { option: true, scope: 'worker' }],
  desk: [
    async ({ playwright: _playwright }, give) => {
      const desk = await startDesk()
      await give(desk)
      await desk.close()
    },
    { scope: 'worker', timeout: 120_000 },
  ],
  noComplaints: [
    async ({ desk }, give) => {
      await give(undefined)
      const said = complaints(desk.app)
      desk.app.messages.length = 0
      expect(said, 'no page complains').toEqual([])
    },
    { auto: true },
  ],
})

export { expect }

export function sidebar(window: Page): Locator {
  return window.getByRole('navigation', { name: 'Sites and pages' })
}

export function jobBar(window: Page): Locator {
  return window.getByRole('region', { name: 'Jobs' })
}

/** Goes to a page that the sidebar names: of the whole app, or of the site that is open. */
export async function goTo(window: Page, page: string): Promise<void> {
  await sidebar(window).getByRole('button', { name: page }).first().click()
}

/** Goes to a page of a site. */
export async function goToSite(window: Page, site: string, page: 'Overview' | 'Backups' | 'Jobs' | 'Settings'): Promise<void> {
  const row = sidebar(window).getByRole('button', { name: site })
  if ((await row.getAttribute('aria-expanded')) !== 'true') await row.click()
  await sidebar(window)
    .getByRole('button', { name: page, exact: page !== 'Jobs' })
    .last()
    .click()
  await window.getByRole('heading', { name: `${site} · ${page}` }).waitFor()
}

/** Waits until no job is under way. A failed one stays in the bar and is none. */
export async function quiet(window: Page, timeout = 60_000): Promise<void> {
  await expect(jobBar(window).getByRole('progressbar')).toHaveCount(0, { timeout })
  await expect(jobBar(window).getByText(/No jobs running|: failed|: interrupted/)).toBeVisible({ timeout })
}

/** The row of a backup on the Backups page. */
export function backupRow(window: Page, name: string): Locator {
  return window
    .getByRole('table', { name: 'Backups' })
    .getByRole('row')
    .filter({
      has: window.getByRole('button', { name, exact: true }),
    })
}

/** Does what opens the shell's confirmation window, and returns that window once it can be read. */
export async function confirmationOf(desk: Desk, action: () => Promise<unknown>): Promise<Page> {
  const opened = desk.app.electron.waitForEvent('window')
  await action()
  const page = await opened
  await expect(page.getByRole('heading')).not.toHaveText('Confirm')
  return page
}

/** Types the name that the confirmation asks for and presses its button; the window closes. */
export async function confirm(page: Page, name: string): Promise<void> {
  await page.getByRole('textbox').fill(name)
  await closes(page, () => page.getByRole('button').filter({ hasNotText: 'Cancel' }).click())
}

/** Does what closes a window. It may be gone before that is reported. */
export async function closes(page: Page, action: () => Promise<unknown>): Promise<void> {
  const closed = page.waitForEvent('close')
  await action().catch(() => {})
  await closed
}

/** Pictures in both themes and both sizes, with axe's opinion on each theme. */
export async function pictures(desk: Desk, name: string): Promise<void> {
  await screenshots(desk.app, name)
  await bothThemes(desk, () => expectAccessible(desk.window))
}

/** Pictures in both themes at the usual size, with axe's opinion on the light one: for a state of a page. */
export async function statePictures(desk: Desk, name: string, page: Page = desk.window): Promise<void> {
  await bothThemes(desk, (theme) => screenshot(page, `${name}-${theme}`))
  await expectAccessible(page)
}

async function bothThemes(desk: Desk, action: (theme: 'light' | 'dark') => Promise<void>): Promise<void> {
  for (const theme of ['dark', 'light'] as const) {
    await setTheme(desk.app, theme)
    await action(theme)
  }
}

/** Drags files of this computer over the window and, unless told otherwise, drops them. */
export async function dragFiles(
  desk: Desk,
  files: readonly string[],
  steps: readonly ('dragEnter' | 'dragOver' | 'drop')[],
): Promise<void> {
  const session = await desk.window.context().newCDPSession(desk.window)
  for (const type of steps) {
    await session.send('Input.dispatchDragEvent', {
      type,
      x: 640,
      y: 400,
      data: { items: [], files: [...files], dragOperationsMask: 1 },
    })
  }
  await session.detach()
}
