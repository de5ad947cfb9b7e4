import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from '@playwright/test'
import { type App, electronExecutable, launchApp, projectRoot, sandboxFlags } from './support/app.ts'
import { temporaryHome } from './support/home.ts'

const run = promisify(execFile)
const PAGE = 'app://desk/index.html'

test.describe('the main window', () => {
  let app: App

  test.beforeAll(async () => {
    app = await launchApp()
  })
  test.afterAll(async () => {
    // the attacks below are meant to be reported
    app.messages.length = 0
    await app.close()
  })

  test('runs its page in a sandbox, isolated and without Node', async () => {
    const preferences = await app.electron.evaluate(({ BrowserWindow }) =>
      BrowserWindow.getAllWindows().map((window) => {
        const known = window.webContents as typeof window.webContents & { getLastWebPreferences(): Electron.WebPreferences }
        const { sandbox, contextIsolation, nodeIntegration, webviewTag, webSecurity } = known.getLastWebPreferences()
        return { sandbox, contextIsolation, nodeIntegration, webviewTag, webSecurity }
      }),
    )
    const expected = { sandbox: true, contextIsolation: true, nodeIntegration: false, webviewTag: false, webSecurity: true }
    expect(preferences).toEqual([expected])
    const globals = await app.window.evaluate(() =>
      ['require', 'process', 'module', 'Buffer', 'global', 'electron', 'ipcRenderer'].filter((name) => name in window),
    )
    expect(globals).toEqual([])
  })

  test('gives its page a fixed list of things to do, and no port', async () => {
    const given = await app.window.evaluate(() => Object.entries(window.desk).map(([name, value]) => `${name}: ${typeof value}`))
    expect(given.sort()).toEqual([
      'chooseFiles: function',
      'chooseFolder: function',
      'invoke: function',
      'onCommand: function',
      'pathOfFile: function',
      'platform: string',
      'subscribe: function',
      'version: string',
    ])
  })

  test('has a strict Content Security Policy with a nonce that is new each time', async () => {
    const read = () =>
      app.window.evaluate(async (page) => {
        const answer = await fetch(page)
        const { headers } = answer
        return {
          csp: headers.get('content-security-policy') ?? '',
          sniff: headers.get('x-content-type-options'),
          html: await answer.text(),
        }
      }, PAGE)
    const [first, second] = [await read(), await read()]
    const nonce = /'nonce-([^']+)'/.exec(first.csp)?.[1] ?? ''
    expect(nonce.length).toBeGreaterThanOrEqual(22)
    expect(first.html).toContain(nonce)
    expect(second.csp).not.toContain(nonce)
    expect(first.sniff).toBe('nosniff')
    const rules = Object.fromEntries(
      first.csp
        .replaceAll(nonce, 'N')
        .split('; ')
        .map((rule) => rule.split(/ (.*)/, 2)),
    )
    expect(rules).toEqual({
      'default-src': "'none'",
      'script-src': "'self' 'nonce-N'",
      'style-src': "'self' 'nonce-N'",
      'img-src': "'self' data:",
      'font-src': "'self'",
      'connect-src': "'self'",
      'base-uri': "'none'",
      'form-action': "'none'",
      'frame-src': "'none'",
      'frame-ancestors': "'none'",
    })
  })

  test('runs no script and shows no style that was put into the page', async () => {
    const result = await app.window.evaluate(async () => {
      const script = document.createElement('script')
      script.textContent = 'window.wasRun = true'
      document.body.append(script)
      const image = document.createElement('div')
      image.innerHTML = '<img src="app://desk/none.png" onerror="window.wasRun = true"><p style="color: rgb(1, 2, 3)">x</p>'
      document.body.append(image)
      const later: TimerHandler = 'window.wasRun = true'
      setTimeout(later, 0)
      await new Promise((done) => setTimeout(done, 300))
      const colour = getComputedStyle(image.querySelector('p') as Element).color
      image.remove()
      script.remove()
      return { wasRun: 'wasRun' in window, colour }
    })
    expect(result.wasRun).toBe(false)
    expect(app.messages.some((text) => text.includes('unsafe-eval'))).toBe(true)
    expect(result.colour).not.toBe('rgb(1, 2, 3)')
  })

  test('serves files of its own folder only', async () => {
    const status = (address: string, method = 'GET') =>
      app.electron.evaluate(
        async ({ session }, { address, method }) => {
          try {
            return (await session.fromPartition('desk').fetch(address, { method })).status
          } catch {
            return 0
          }
        },
        { address, method },
      )
    expect(await status(PAGE)).toBe(200)
    expect(await status('app://desk/')).toBe(200)
    expect(await status(PAGE, 'POST')).toBe(404)
    const tricks = [
      'app://desk/../main/index.js',
      'app://desk/..%2fmain%2findex.js',
      'app://desk/..%2Fmain/engine.js',
      'app://desk/%2e%2e/main/index.js',
      'app://desk/assets/..%2f..%2f..%2fmain/index.js',
      'app://desk/..%5cmain%5cindex.js',
      'app://desk/..%2f..%2fpackage.json',
      'app://desk//etc/passwd',
      'app://desk/%2fetc%2fpasswd',
      'app://desk/index.html%00.js',
      'app://desk/%ff%fe.js',
      'app://desk/assets',
      'app://desk/none.js',
      'app://desk/..%2frenderer-other/x.js',
      'app://other/index.html',
    ]
    for (const trick of tricks) expect([trick, [0, 404].includes(await status(trick))]).toEqual([trick, true])
  })

  test('goes nowhere else and opens nothing', async () => {
    const before = app.window.url()
    for (const address of ['https://example.com/', 'file:///etc/passwd', 'app://desk/confirm/confirm.html', 'data:text/html,x']) {
      await app.window.evaluate((to) => {
        location.href = to
      }, address)
      await app.window.evaluate((to) => {
        const link = document.createElement('a')
        link.href = to
        link.target = '_blank'
        document.body.append(link)
        link.click()
        link.remove()
      }, address)
    }
    expect(await app.window.evaluate((to) => window.open(to) === null, PAGE)).toBe(true)
    await app.window.waitForTimeout(500)
    expect(app.window.url()).toBe(before)
    expect(app.electron.windows()).toHaveLength(1)
    expect(await app.window.evaluate(() => 'desk' in window)).toBe(true)
  })

  test('gets no permission', async () => {
    const result = await app.window.evaluate(async () => {
      const states: Record<string, string> = {}
      for (const name of ['geolocation', 'notifications', 'camera', 'microphone', 'clipboard-read', 'midi'] as PermissionName[]) {
        states[name] = (await navigator.permissions.query({ name })).state
      }
      const media = await navigator.mediaDevices.getUserMedia({ audio: true }).then(
        () => 'given',
        (error: Error) => error.name,
      )
      return { states: [...new Set(Object.values(states))], asked: await Notification.requestPermission(), media }
    })
    expect(result.states).toEqual(['denied'])
    expect(result.asked).toBe('denied')
    expect(result.media).not.toBe('given')
  })

  test('reaches no other address, not even on this computer', async () => {
    let requests = 0
    const server = createServer((_request, answer) => {
      requests += 1
      answer.setHeader('access-control-allow-origin', '*')
      answer.end('reached')
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const fromPage = await app.window.evaluate(
      (to) =>
        fetch(to).then(
          () => 'reached',
          () => 'refused',
        ),
      address,
    )
    // also without the policy of the page
    const fromSession = await app.electron.evaluate(
      ({ session }, to) =>
        session
          .fromPartition('desk')
          .fetch(to)
          .then(
            () => 'reached',
            () => 'refused',
          ),
      address,
    )
    server.close()
    expect([fromPage, fromSession, requests]).toEqual(['refused', 'refused', 0])
  })

  test('hands nothing to a frame inside its page', async () => {
    const frames = await app.window.evaluate(async () => {
      const found: Record<string, boolean> = {}
      for (const [name, set] of Object.entries({
        blank: () => {},
        written: (frame: HTMLIFrameElement) => {
          frame.srcdoc = '<p>written</p>'
        },
        page: (frame: HTMLIFrameElement) => {
          frame.src = 'app://desk/index.html'
        },
      })) {
        const frame = document.createElement('iframe')
        set(frame)
        document.body.append(frame)
        await new Promise((done) => setTimeout(done, 500))
        try {
          found[name] = 'desk' in (frame.contentWindow as object)
        } catch {
          // another origin: an error page
          found[name] = false
        }
        frame.remove()
      }
      return found
    })
    expect(frames).toEqual({ blank: false, written: false, page: false })
    expect(app.messages.some((text) => text.includes('frame-src'))).toBe(true)
  })
})

