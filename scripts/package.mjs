// npm run package: the app as people install it. Without arguments an unpacked folder for this system in dist/;
// with arguments (e.g. --linux deb) what electron-builder makes of them.
import { copyFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ensureBuilt, ensureInstalled, giveUp, must, requireNode, root, say, toolEnv } from './lib/steps.mjs'

const asked = process.argv.slice(2)
const targets = asked.length > 0 ? asked : ['--dir']

requireNode()
ensureInstalled()
const { copyPlainRuntime, ensureElectron } = await import('./electron-runtime.mjs')
const runtime = await ensureElectron(say).catch((error) => giveUp(error.message))
ensureBuilt()
const options = []
const plain = join(root, 'dist', '.runtime')
if (runtime.standIn) {
  if (asked.length > 0 && !asked.includes('dir') && !asked.includes('--dir')) {
    giveUp('Installers are made with the pinned Electron only, and its download host is out of reach from here.')
  }
  await copyPlainRuntime(runtime, plain)
  options.push(`-c.electronDist=${plain}`, `-c.electronVersion=${runtime.version}`)
}
must('electron-builder', [...targets, '--publish', 'never', ...options], {
  env: toolEnv({ CSC_IDENTITY_AUTO_DISCOVERY: 'false' }),
})
rmSync(plain, { recursive: true, force: true })
copyFileSync(join(root, 'out', '.built-from'), join(root, 'dist', '.packaged-from'))
