import { Readable } from 'node:stream'
import { readTar, wholeContent } from '#engine/foundation/content/read-tar.ts'
import { AppError } from '#shared/errors.ts'
import type { ArchiveOptions } from '../archived-file.ts'
import { SITE_CONFIGS } from '../config-archive.ts'
import { TAR_BLOCK, type TarEntry, tarHeader, tarPadding } from '../tar-format.ts'
import { TarPacker } from '../tar-packer.ts'
import type { ArchiveProblem } from '../tree.ts'
import type { RemoteFolder } from './remote-media.ts'
import { readTarMessages } from './tar-messages.ts'

/** A site's configuration is a handful of small files. */
const MOST_FILES = 10_000
const MOST_BYTES = 64 * 1024 * 1024
const FILE_KIND = 0o100_000

/** A configuration archive that was read whole. */
export interface RemoteConfig {
  stream: Readable
  /** Of the files in it. */
  bytes: number
}

interface Found {
  /** On the server, without its first slash. */
  path: string
  /** In the archive. */
  name: string
}

/**
 * The configuration and security files of a site on a server, as `createConfigArchive` makes them of the same files.
 * They are read there by `find` and `tar`, which follow links to files. Source: docs/formats.md, "Configuration archive".
 * @returns null when there is not one such file
 * @throws AppError `server-tool-failed`, `config-too-large`, `archive-…`, `connection-lost`, `cancelled`
 */
export async function createRemoteConfigArchive(
  folder: RemoteFolder,
  site: string,
  options: ArchiveOptions & { signal: AbortSignal },
): Promise<RemoteConfig | null> {
  const found = await findFiles(folder, site, options)
  if (found.length === 0) return null
  const entries = await readFiles(folder, found, options)
  if (entries.length === 0) return null
  const bytes = entries.reduce((sum, { entry }) => sum + entry.size, 0)
  return { stream: Readable.from(pack(entries, options), { objectMode: false }), bytes }
}

/** Its last line tells that all of it was run. */
const FIND = `
LC_ALL=C; export LC_ALL
command -v find >/dev/null || { echo 'there is no find' >&2; exit 127; }
find -H "$1/priv" -mindepth 1 -maxdepth 1 -name 'zotonic_site.*' -printf 'p%y%Y%P\\0'
find -H "$1/priv/config.d" -mindepth 1 -printf 'd%y%Y%P\\0'
find -H "$2" -mindepth 1 -printf 's%y%Y%P\\0'
printf end`

/** In the order in which the archive has them. */
async function findFiles({ server, prefix }: RemoteFolder, site: string, options: ArchiveOptions): Promise<Found[]> {
  const { siteDir, securityDir } = server.settings
  const places: Record<string, { root: string; name: string }> = {
    p: { root: `${siteDir}/priv`, name: `config-${site}/config/priv/` },
    d: { root: `${siteDir}/priv/config.d`, name: `config-${site}/config/config.d/` },
    s: { root: securityDir, name: `config-${site}/security/` },
  }
  const { code, stdout, stderr } = await server.connection.run([...prefix, 'sh', '-c', FIND, 'sh', siteDir, securityDir], {
    ...(options.signal ? { signal: options.signal } : {}),
    maxOutput: 8 * 1024 * 1024,
  })
  for (const [, path] of stderr.matchAll(/^find: ['‘](.+)['’]: Permission denied$/gm)) {
    const text = 'It could not be read (Permission denied) and is not in the backup.'
    options.onProblem({ path: path ?? '', code: 'unreadable', text })
  }
  if (!stdout.endsWith('end') || /unrecognized|unknown (predicate|primary|option)/.test(stderr)) {
    const said = stderr.trim().slice(0, 300)
    throw new AppError('server-tool-failed', `The server can’t list configuration files${said === '' ? '' : `: ${said}`}.`, {
      hint: 'GNU findutils are needed there, and a log-in that may run commands. Earlier backups are unchanged.',
      details: { tool: 'find', exitCode: code },
    })
  }
  const kinds: Record<string, (Found & { below: string })[]> = { p: [], d: [], s: [] }
  for (const record of stdout.slice(0, -'end'.length).split('\0')) {
    const [place = '', kind = '', target = ''] = record
    const below = record.slice(3)
    const at = places[place]
    if (!at || below === '' || (place === 'p' && !SITE_CONFIGS.includes(below))) continue
    const problem = problemOf(kind, target)
    if (target === 'f') kinds[place]?.push({ path: `${at.root}/${below}`.replace(/^\/+/, ''), name: at.name + below, below })
    else if (problem) options.onProblem({ path: at.name + below, ...problem })
  }
  const { p = [], d = [], s = [] } = kinds
  p.sort((a, b) => SITE_CONFIGS.indexOf(a.below) - SITE_CONFIGS.indexOf(b.below))
  return [...p, ...d.sort(asWalked), ...s.sort(asWalked)]
}

