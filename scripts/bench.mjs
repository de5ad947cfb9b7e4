// npm run bench: our engines beside the tools that people trust, on this machine, in the same run. See test/bench/run.ts.
import { join } from 'node:path'
import { ensureBuilt, ensureInstalled, requireNode, root, run, say, toolEnv } from './lib/steps.mjs'

requireNode()
ensureInstalled()
const { ensureElectron } = await import('./electron-runtime.mjs')
const runtime = await ensureElectron(say)
ensureBuilt()
process.exitCode = run('node', [join(root, 'test/bench/run.ts'), ...process.argv.slice(2)], {
  env: toolEnv({ BACKUP_DESK_ELECTRON: runtime.executable }),
})
