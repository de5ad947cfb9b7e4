// npm test: sets up everything, runs unit, integration and end-to-end tests, ends with one line of counts.
// With --unit (unit and integration) or --e2e only these, with --heavy also what takes minutes and gigabytes; what
// else is given goes to the runner.
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ensureBuilt, ensureInstalled, requireNode, root, run, say, toolEnv } from './lib/steps.mjs'
import { installPackages, isLinux, missingPackages, TEST_PACKAGES } from './lib/system.mjs'

const results = join(root, 'test-results')
const asked = process.argv.slice(2)
const only = asked.find((word) => word === '--unit' || word === '--e2e')
const isHeavy = asked.includes('--heavy')
const runnerArguments = asked.filter((word) => ![only, '--heavy', '--'].includes(word))

if (isHeavy) process.env.HEAVY = '1'
requireNode()
if (isLinux) {
  installPackages(missingPackages(TEST_PACKAGES), 'The tests need packages that this system lacks.')
}
ensureInstalled()
const { ensureElectron } = await import('./electron-runtime.mjs')
const runtime = await ensureElectron(say)
ensureBuilt()

const total = { passed: 0, failed: 0, skipped: 0 }
const unitReport = join(results, 'unit.json')
mkdirSync(results, { recursive: true })

if (only !== '--e2e') {
  rmSync(unitReport, { force: true })
  say('Unit and integration tests')
  const code = run('vitest', [
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${unitReport}`,
    ...runnerArguments,
  ])
  add('unit and integration', code, () => countVitest(unitReport))
}
if (only !== '--unit') {
  const before = testsSoFar()
  const screens = await openScreens(2)
  // one after the other: what is alone is so for the sake of its figures
  for (const project of ['alone', 'together']) {
    say(`End-to-end tests (${project})`)
    const report = join(results, `e2e-${project}.json`)
    rmSync(report, { force: true })
    const env = toolEnv({ ...screens.env, BACKUP_DESK_ELECTRON: runtime.executable, PLAYWRIGHT_JSON_OUTPUT_NAME: report })
    const options = ['--reporter=list,json', `--project=${project}`, '--pass-with-no-tests']
    const code = run('playwright', ['test', ...options, ...runnerArguments], { env })
    add(`end-to-end (${project})`, code, () => countPlaywright(report))
  }
  screens.close()
  if (testsSoFar() === before) {
    say('No end-to-end test was found.')
    total.failed += 1
  }
}

console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
process.exitCode = total.failed > 0 ? 1 : 0

function testsSoFar() {
  return total.passed + total.failed + total.skipped
}

/** Adds a run's counts; a runner that failed without a failed test, or left no report, is one failure. */
function add(name, code, count) {
  let counts = { passed: 0, failed: 0, skipped: 0 }
  try {
    counts = count()
  } catch (error) {
    say(`The ${name} tests left no report: ${error.message}`)
  }
  if (counts.failed === 0 && code !== 0) {
    say(`The ${name} tests ended with ${code} although no single test failed; see above.`)
    counts.failed = 1
  }
  for (const key of Object.keys(total)) total[key] += counts[key]
}

function countVitest(file) {
  const report = JSON.parse(readFileSync(file, 'utf8'))
  // a file that could not even be loaded has no tests to fail
  const unloaded = report.testResults.filter((result) => result.status === 'failed' && result.assertionResults.length === 0)
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + unloaded.length,
    skipped: report.numPendingTests + report.numTodoTests,
  }
}

function countPlaywright(file) {
  const { stats, errors } = JSON.parse(readFileSync(file, 'utf8'))
  return { passed: stats.expected + stats.flaky, failed: stats.unexpected + errors.length, skipped: stats.skipped }
}

/** Screens of their own on Linux, so that no window of the tests takes the focus of a desktop or of one another. */
async function openScreens(count) {
  if (!isLinux) return { env: {}, close() {} }
  const screens = await Promise.all(Array.from({ length: count }, openScreen))
  const displays = screens.map(({ display }) => display)
  return {
    env: { DISPLAY: displays[0], BACKUP_DESK_SCREENS: displays.join(' '), WAYLAND_DISPLAY: '' },
    close() {
      for (const { screen } of screens) screen.kill()
    },
  }
}

function openScreen() {
  const screen = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', '1440x1000x24', '-nolisten', 'tcp'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  })
  return new Promise((resolve, reject) => {
    screen.on('error', reject)
    screen.on('exit', (code) => reject(new Error(`Xvfb ended with ${code}`)))
    screen.stdio[3].once('data', (display) => resolve({ screen, display: `:${String(display).trim()}` }))
  })
}
