// What the scripts share. Nothing from npm in here: a fresh clone runs this before anything is installed.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..')

const NODE_AT_LEAST = [20, 19]
const isWindows = process.platform === 'win32'

/** Ends with a message for people. */
export function giveUp(...lines) {
  console.error(lines.join('\n'))
  process.exit(1)
}

/** Says what is being done; kept apart from what the programs print. */
export function say(line) {
  console.error(`• ${line}`)
}

export function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > NODE_AT_LEAST[0] || (major === NODE_AT_LEAST[0] && minor >= NODE_AT_LEAST[1])) return
  giveUp(`Backup Desk needs Node ${NODE_AT_LEAST.join('.')} or later; this is ${process.versions.node}.`)
}

/** The environment with the tree's own programs first: its Node, vitest, tsc. */
export function toolEnv(extra = {}) {
  return { ...process.env, PATH: `${join(root, 'node_modules', '.bin')}${delimiter}${process.env.PATH ?? ''}`, ...extra }
}

/** Runs a program to its end with its output shown; returns its exit code. */
export function run(program, args, options = {}) {
  const result = spawnSync(program, args, { cwd: root, stdio: 'inherit', env: toolEnv(), shell: isWindows, ...options })
  if (result.error) giveUp(`${program} could not be started: ${result.error.message}`)
  return result.status ?? 1
}

/** Runs a program that has to succeed. */
export function must(program, args, options) {
  const code = run(program, args, options)
  if (code !== 0) giveUp(`${program} ${args.join(' ')} ended with ${code}.`)
}

/** `npm ci`, unless what is installed is what package-lock.json says. */
export function ensureInstalled() {
  const stamp = join(root, 'node_modules', '.backup-desk-lock')
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return
  const listed = join(root, 'node_modules', '.package-lock.json')
  const isNewer = existsSync(listed) && statSync(listed).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs
  if (!isNewer) {
    say('Installing packages (npm ci)…')
    must('npm', ['ci', '--no-progress', '--loglevel=error'], { stdio: ['ignore', 'inherit', 'inherit'] })
  }
  writeFileSync(stamp, lock)
}

const BUILT_FROM = ['src', 'electron.vite.config.ts', 'package.json', 'package-lock.json']
const buildStamp = join(root, 'out', '.built-from')

/** A cheap fingerprint of the sources: names, sizes, times. */
function sourcesFingerprint() {
  const hash = createHash('sha256')
  const add = (path) => {
    const facts = statSync(path)
    if (facts.isDirectory()) for (const name of readdirSync(path).sort()) add(join(path, name))
    else hash.update(`${path}\0${facts.size}\0${facts.mtimeMs}\n`)
  }
  for (const name of BUILT_FROM) add(join(root, name))
  return hash.digest('hex')
}

/** Builds `out/`. */
export function build() {
  const fingerprint = sourcesFingerprint()
  forgetBuild()
  const code = run('electron-vite', ['build', '--logLevel', 'warn'])
  if (code !== 0) giveUp('The build failed; what is above says why.')
  mkdirSync(dirname(buildStamp), { recursive: true })
  writeFileSync(buildStamp, fingerprint)
}

/** The next start builds again. */
export function forgetBuild() {
  rmSync(buildStamp, { force: true })
}

/** Builds `out/` when a source changed since the last build. */
export function ensureBuilt() {
  if (existsSync(buildStamp) && readFileSync(buildStamp, 'utf8') === sourcesFingerprint()) return
  say('Building…')
  build()
}
