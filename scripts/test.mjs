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
const e2eReport = join(results, 'e2e.json')
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
  rmSync(e2eReport, { force: true })
  say('End-to-end tests')
  const screen = await openScreen()
  const env = toolEnv({ ...screen.env, BACKUP_DESK_ELECTRON: runtime.executable, PLAYWRIGHT_JSON_OUTPUT_NAME: e2eReport })
  const code = run('playwright', ['test', '--reporter=list,json', ...runnerArguments], { env })
  screen.close()
  add('end-to-end', code, () => countPlaywright(e2eReport))
}

console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
process.exitCode = total.failed > 0 ? 1 : 0

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

/** A screen of its own on Linux, so that no window of the tests takes the focus of a desktop. */
function openScreen() {
  if (!isLinux) return { env: {}, close() {} }
  const screen = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', '1440x1000x24', '-nolisten', 'tcp'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  })
  return new Promise((resolve, reject) => {
    screen.on('error', reject)
    screen.on('exit', (code) => reject(new Error(`Xvfb ended with ${code}`)))
    screen.stdio[3].once('data', (display) => {
      const env = { DISPLAY: `:${String(display).trim()}`, WAYLAND_DISPLAY: '' }
      resolve({ env, close: () => screen.kill() })
    })
  })
}
