// npm run check: types, lint and format, arrows. Goes through all of them, then fails if one did.
import { ensureInstalled, requireNode, run } from './lib/steps.mjs'

const STEPS = [
  ['types', 'tsc', ['--noEmit']],
  ['lint and format', 'biome', ['check', '--error-on-warnings']],
  ['arrows', process.execPath, ['scripts/check-arrows.mjs']],
]

requireNode()
ensureInstalled()
const failed = []
for (const [name, program, args] of STEPS) {
  const start = performance.now()
  console.log(`\n── ${name}`)
  if (run(program, args) !== 0) failed.push(name)
  console.log(`── ${name}: ${failed.includes(name) ? 'FAILED' : 'ok'} in ${((performance.now() - start) / 1000).toFixed(1)} s`)
}
if (failed.length > 0) {
  console.error(`\nCheck failed: ${failed.join(', ')}`)
  process.exitCode = 1
}
