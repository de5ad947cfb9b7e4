import { type ChildProcess, execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { _electron, type ElectronApplication, expect, type Page } from '@playwright/test'

export const projectRoot = resolve(import.meta.dirname, '../../..')
const screens = join(projectRoot, 'test-results', 'screens')

// every program that this worker starts is on the worker's own screen
const display = process.env.BACKUP_DESK_SCREENS?.split(' ')[Number(process.env.TEST_PARALLEL_INDEX ?? 0)]
if (display !== undefined) process.env.DISPLAY = display

export interface LaunchOptions {
  /** The home folder; default: a new one that goes when the app is closed. */
  home?: string
  args?: string[]
  env?: Record<string, string>
}

/** The real app, driven through its first window. */
export interface App {
  readonly electron: ElectronApplication
  readonly window: Page
  readonly home: string
  /** Everything that any page wrote to its console, and errors that nobody caught. */
  readonly messages: string[]
  /** From the start of the program until the window's page was loaded. */
  readonly startMs: number
  /** Closes the app; fails when a page broke its Content Security Policy or let an error through. */
  close(): Promise<void>
}

let runtime: string | undefined

/** The Electron that runs the tests; `npm test` names it. */
export function electronExecutable(): string {
  runtime ??=
    process.env.BACKUP_DESK_ELECTRON ??
    execFileSync(process.execPath, [join(projectRoot, 'scripts', 'electron-runtime.mjs')], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  return runtime
}

/** Chromium has no sandbox for root; that the pages ask for one is tested apart from it. */
export function sandboxFlags(): string[] {
  return process.getuid?.() === 0 ? ['--no-sandbox'] : []
}

/** Starts the built app with a home folder of its own and waits for its page. */
export async function launchApp(options: LaunchOptions = {}): Promise<App> {
  const home = options.home ?? (await mkdtemp(join(tmpdir(), 'backup-desk-e2e-')))
  const begun = performance.now()
  const electron = await _electron.launch({
    executablePath: electronExecutable(),
    args: [...sandboxFlags(), projectRoot, ...(options.args ?? [])],
    env: { ...withoutSecretsOf(process.env), BACKUP_DESK_HOME: home, ...options.env },
    // the theme is the app's own affair
    colorScheme: null,
    timeout: 60_000,
  })
  const messages: string[] = []
  const listen = (page: Page) => {
    page.on('console', (message) => messages.push(`${message.type()}: ${message.text()}`))
    page.on('pageerror', (error) => messages.push(`uncaught: ${error.message}`))
  }
  electron.on('window', listen)
  const window = await electron.firstWindow()
  listen(window)
  await window.waitForLoadState('load')
  const startMs = performance.now() - begun
  return {
    electron,
    window,
    home,
    messages,
    startMs,
    async close() {
      await electron.close()
      if (options.home === undefined) await rm(home, { recursive: true, force: true, maxRetries: 5 })
      const bad = messages.filter((text) => /content.security.policy|^uncaught:/i.test(text))
      expect(bad, 'no page breaks its Content Security Policy or lets an error through').toEqual([])
    },
  }
}

/** Where a program that was started with `--remote-debugging-port=0` and a piped standard error can be driven. */
export function debuggerAddress(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    child.stderr?.on('data', (part: Buffer) => {
      text += part.toString()
      const address = /DevTools listening on (ws:\S+)/.exec(text)?.[1]
      if (address) resolve(address)
    })
    child.once('exit', (code) => reject(new Error(`the app ended with ${code}:\n${text}`)))
  })
}

/** Passwords and homes of the person who runs the tests are none of the app's business. */
function withoutSecretsOf(env: NodeJS.ProcessEnv): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && !name.startsWith('BACKUP_DESK_') && !name.startsWith('PG')) kept[name] = value
  }
  return kept
}

const SIZES = { '1280x800': [1280, 800], '900x600': [900, 600] } as const

export type ScreenSize = keyof typeof SIZES
export type Theme = 'light' | 'dark'

/** Sets the size of the main window's content. */
export async function setWindowSize(app: App, size: ScreenSize): Promise<void> {
  const [width, height] = SIZES[size]
  const handle = await app.electron.browserWindow(app.window)
  await handle.evaluate((window, [w, h]) => window.setContentSize(w, h), [width, height] as const)
  await app.window.waitForFunction(([w, h]) => innerWidth === w && innerHeight === h, [width, height] as const)
}

export async function setTheme(app: App, theme: Theme): Promise<void> {
  await app.electron.evaluate(({ nativeTheme }, source) => {
    nativeTheme.themeSource = source
  }, theme)
  await app.window.waitForFunction((dark) => matchMedia('(prefers-color-scheme: dark)').matches === dark, theme === 'dark')
}

/** One picture of a page as it is, into test-results/screens. */
export async function screenshot(page: Page, name: string): Promise<void> {
  mkdirSync(screens, { recursive: true })
  await page.screenshot({ path: join(screens, `${name}.png`), animations: 'disabled', caret: 'hide' })
}

/** Pictures of the main window in both sizes and both themes: `NAME-light.png`, `NAME-dark-900x600.png`, … */
export async function screenshots(app: App, name: string): Promise<void> {
  for (const size of Object.keys(SIZES) as ScreenSize[]) {
    await setWindowSize(app, size)
    for (const theme of ['light', 'dark'] as const) {
      await setTheme(app, theme)
      await screenshot(app.window, `${name}-${theme}${size === '1280x800' ? '' : `-${size}`}`)
    }
  }
  await setWindowSize(app, '1280x800')
  await setTheme(app, 'light')
}