test('what the page stores is in memory only', async () => {
  const home = await temporaryHome()
  const first = await launchApp({ home: home.path })
  const marker = `marker-${Math.random().toString(36).slice(2)}`
  await first.window.evaluate((text) => {
    localStorage.setItem('kept', text)
    sessionStorage.setItem('kept', text)
  }, marker)
  expect(await first.electron.evaluate(({ session }) => session.fromPartition('desk').isPersistent())).toBe(false)
  await first.close()
  const second = await launchApp({ home: home.path })
  expect(await second.window.evaluate(() => localStorage.getItem('kept'))).toBeNull()
  await second.close()
  for (const entry of await readdir(home.path, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const text = await readFile(join(entry.parentPath, entry.name), 'latin1')
    expect([entry.name, text.includes(marker)]).toEqual([entry.name, false])
  }
  await home.remove()
})

test('an engine that dies is started again, and the window goes on', async () => {
  const app = await launchApp()
  const ask = () =>
    app.window.evaluate(() =>
      window.desk.invoke('sites.list', {}).then(
        () => 'answered',
        (error) => error.code,
      ),
    )
  const enginePid = () =>
    app.electron.evaluate(({ app }) => app.getAppMetrics().find((entry) => entry.name === 'Backup Desk engine')?.pid)
  expect(await ask()).toBe('answered')
  const before = await enginePid()
  if (before === undefined) throw new Error('no engine')
  process.kill(before, 'SIGKILL')
  await expect.poll(enginePid, { timeout: 60_000 }).not.toBe(before)
  expect(['answered', 'engine-restarted']).toContain(await ask())
  expect(await ask()).toBe('answered')
  await app.close()
})

test('a second start with the same home folder ends and leaves the first one alone', async () => {
  const app = await launchApp()
  const env = { ...process.env, BACKUP_DESK_HOME: app.home }
  await run(electronExecutable(), [...sandboxFlags(), projectRoot], { env, timeout: 90_000 })
  expect(app.electron.windows()).toHaveLength(1)
  await app.close()
})
