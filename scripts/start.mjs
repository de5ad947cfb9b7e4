// npm start: installs what is missing, fetches a runtime, builds what is older than its sources, opens the window.
// npm run dev: the same with hot reload.
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { ensureBuilt, ensureInstalled, forgetBuild, giveUp, requireNode, root, say, toolEnv } from './lib/steps.mjs'
import { installPackages, isLinux, isRoot, missingLibraries, missingPackages, WINDOW_PACKAGES } from './lib/system.mjs'

const [first, ...rest] = process.argv.slice(2)
const isDevelopment = first === '--dev'
const appArguments = isDevelopment ? rest : process.argv.slice(2)

requireNode()
requireScreen()
ensureInstalled()
const { ensureElectron } = await import('./electron-runtime.mjs')
const runtime = await ensureElectron(say).catch((error) => giveUp(error.message))
requireLibraries(runtime.executable)
const flags = [...sandboxFlags(), ...screenFlags()]
if (isDevelopment) {
  const env = toolEnv({ ELECTRON_EXEC_PATH: runtime.executable })
  // what it leaves in out/ is no build of now
  forgetBuild()
  open('electron-vite', ['dev', '--watch', '--', ...flags, ...appArguments], env)
} else {
  ensureBuilt()
  open(runtime.executable, [...flags, root, ...appArguments], process.env)
}

function requireScreen() {
  if (!isLinux || process.env.DISPLAY || process.env.WAYLAND_DISPLAY) return
  giveUp(
    'There is no screen here: neither DISPLAY nor WAYLAND_DISPLAY is set, so no window can open. One of these helps:',
    '  - run npm start in a desktop session (over SSH: ssh -X)',
    '  - run it on a screen in memory: xvfb-run -a npm start   (apt-get install xvfb xauth)',
    '  - work from the terminal: npm ci && npm run build, then bin/zbd --help',
  )
}

function requireLibraries(executable) {
  const missing = missingLibraries(executable)
  if (missing.length === 0) return
  installPackages(missingPackages(WINDOW_PACKAGES), `The window needs libraries that this system lacks: ${missing.join(', ')}.`)
  const still = missingLibraries(executable)
  if (still.length > 0) giveUp(`The window needs libraries that this system lacks: ${still.join(', ')}.`)
}

function sandboxFlags() {
  if (!isLinux || !isRoot) return []
  say('You are root. Chromium does not run its sandbox for root, so this window runs without one: a flaw in what it')
  say('shows could reach everything that root can. Fine for a look at a development build; use a normal account for work.')
  return ['--no-sandbox']
}

function screenFlags() {
  return isLinux && !process.env.DISPLAY ? ['--ozone-platform=wayland'] : []
}

function open(program, args, env) {
  const child = spawn(program, args, { cwd: root, stdio: 'inherit', env, shell: process.platform === 'win32' && isDevelopment })
  child.on('error', (error) => giveUp(`${program} could not be started: ${error.message}`))
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0)
  })
}
