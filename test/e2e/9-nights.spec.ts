import { spawn } from 'node:child_process'
import { _electron, expect, type Page, test } from '@playwright/test'
import { type App, electronExecutable, launchApp, projectRoot, sandboxFlags } from './support/app.ts'
import { temporaryHome } from './support/home.ts'

/* The app without its window: the tray, notifications, and the ways back. Neither can be seen here, so they are noted. */

interface Noted {
  tips: string[]
  menus: string[][]
  trays: number
  notices: { title: string; body: string; click(): void }[]
}

/** Notes what the shell hands to the desktop. */
async function noteDesktop({ electron }: Pick<App, 'electron'>): Promise<void> {
  await electron.evaluate(({ Notification, Tray }) => {
    const noted: Noted = { tips: [], menus: [], trays: 0, notices: [] }
    Object.assign(globalThis, { noted })
    const { setContextMenu, destroy } = Tray.prototype
    Tray.prototype.setToolTip = (text) => void noted.tips.push(text)
    Tray.prototype.setContextMenu = function (menu) {
      noted.menus.push(menu?.items.map(({ label }) => label) ?? [])
      noted.trays += this.isDestroyed() ? 0 : 1
      setContextMenu.call(this, menu)
    }
    Tray.prototype.destroy = function () {
      noted.trays = 0
      destroy.call(this)
    }
    Notification.isSupported = () => true
    Notification.prototype.show = function () {
      noted.notices.push({ title: this.title, body: this.body, click: () => this.emit('click') })
    }
  })
}

const noted = ({ electron }: Pick<App, 'electron'>) =>
  electron.evaluate(() => {
    const { tips, menus, trays, notices } = (globalThis as unknown as { noted: Noted }).noted
    return { tips, menus, trays, notices: notices.map(({ title, body }) => `${title}: ${body}`) }
  })

const windows = ({ electron }: Pick<App, 'electron'>) =>
  electron.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows().length)

/** Starts the app once more on the same home; it hands over to the first one and ends. */
function startAgain(home: string, ...args: string[]): Promise<number | null> {
  const env = { ...process.env, BACKUP_DESK_HOME: home }
  const child = spawn(electronExecutable(), [...sandboxFlags(), projectRoot, ...args], { env, stdio: 'ignore' })
  return new Promise((resolve) => child.once('exit', resolve))
}

async function closeWindow(app: App): Promise<void> {
  await app.electron.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.close())
  await expect.poll(() => windows(app)).toBe(0)
}

test('stays in the tray when asked to, tells of a failed night there, and comes back on its page', async () => {
  const home = await temporaryHome()
  const app = await launchApp({ home: home.path })
  await noteDesktop(app)
  await app.window.evaluate(() => window.desk.invoke('settings.update', { preferences: { stayInTray: true } }))
  await expect
    .poll(async () => (await noted(app)).menus.at(-1))
    .toEqual(['No nightly backups are switched on', 'Open Backup Desk', '', 'Quit'])

  // a site whose database is gone, and whose night is due: each has a delay of its own after midnight, this one 5 s
  await app.window.evaluate(() =>
    window.desk.invoke('sites.add', {
      site: {
        name: 'unplugged',
        database: { host: '127.0.0.1', port: 1, database: 'gone', schema: 'gone', user: 'nobody' },
        schedule: { enabled: true, at: '00:00', proofMinutes: 0 },
      },
    }),
  )
  await expect
    .poll(async () => (await noted(app)).notices, { timeout: 90_000 })
    .toEqual([expect.stringMatching(/^Nightly backup of unplugged failed: /)])
  await expect.poll(async () => (await noted(app)).tips.at(-1)).toBe('Backup Desk\nNot backed up tonight: unplugged')

  await closeWindow(app)
  expect((await noted(app)).notices.at(-1)).toMatch(/^Backup Desk runs on: /)
  // another start at login shows nothing
  expect(await startAgain(home.path, '--hidden')).toBe(0)
  expect(await windows(app)).toBe(0)
  const opened = app.electron.waitForEvent('window')
  await app.electron.evaluate(() => (globalThis as unknown as { noted: Noted }).noted.notices[0]?.click())
  const page: Page = await opened
  await expect(page.getByRole('heading', { name: 'unplugged · Overview' })).toBeVisible()

  await closeWindow(app)
  const shown = app.electron.waitForEvent('window')
  expect(await startAgain(home.path)).toBe(0)
  const second = await shown
  await expect(second.getByRole('navigation', { name: 'Sites and pages' })).toBeVisible()
  expect((await noted(app)).notices.filter((text) => text.startsWith('Backup Desk runs on'))).toHaveLength(1)

  // without the wish, the last window takes the app with it
  await second.evaluate(() => window.desk.invoke('settings.update', { preferences: { stayInTray: false } }))
  await expect.poll(async () => (await noted(app)).trays).toBe(0)
  const ended = app.electron.waitForEvent('close')
  await app.electron.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.close())
  await ended
  await home.remove()
})

test('started hidden shows no window until it is asked for one', async () => {
  const home = await temporaryHome()
  const electron = await _electron.launch({
    executablePath: electronExecutable(),
    args: [...sandboxFlags(), projectRoot, '--hidden'],
    env: { ...(process.env as Record<string, string>), BACKUP_DESK_HOME: home.path },
  })
  await noteDesktop({ electron })
  // the engine is at work, though nobody looks
  await expect.poll(async () => (await noted({ electron })).tips.at(-1), { timeout: 60_000 }).toContain('No nightly backups')
  expect(await windows({ electron })).toBe(0)
  const opened = electron.waitForEvent('window')
  expect(await startAgain(home.path)).toBe(0)
  await expect((await opened).getByRole('button', { name: /add a site/i }).first()).toBeVisible()
  await electron.close()
  await home.remove()
})
