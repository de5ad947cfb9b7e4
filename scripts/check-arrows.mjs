// Checks the arrows between the rooms (docs/architecture.md): renderer → shared ← main; in main shell, cli → engine;
// in the engine procedures → features → foundation. Usage: check-arrows.mjs [root of a tree with src/]
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join, posix, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const LONG_FILE = 320
const ALIASES = {
  '#shared/': 'shared/',
  '#engine/': 'main/engine/',
  '#shell/': 'main/shell/',
  '#cli/': 'main/cli/',
  '#renderer/': 'renderer/',
}

/** Which rooms a room may use. `feature` is another feature's index.ts; a room may always use itself. */
const ALLOWED = {
  shared: [],
  renderer: ['shared'],
  entry: ['shell', 'shared'],
  shell: ['cli', 'engine', 'shared'],
  cli: ['engine', 'shared'],
  engine: ['procedures', 'feature', 'foundation', 'shared'],
  procedures: ['feature', 'foundation', 'shared'],
  feature: ['feature', 'foundation', 'shared'],
  foundation: ['shared'],
}
/** What shell and cli may use of the engine's inside: where the home folder is; types cost nothing at run time. */
const OPEN_TO_ALL_OF_MAIN = ['main/engine/foundation/home.ts']
const ELECTRON_ROOMS = ['entry', 'shell']
const PAGE_PACKAGES = /^(react|react-dom|zustand|get-nonce)(\/|$)|^@(mantine|tanstack|tabler)\//
const SHARED_PACKAGES = /^zod(\/|$)/
const GLOBALS_NOT_SHARED = /\b(?:document|window|localStorage|process|Buffer|require|__dirname)\s*[.([]/

const root = resolve(process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), '..'))
const source = join(root, 'src')
const problems = []
const long = []
const features = new Map()
let imports = 0

const files = existsSync(source) ? listFiles(source) : []
for (const file of files) checkFile(file)
for (const circle of circles(features)) problems.push(`features use each other in a circle: ${circle.join(' → ')}`)

for (const line of long) console.warn(`long: ${line}`)
for (const line of problems) console.error(`wrong: ${line}`)
console.log(`Read ${files.length} files with ${imports} imports: ${problems.length} wrong`)
if (files.length === 0) console.error('Nothing was read, so nothing was checked.')
process.exitCode = problems.length > 0 || files.length === 0 ? 1 : 0

function listFiles(folder) {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name)
    if (statSync(path).isDirectory()) return listFiles(path)
    return /\.(ts|tsx|mts|cts|js|mjs)$/.test(name) ? [relative(source, path).split(sep).join('/')] : []
  })
}

/** The room of a file below src/: its kind, and for a feature which one. */
function roomOf(file) {
  const [top, second, third, fourth] = file.split('/')
  if (top === 'shared' || top === 'renderer') return { kind: top }
  if (top !== 'main') return null
  if (third === undefined) return { kind: 'entry' }
  if (second === 'shell' || second === 'cli') return { kind: second }
  if (second !== 'engine') return null
  if (fourth === undefined) return { kind: 'engine' }
  if (third === 'features') return { kind: 'feature', feature: fourth }
  return third === 'procedures' || third === 'foundation' ? { kind: third } : null
}

function checkFile(file) {
  const text = withoutComments(readFileSync(join(source, file), 'utf8'))
  const lines = text.split('\n').length
  if (lines > LONG_FILE) long.push(`${file}: ${lines} lines`)
  const room = roomOf(file)
  if (!room) {
    problems.push(`${file} is in no room that docs/architecture.md names`)
    return
  }
  if (room.kind === 'shared' && GLOBALS_NOT_SHARED.test(text)) {
    problems.push(`${file} uses ${GLOBALS_NOT_SHARED.exec(text)?.[0]}: shared has no Node and no DOM`)
  }
  for (const { specifier, isType } of importsOf(text)) {
    imports += 1
    const problem =
      specifier.startsWith('.') || specifier.startsWith('#')
        ? wrongArrow(file, room, specifier, isType)
        : wrongPackage(room, specifier)
    if (problem) problems.push(`${file} imports ${specifier}: ${problem}`)
  }
}

