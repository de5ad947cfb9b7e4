import { posix } from 'node:path'
import type { SshConnection } from '#engine/foundation/connections/ssh/types.ts'
import { AppError } from '#shared/errors.ts'
import { formatCount } from '#shared/format.ts'
import { type ArchiveKind, placeError } from '../files/archive-error.ts'
import type { Places, Standing } from '../files/safe-path.ts'
import { MEDIA_LIMITS } from '../media/limits.ts'
import { recordsOf, serverToolFailed } from './server-tool.ts'

/** As many as an archive may have, and as many again that stay. */
const MOST_ENTRIES = 2 * MEDIA_LIMITS.entries

/** What is below a folder of a server, as it was at one moment: listed in one go, since each question takes a way there and back. */
export class RemoteTree implements Places {
  readonly root: string
  readonly #kind: ArchiveKind
  /** By path: the size of a file; -1: a folder, -2: something else. */
  readonly #entries: ReadonlyMap<string, number>
  readonly files: number

  private constructor(root: string, kind: ArchiveKind, entries: ReadonlyMap<string, number>, files: number) {
    this.root = root
    this.#kind = kind
    this.#entries = entries
    this.files = files
  }

  /** @throws AppError `server-tool-failed`, `connection-lost`, `cancelled` */
  static async read(server: SshConnection, root: string, kind: ArchiveKind, signal: AbortSignal): Promise<RemoteTree> {
    const entries = new Map<string, number>()
    let files = 0
    let isRootSeen = false
    const command = ['find', '-H', root, '-printf', '%y %s %P\\0']
    for await (const record of recordsOf(server, command, signal)) {
      const [, type, size, path = ''] = /^(\S+) (\d+) ([\s\S]*)$/.exec(record) ?? []
      if (path === '') isRootSeen ||= type !== undefined
      if (path === '') continue
      if (type === 'f') files += 1
      if (entries.size >= MOST_ENTRIES) throw tooMany(root)
      entries.set(path, type === 'f' ? Number(size) : type === 'd' ? -1 : -2)
    }
    // where no command runs, nothing is listed, which would look like an empty folder
    if (!isRootSeen) throw serverToolFailed('find', { code: 0, stderr: `${root} was not listed` })
    return new RemoteTree(root, kind, entries, files)
  }

  async look(parts: readonly string[]): Promise<Standing> {
    return (await this.hasFolder(parts.slice(0, -1))) ? standingOf(this.#entries.get(parts.join('/'))) : 'nothing'
  }

  async hasFolder(parts: readonly string[]): Promise<boolean> {
    for (let depth = 1; depth <= parts.length; depth += 1) {
      const above = parts.slice(0, depth).join('/')
      const standing = standingOf(this.#entries.get(above))
      if (standing === 'nothing') return false
      if (standing === 'folder') continue
      const what = standing === 'file' ? 'a file' : 'a link or device'
      throw placeError(this.#kind, posix.join(this.root, above), `is ${what}, where a folder is expected.`)
    }
    return true
  }

  /** null: there is no such file. */
  sizeOf(parts: readonly string[]): number | null {
    const size = this.#entries.get(parts.join('/'))
    return size === undefined || size < 0 ? null : size
  }
}

function tooMany(root: string): AppError {
  return new AppError(
    'server-tool-failed',
    `${root} on the server holds more than ${formatCount(MOST_ENTRIES)} files and folders.`,
    {
      hint: 'Is this the site’s files folder?',
      details: { tool: 'find', root },
    },
  )
}

function standingOf(entry: number | undefined): Standing {
  if (entry === undefined) return 'nothing'
  if (entry >= 0) return 'file'
  return entry === -1 ? 'folder' : 'other'
}

/**
 * SHA-256 of files of a server, made there: lower-case hex by path. A file that can't be read has none.
 * @param paths below the root
 */
export async function remoteSums(
  server: SshConnection,
  root: string,
  paths: Iterable<string>,
  signal: AbortSignal,
): Promise<Map<string, string>> {
  const sums = new Map<string, string>()
  const script = 'cd "$1" && exec xargs -0 -r sha256sum -z --'
  // a name that is missing from the answer counts as different
  for await (const record of recordsOf(server, ['sh', '-c', script, 'sh', root], signal, prefixed(paths))) {
    const [, sum, path] = /^([0-9a-f]{64}) [ *]\.\/([\s\S]+)$/.exec(record) ?? []
    if (sum !== undefined && path !== undefined) sums.set(path, sum)
  }
  return sums
}

function* prefixed(paths: Iterable<string>): Generator<string> {
  for (const path of paths) yield `./${path}`
}
