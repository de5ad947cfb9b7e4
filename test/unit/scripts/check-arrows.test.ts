import { spawnSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { temporaryFolder } from '#test/support/home.ts'

const script = fileURLToPath(new URL('../../../scripts/check-arrows.mjs', import.meta.url))

/** Runs the check on a tree of these files. */
async function check(files: Record<string, string>): Promise<{ code: number | null; output: string }> {
  const root = await temporaryFolder()
  for (const [name, text] of Object.entries(files)) {
    const path = join(root, 'src', name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text)
  }
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, root], { encoding: 'utf8' })
  return { code: status, output: stdout + stderr }
}

const engine = 'main/engine'
const sound = {
  'shared/format.ts': "import { z } from 'zod'\nexport const size = z.number()",
  'renderer/main.tsx': "import { size } from '#shared/format.ts'\nimport './main.css'",
  'renderer/main.css': '',
  [`${engine}/create-engine.ts`]: "import { list } from './procedures/list.ts'",
  [`${engine}/procedures/list.ts`]: "import {\n  backup,\n} from '#engine/features/backup/index.ts'",
  [`${engine}/features/backup/index.ts`]: "export { dump } from './dump.ts'",
  [`${engine}/features/backup/dump.ts`]: "import { openHome } from '#engine/foundation/home.ts'",
  [`${engine}/features/proof/index.ts`]: "import { dump } from '#engine/features/backup/index.ts'",
  [`${engine}/foundation/home.ts`]: "import { join } from 'node:path'\n// import { app } from 'electron'",
  'main/shell/window.ts':
    "import { BrowserWindow } from 'electron'\nimport { defaultHomePath } from '#engine/foundation/home.ts'",
  'main/index.ts': "await import('./shell/window.ts')",
}

test('a sound tree passes, and the check says how much it read', async () => {
  const { code, output } = await check(sound)
  expect(output).toContain('Read 10 files with 12 imports: 0 wrong')
  expect(code).toBe(0)
})

test('a tree without files fails', async () => {
  expect((await check({})).code).toBe(1)
})

test.each([
  [
    'the page reaching into the engine',
    'renderer/page.ts',
    "import { openHome } from '#engine/foundation/home.ts'",
    'renderer must not use foundation',
  ],
  ['the page with Node', 'renderer/page.ts', "import { readFile } from 'fs/promises'", 'the page has no Node'],
  ['shared using the engine', 'shared/x.ts', "export * from '#engine/foundation/home.ts'", 'shared must not use foundation'],
  ['shared with Node', 'shared/x.ts', "import 'node:fs'", 'shared has no Node'],
  ['shared with a global of Node', 'shared/x.ts', 'export const cwd = () => process.cwd()', 'shared has no Node and no DOM'],
  ['the engine knowing electron', `${engine}/foundation/x.ts`, "const { app } = require('electron')", 'know electron'],
  [
    'the engine loading electron later',
    `${engine}/foundation/x.ts`,
    "const electron = await import('electron')",
    'know electron',
  ],
  [
    'the engine using the shell',
    `${engine}/foundation/x.ts`,
    "import { window } from '#shell/window.ts'",
    'foundation must not use shell',
  ],
  [
    'the foundation knowing a feature',
    `${engine}/foundation/x.ts`,
    "import { dump } from '#engine/features/backup/index.ts'",
    'foundation must not use a feature',
  ],
  [
    'a feature reaching into another',
    `${engine}/features/proof/x.ts`,
    "import { dump } from '#engine/features/backup/dump.ts'",
    'through its index.ts only',
  ],
  [
    'a type of another feature’s inside',
    `${engine}/features/proof/x.ts`,
    "import type { D } from '#engine/features/backup/dump.ts'",
    'through its index.ts only',
  ],
  [
    'features in a circle',
    `${engine}/features/backup/x.ts`,
    "import { prove } from '#engine/features/proof/index.ts'",
    'in a circle: backup → proof → backup',
  ],
  [
    'the shell using the engine’s inside',
    'main/shell/x.ts',
    "import { dump } from '#engine/features/backup/index.ts'",
    'shell must not use a feature',
  ],
  [
    'a relative path across rooms',
    `${engine}/features/proof/x.ts`,
    "import { dump } from '../backup/index.ts'",
    'a relative path across rooms',
  ],
  ['an import of nothing', 'shared/x.ts', "import { y } from './y.ts'", 'there is no such file'],
  ['a file in no room', 'main/helpers/x.ts', '', 'in no room'],
])('%s fails', async (_name, file, text, problem) => {
  const { code, output } = await check({ ...sound, [file]: text })
  expect(output).toContain(problem)
  expect(code).toBe(1)
})