/** @param target what a link leads to */
function problemOf(kind: string, target: string): Omit<ArchiveProblem, 'path'> | null {
  if (kind === 'd' || target === 'f') return null
  if (kind === 'l') return { code: 'symbolic-link', text: 'It is a symbolic link and is not in the backup.' }
  return { code: 'special-file', text: 'It is neither a file nor a folder and is not in the backup.' }
}

/** Depth first, each folder by the bytes of its names. */
function asWalked(a: { below: string }, b: { below: string }): number {
  const [theirs, others] = [a.below.split('/'), b.below.split('/')]
  for (let at = 0; at < Math.min(theirs.length, others.length); at += 1) {
    const order = Buffer.compare(Buffer.from(theirs[at] ?? ''), Buffer.from(others[at] ?? ''))
    if (order !== 0) return order
  }
  return theirs.length - others.length
}

interface ConfigFile {
  entry: TarEntry
  content: Buffer
  shown: string
}

async function readFiles(
  { server, prefix }: RemoteFolder,
  found: readonly Found[],
  { signal, onProblem }: ArchiveOptions & { signal: AbortSignal },
): Promise<ConfigFile[]> {
  const files = new Map<string, ConfigFile>()
  const command = [...prefix, 'env', 'LC_ALL=C', 'tar', '-C', '/', '--format=gnu', '--hard-dereference', '--no-recursion', '-h']
  const tar = await server.connection.start([...command, '-cf', '-', '--null', '-T', '-'], signal)
  tar.ended.catch(() => {})
  tar.stdin.on('error', () => {})
  tar.stdin.end(found.map(({ path }) => `${path}\0`).join(''))
  let bytes = 0
  const names = new Map(found.map(({ path, name }) => [path, name]))
  try {
    for await (const entry of readTar(tar.stdout as AsyncIterable<Buffer>, { onOther: () => {} })) {
      const name = names.get(entry.name)
      if (name === undefined || entry.kind !== 'file') continue
      bytes += entry.size
      if (bytes > MOST_BYTES || files.size >= MOST_FILES) throw tooLarge()
      const { mode, modified, uid, gid, size } = entry
      const facts = { mode: mode | FILE_KIND, modified: modified.getTime() / 1000, uid, gid, size }
      // the server writes numbers alone here, and so names of users of another machine do not get in the way
      const header: TarEntry = { ...facts, name: Buffer.from(name), kind: 'file', user: '', group: '' }
      files.set(entry.name, { entry: header, content: await wholeContent(entry), shown: name })
    }
  } catch (error) {
    tar.stdout.destroy()
    // a stream that ends too early has its reason on the other side
    if (!(error instanceof AppError) || error.code !== 'archive-cut' || (await tar.ended).code === 0) throw error
  }
  const { code, stderr } = await tar.ended
  const { problems, others } = readTarMessages(stderr)
  for (const problem of problems) onProblem({ ...problem, path: names.get(problem.path) ?? problem.path })
  if (code !== 0 && code !== 1 && (code !== 2 || others.length > 0 || problems.length === 0)) {
    throw new AppError('server-tool-failed', `tar could not read the configuration on the server: ${stderr.trim().slice(-300)}`, {
      hint: 'The backup was not finished; earlier backups are unchanged.',
      details: { tool: 'tar', exitCode: code },
    })
  }
  return found.flatMap(({ path }) => files.get(path) ?? [])
}

function* pack(files: readonly ConfigFile[], { onProgress }: ArchiveOptions): Generator<Buffer> {
  const packer = new TarPacker()
  for (const { entry, content, shown } of files) {
    yield* packer.bytes(tarHeader(entry, 'posix'))
    yield* packer.bytes(content)
    yield* packer.zeros(tarPadding(entry.size))
    onProgress?.({ path: shown, bytes: content.length })
  }
  yield* packer.end(TAR_BLOCK)
}

function tooLarge(): AppError {
  return new AppError('config-too-large', 'The configuration and security folders hold more than 64 MiB or 10,000 files.', {
    hint: 'Is something else in the security folder? The backup was not finished; earlier backups are unchanged.',
    details: { mostBytes: MOST_BYTES, mostFiles: MOST_FILES },
  })
}
