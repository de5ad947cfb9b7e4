// npm run check: types, lint and format, arrows. Goes through all of them, then fails if one did.
import { spawn } from 'node:child_process'
import { ensureInstalled, requireNode, root, toolEnv } from './lib/steps.mjs'

const STEPS = [
  ['types', 'tsc', ['--noEmit']],
  ['lint and format', 'biome', ['check', '--error-on-warnings']],
  ['arrows', process.execPath, ['scripts/check-arrows.mjs']],
]

requireNode()
ensureInstalled()
const failed = []
// at the same time, but each one's words together
const runs = STEPS.map(([name, program, args]) => ({ name, ended: inBackground(program, args) }))
for (const { name, ended } of runs) {
  const { code, seconds, text } = await ended
  console.log(`\n── ${name}`)
  process.stdout.write(text)
  console.log(`── ${name}: ${code === 0 ? 'ok' : 'FAILED'} in ${seconds.toFixed(1)} s`)
  if (code !== 0) failed.push(name)
}
if (failed.length > 0) {
  console.error(`\nCheck failed: ${failed.join(', ')}`)
  process.exitCode = 1
}

function inBackground(program, args) {
  const begun = performance.now()
  const child = spawn(program, args, { cwd: root, env: toolEnv(), shell: process.platform === 'win32' })
  let text = ''
  const keep = (part) => {
    text += part
  }
  child.stdout.setEncoding('utf8').on('data', keep)
  child.stderr.setEncoding('utf8').on('data', keep)
  return new Promise((resolve) => {
    const end = (code) => resolve({ code, text, seconds: (performance.now() - begun) / 1000 })
    child.on('close', end)
    child.on('error', (error) => {
      text += `${program} could not be started: ${error.message}\n`
      end(1)
    })
  })
}
