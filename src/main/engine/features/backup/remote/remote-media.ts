import { posix } from 'node:path'
import { Readable } from 'node:stream'
import type { SiteServer } from '#engine/foundation/connections/ssh/site-server.ts'
import type { RemoteProcess, RunResult, SshConnection } from '#engine/foundation/connections/ssh/types.ts'
import { readTar } from '#engine/foundation/content/read-tar.ts'
import { AppError, cancelledError } from '#shared/errors.ts'
import type { ArchiveOptions } from '../archived-file.ts'
import { tarHeader, tarPadding } from '../tar-format.ts'
import { TarPacker } from '../tar-packer.ts'
import { type ArchiveProblem, printable } from '../tree.ts'
import type { CommandPrefix } from './reading-as.ts'
import { readTarMessages } from './tar-messages.ts'

const STREAM_BUFFER = 256 * 1024
/** RunResult keeps no more of the standard error. */
const MESSAGES_KEPT = 16 * 1024

/** What a backup of media reads on a server. */
export interface RemoteFolder {
  server: SiteServer
  prefix: CommandPrefix
}

export function mediaFolder({ settings }: SiteServer): string {
  return posix.join(settings.filesDir, 'archive')
}

/**
 * Whether the server has a media folder. That nobody may look, or that no command runs there, is no answer.
 * @throws AppError `media-unreadable`, `server-tool-failed`
 */
export async function hasRemoteMedia({ server, prefix }: RemoteFolder, signal: AbortSignal): Promise<boolean> {
  const folder = mediaFolder(server)
  // with its last dot, a link to a folder is that folder
  const inside = `${folder}/.`
  const result = await server.connection.run([...prefix, 'env', 'LC_ALL=C', 'ls', '-d', '--', inside], { signal })
  if (result.code === 0 && result.stdout.includes(folder)) return true
  if (/No such file|Not a directory/.test(result.stderr)) return false
  if (!/Permission denied/.test(result.stderr)) throw failed('ls', folder, result)
  throw new AppError('media-unreadable', `${folder} on ${server.connection.place} can’t be looked into: Permission denied.`, {
    hint: 'Log in as a user who may, or name the user of Zotonic in the site’s settings. Earlier backups are unchanged.',
    details: { folder },
  })
}

/** Bytes below a folder of the server; 0 when its `du` can't tell. */
export async function measureRemoteTree({ server, prefix }: RemoteFolder, folder: string, signal: AbortSignal): Promise<number> {
  // what it may not enter makes it fail, but not silent
  const { stdout } = await server.connection.run([...prefix, 'du', '-sb', `${folder}/`], { signal, timeoutMs: null })
  return Number(/^(\d+)\s/.exec(stdout)?.[1] ?? 0)
}

/**
 * The media of a site on a server as uncompressed tar bytes, as `createMediaArchive` makes them of the same files: `tar` runs there,
 * its stream is read entry by entry and packed anew, so that a cut or odd one never becomes a backup. Links and special
 * files are left out and told, as are files that tar could not take as they were.
 *
 * Destroying the stream, or an abort, ends tar there. It fails with AppError `media-unreadable`, `server-tool-failed`,
 * `archive-cut`, `archive-damaged`, `archive-refused`, `connection-lost`, `cancelled`.
 */
export function createRemoteMediaArchive(folder: RemoteFolder, options: ArchiveOptions): Readable {
  return Readable.from(packRemoteMedia(folder, options), { objectMode: false, highWaterMark: STREAM_BUFFER })
}

