import { execFile } from 'node:child_process'
import { readdir, realpath } from 'node:fs/promises'
import { posix, win32 } from 'node:path'
import { promisify } from 'node:util'
import { cleanEnvironment } from '#engine/foundation/embedded-postgres/server-process.ts'

const run = promisify(execFile)
const ANSWER_MS = 10_000

/** A pg_dump of this computer. */
export interface PgDumpTool {
  path: string
  /** "15.18". */
  version: string
  major: number
  /** The number after the major one. */
  minor: number
}

/** Where pg_dump may be. */
export interface SearchPlaces {
  platform: NodeJS.Platform
  env: NodeJS.ProcessEnv
}

const HERE: SearchPlaces = { platform: process.platform, env: process.env }

/**
 * The folders of PATH first, then those that the usual installers use. A `*` stands for one part of a path.
 * Source: docs/architecture.md, "Three ways to dump".
 */
export function pgDumpFolders({ platform, env }: SearchPlaces): string[] {
  const delimiter = platform === 'win32' ? win32.delimiter : posix.delimiter
  const path = env.PATH ?? env.Path ?? ''
  // a relative entry of PATH would be another folder each time
  const isAbsolute = platform === 'win32' ? win32.isAbsolute : posix.isAbsolute
  return [...path.split(delimiter).filter((folder) => isAbsolute(folder)), ...usualFolders(platform, env)]
}

function usualFolders(platform: NodeJS.Platform, env: NodeJS.ProcessEnv): string[] {
  if (platform === 'win32') {
    const programs = [env.ProgramFiles, env.ProgramW6432, env['ProgramFiles(x86)']].filter((folder) => folder !== undefined)
    return [...new Set(programs)].map((folder) => win32.join(folder, 'PostgreSQL', '*', 'bin'))
  }
  if (platform === 'darwin') {
    // Homebrew on both kinds of processor, Postgres.app, the installer of EDB, MacPorts
    return [
      ...['/opt/homebrew/opt', '/usr/local/opt'].flatMap((brew) => [`${brew}/postgresql*/bin`, `${brew}/libpq/bin`]),
      '/Applications/Postgres.app/Contents/Versions/*/bin',
      '/Library/PostgreSQL/*/bin',
      '/opt/local/lib/postgresql*/bin',
    ]
  }
  // Debian's packages, those of the PostgreSQL project for Red Hat, and what was built by hand
  return ['/usr/lib/postgresql/*/bin', '/usr/pgsql-*/bin', '/usr/local/pgsql/bin']
}

/** Every pg_dump that answers, each once. One that does not work is passed over. */
export async function findPgDumps(places: SearchPlaces = HERE): Promise<PgDumpTool[]> {
  const file = places.platform === 'win32' ? 'pg_dump.exe' : 'pg_dump'
  const folders = (await Promise.all(pgDumpFolders(places).map(expand))).flat()
  const paths = new Set<string>()
  for (const folder of folders) {
    const path = await realpath(`${folder}/${file}`).catch(() => null)
    // Debian's wrapper asks which cluster is meant; the programs behind it are found by themselves
    if (path && !path.endsWith('/pg_wrapper')) paths.add(path)
  }
  const tools = await Promise.all([...paths].map(ask))
  return tools.filter((tool) => tool !== null)
}

/**
 * Of those that can dump a server the one nearest to it, in its newest edition: pg_dump refuses a server that is newer
 * than itself, and what a much newer one writes may hold settings that the server does not know when it is restored.
 */
export function chooseTool(tools: readonly PgDumpTool[], serverMajor: number): PgDumpTool | null {
  const fitting = tools.filter(({ major }) => major >= serverMajor)
  return fitting.sort((a, b) => a.major - b.major || b.minor - a.minor)[0] ?? null
}

async function ask(path: string): Promise<PgDumpTool | null> {
  try {
    const { stdout } = await run(path, ['--version'], { timeout: ANSWER_MS, windowsHide: true, env: cleanEnvironment({}) })
    return readPgDumpVersion(path, stdout)
  } catch {
    return null
  }
}

/** What `pg_dump --version` says; null: it is no pg_dump. */
export function readPgDumpVersion(path: string, text: string): PgDumpTool | null {
  const found = /^pg_dump \(PostgreSQL\) ((\d+)(?:\.(\d+)|[a-z]\S*)?)/.exec(text)
  return found?.[1] ? { path, version: found[1], major: Number(found[2]), minor: Number(found[3] ?? 0) } : null
}

/** The folders that a pattern with one `*` stands for; without one, itself. */
async function expand(pattern: string): Promise<string[]> {
  const at = pattern.indexOf('*')
  if (at < 0) return [pattern]
  const slash = Math.max(pattern.lastIndexOf('/', at), pattern.lastIndexOf('\\', at))
  const prefix = pattern.slice(slash + 1, at)
  const names = await readdir(pattern.slice(0, slash)).catch(() => [])
  return names
    .filter((name) => name.startsWith(prefix))
    .map((name) => `${pattern.slice(0, slash + 1)}${name}${pattern.slice(at + 1)}`)
}