/** Comments that stand on lines of their own: those that could look like an import. */
function withoutComments(text) {
  return text.replace(/^\s*\/\*[\s\S]*?\*\//gm, (comment) => comment.replace(/[^\n]/g, '')).replace(/^\s*\/\/.*$/gm, '')
}

function* importsOf(text) {
  const patterns = [
    /(?:^|[\n;}])\s*(?:import|export)\s+(type\s)?[^'"`;()=]*?\bfrom\s*['"]([^'"\n]+)['"]/g,
    /(?:^|[\n;}])\s*import\s*()['"]([^'"\n]+)['"]/g,
    /\b(?:import|require)\s*\(\s*()['"`]([^'"`\n]+)['"`]/g,
  ]
  for (const pattern of patterns) {
    for (const [, type, specifier] of text.matchAll(pattern)) yield { specifier, isType: Boolean(type) }
  }
}

function resolveImport(file, specifier) {
  const path = specifier.replace(/\?.*$/, '')
  if (path.startsWith('.')) return posix.normalize(posix.join(posix.dirname(file), path))
  const alias = Object.keys(ALIASES).find((name) => path.startsWith(name))
  return alias ? ALIASES[alias] + path.slice(alias.length) : null
}

function wrongArrow(file, from, specifier, isType) {
  const target = resolveImport(file, specifier)
  if (target === null) return 'an unknown alias'
  if (target.startsWith('../')) return 'it lies outside of src'
  if (!existsSync(join(source, target))) return 'there is no such file'
  const to = roomOf(target)
  if (!to) return 'it is in no room'
  const isInside = from.kind === to.kind && from.feature === to.feature
  if (isInside) return null
  if (specifier.startsWith('../')) return 'a relative path across rooms; use #…'
  if (to.kind === 'feature') return wrongFeatureUse(from, to, target)
  if (['shell', 'cli'].includes(from.kind) && target.startsWith('main/engine/')) {
    if (isType || to.kind === 'engine' || OPEN_TO_ALL_OF_MAIN.includes(target)) return null
    return `${from.kind} uses the engine through its entry, not its inside`
  }
  // the shape of a handler: a type, gone at run time
  if (from.kind === 'procedures' && to.kind === 'engine' && isType) return null
  return ALLOWED[from.kind].includes(to.kind) ? null : `${from.kind} must not use ${to.kind}`
}

function wrongFeatureUse(from, to, target) {
  if (!ALLOWED[from.kind].includes('feature')) return `${from.kind} must not use a feature`
  if (from.kind === 'feature') {
    if (!features.has(from.feature)) features.set(from.feature, new Set())
    features.get(from.feature).add(to.feature)
  }
  // the worker's list of tasks is the one place that names a feature's inside: it runs alone in its thread
  const isWorkerTask = from.kind === 'engine' && /\/(worker-tasks|tasks?)\.ts$/.test(target)
  return isWorkerTask || target === `main/engine/features/${to.feature}/index.ts`
    ? null
    : `feature ${to.feature} is used through its index.ts only`
}

function wrongPackage(from, specifier) {
  const name = specifier.replace(/^node:/, '')
  const isBuiltin = specifier.startsWith('node:') || builtinModules.includes(name.split('/')[0])
  if (name === 'electron' || name.startsWith('electron/')) {
    return ELECTRON_ROOMS.includes(from.kind) ? null : 'only the shell and the entries know electron'
  }
  if (from.kind === 'shared')
    return SHARED_PACKAGES.test(name) && !isBuiltin ? null : 'shared has no Node and no packages but zod'
  if (from.kind === 'renderer') return isBuiltin ? 'the page has no Node' : null
  return PAGE_PACKAGES.test(name) ? 'only the renderer draws' : null
}

function circles(graph) {
  const found = []
  const done = new Set()
  const visit = (name, path) => {
    if (path.includes(name)) {
      found.push([...path.slice(path.indexOf(name)), name])
      return
    }
    if (done.has(name)) return
    for (const next of graph.get(name) ?? []) visit(next, [...path, name])
    done.add(name)
  }
  for (const name of graph.keys()) visit(name, [])
  return found
}