async function* packRemoteMedia({ server, prefix }: RemoteFolder, options: ArchiveOptions): AsyncGenerator<Buffer> {
  const { signal, onProgress } = options
  const folder = mediaFolder(server)
  const ending = new AbortController()
  const stop = () => ending.abort()
  signal?.addEventListener('abort', stop, { once: true })
  const found = { files: 0, unreadable: 0 }
  const onProblem = (problem: ArchiveProblem) => {
    if (problem.code === 'unreadable') found.unreadable += 1
    options.onProblem(problem)
  }
  try {
    signal?.throwIfAborted()
    const packer = new TarPacker()
    const command = [...prefix, 'env', 'LC_ALL=C', 'tar', ...(await tarOptions(server.connection, signal)), '-C', folder]
    const tar = await server.connection.start([...command, '-cf', '-', '.'], ending.signal)
    tar.ended.catch(() => {})
    tar.stdin.end()
    const onOther = (name: string, what: string) => onProblem(notAFile(name, what))
    try {
      for await (const entry of readTar(tar.stdout as AsyncIterable<Buffer>, { rawNames: true, onOther })) {
        const kind = entry.kind === 'file' ? 'file' : 'directory'
        const name = Buffer.from(entry.name, 'latin1')
        const shown = printable(name).replace(/^\.\/|\/$/g, '') || '.'
        yield* packer.bytes(tarHeader({ ...entry, name, kind, modified: entry.modified.getTime() / 1000 }))
        onProgress?.({ path: shown, bytes: 0 })
        for await (const chunk of entry.content) {
          yield* packer.bytes(chunk)
          onProgress?.({ path: shown, bytes: chunk.length })
        }
        yield* packer.zeros(tarPadding(entry.size))
        if (entry.kind === 'file') found.files += 1
      }
    } catch (error) {
      throw await causeOf(error, tar, folder, signal)
    }
    judge(await tar.ended, folder, found, onProblem)
    yield* packer.end()
  } finally {
    signal?.removeEventListener('abort', stop)
    ending.abort()
  }
}

/** What this server's tar can be told: sorted by name and links to one file as files, where it is GNU's. */
async function tarOptions(connection: SshConnection, signal: AbortSignal | undefined): Promise<string[]> {
  const { stdout } = await connection.run(['tar', '--version'], signal ? { signal } : {})
  const [, major, minor] = /GNU tar\) (\d+)\.(\d+)/.exec(stdout) ?? []
  if (major === undefined) return []
  const canSort = Number(major) > 1 || Number(minor) >= 28
  return ['--format=gnu', '--hard-dereference', ...(canSort ? ['--sort=name'] : [])]
}

/** A stream that ends too early has its reason on the other side. */
async function causeOf(error: unknown, tar: RemoteProcess, folder: string, signal: AbortSignal | undefined): Promise<unknown> {
  if (signal?.aborted) return cancelledError()
  if (!(error instanceof AppError) || error.code !== 'archive-cut') return error
  const result = await tar.ended
  if (result.code === 0) return error
  return failed('tar', folder, result)
}

/** @throws AppError when what came is no backup of this folder */
function judge(
  result: RunResult,
  folder: string,
  found: { files: number; unreadable: number },
  onProblem: (problem: ArchiveProblem) => void,
): void {
  const { problems, others } = readTarMessages(result.stderr)
  for (const problem of problems) onProblem(problem)
  if (result.stderr.length >= MESSAGES_KEPT) {
    onProblem({
      path: '.',
      code: 'unreadable',
      text: 'tar told of more files than could be listed here: look at them on the server.',
    })
  }
  if (found.files === 0 && found.unreadable > 0) {
    throw new AppError('media-unreadable', `None of the media files in ${folder} could be read. No backup was made.`, {
      hint: 'Check owner and mode of the folder, and as whom the site’s settings log in or run.',
      details: { folder, unreadable: found.unreadable },
    })
  }
  // 1: some files differ from what was read; 2: some could not be read
  if (result.code === 0 || result.code === 1 || (result.code === 2 && others.length === 0 && problems.length > 0)) return
  throw failed('tar', folder, result)
}

function failed(tool: string, folder: string, { code, stderr }: RunResult): AppError {
  const said = stderr.trim().slice(-500)
  const how = code === null ? 'was ended' : `ended with code ${code}`
  return new AppError(
    'server-tool-failed',
    `${tool} ${how} while it read ${folder} on the server.${said ? ` It said: ${said}` : ''}`,
    {
      hint: 'The backup was not finished; earlier backups are unchanged.',
      details: { tool, folder, exitCode: code },
    },
  )
}

function notAFile(name: string, what: string): ArchiveProblem {
  const path = printable(Buffer.from(name, 'latin1')).replace(/^\.\//, '')
  if (what === 'symbolic link') return { path, code: 'symbolic-link', text: 'It is a symbolic link and is not in the backup.' }
  if (what === 'hard link') {
    const text = 'It is a second name of another file, which this server’s tar can’t archive as a file; it is not in the backup.'
    return { path, code: 'unreadable', text }
  }
  return { path, code: 'special-file', text: 'It is neither a file nor a folder and is not in the backup.' }
}
