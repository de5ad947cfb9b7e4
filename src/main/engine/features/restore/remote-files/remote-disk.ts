import { randomBytes } from 'node:crypto'
import { posix } from 'node:path'
import { Readable } from 'node:stream'
import type { RemoteFacts, SshConnection } from '#engine/foundation/connections/ssh/types.ts'
import { AppError } from '#shared/errors.ts'
import { journalLines } from '../files/journal-lines.ts'
import type { DiskAppender, DiskFacts, DiskUser, SiteDisk } from '../files/site-disk.ts'

/** Marks and journals of single jobs are read whole up to this size. */
const TEXT_BYTES = 1024 * 1024

/** The disk of a server, for who logs in there. */
export function remoteDisk(server: SshConnection): SiteDisk {
  const { files } = server
  let user: Promise<DiskUser | null> | null = null

  async function shell(script: string, ...args: string[]): Promise<void> {
    const { code, stderr } = await server.run(['sh', '-c', script, 'sh', ...args], { timeoutMs: null })
    if (code !== 0)
      throw new AppError('remote-file-error', `The server could not do this with ${args[0]}: ${stderr.trim().slice(-300)}`)
  }

  return {
    server,
    join: posix.join,
    facts: async (path) => diskFacts(await files.facts(path)),
    // a link is followed where something below it is asked for
    target: async (path) => diskFacts((await files.facts(`${path}/.`).catch(() => null)) ?? (await files.facts(path))),
    async names(folder) {
      try {
        return (await files.list(folder)).map(({ name }) => name)
      } catch (error) {
        if (isCode(error, 'not-found')) return []
        throw error
      }
    },
    user() {
      user ??= readUser(server)
      return user
    },
    makeFolders: (path) => shell('umask 077 && mkdir -p -- "$1"', path),
    async makeFolder(path, { mode, owner }) {
      await files.makeFolder(path, 0o700)
      await files.setFacts(path, { mode, ...(owner ?? {}) })
    },
    async removeFolder(path) {
      // one that holds something stays; which of its reasons it was, the server does not say
      await files.removeFolder(path).catch(async (error: unknown) => {
        if (isCode(error, 'not-found') || (await this.names(path)).length > 0) return
        throw error
      })
    },
    async remove(path) {
      await files.remove(path).catch((error: unknown) => {
        if (!isCode(error, 'not-found')) throw error
      })
    },
    removeTree: (path) => shell('rm -rf -- "$1"', path),
    async move(from, to, part) {
      try {
        await files.rename(from, to)
      } catch (error) {
        if (!isCode(error, 'remote-file-error')) throw error
        await shell('rm -f -- "$3" && cp -pP -- "$1" "$3" && mv -f -- "$3" "$2" && rm -f -- "$1"', from, to, part)
      }
    },
    async keep(path, kept) {
      try {
        await files.link(path, kept)
      } catch (error) {
        if (isCode(error, 'connection-lost') || isCode(error, 'not-found')) throw error
        await shell('cp -pP -- "$1" "$2.part" && mv -f -- "$2.part" "$2"', path, kept)
      }
    },
    async secondName(path, name) {
      try {
        await files.link(path, name)
      } catch (error) {
        if (isCode(error, 'connection-lost')) throw error
        await shell('cp -pP -- "$1" "$2.part" && mv -f -- "$2.part" "$2"', path, name)
      }
    },
    async hasContent(path, content) {
      const facts = await files.facts(path)
      if (facts?.kind !== 'file' || facts.size !== content.length) return false
      let at = 0
      for await (const chunk of (await files.read(path, { length: content.length })) as AsyncIterable<Buffer>) {
        if (!content.subarray(at, at + chunk.length).equals(chunk)) return false
        at += chunk.length
      }
      return at === content.length
    },
    openAppender: async (path) => openAppender(server, path),
    async writeAtomic(path, text) {
      const part = `${path}.${randomBytes(4).toString('hex')}.part`
      await files.write(part, Readable.from([Buffer.from(text)]), { mode: 0o600, exclusive: true })
      await files.rename(part, path)
    },
    async readText(path) {
      if ((await files.facts(path)) === null) return null
      const chunks: Buffer[] = []
      for await (const chunk of (await files.read(path, { length: TEXT_BYTES })) as AsyncIterable<Buffer>) chunks.push(chunk)
      return Buffer.concat(chunks).toString('utf8')
    },
    async *lines(path) {
      yield* journalLines((await files.read(path)) as AsyncIterable<Buffer>, path)
    },
    async syncFolder(path) {
      // a server whose sync takes no names is trusted to write what it took
      await server.run(['sync', path], { timeoutMs: null })
    },
    async makeDurable(folder, _files, signal) {
      await server.run(['sh', '-c', 'sync -f "$1" || sync', 'sh', folder], { signal, timeoutMs: null })
    },
  }
}

function openAppender({ files }: SshConnection, path: string): DiskAppender {
  return {
    async append(text) {
      // a job's writers each have an appender of their own on its journal: its end is where the file ends now
      const offset = (await files.facts(path))?.size ?? 0
      await files.write(path, Readable.from([Buffer.from(text)]), { offset, mode: 0o600 })
    },
    close: async () => {},
  }
}

async function readUser(server: SshConnection): Promise<DiskUser | null> {
  const { stdout } = await server.run(['sh', '-c', 'id -u && id -g && id -G'])
  const [uid = '', gid = '', groups = ''] = stdout.split('\n')
  return /^\d+$/.test(uid) ? { uid: Number(uid), gid: Number(gid), groups: groups.split(' ').map(Number) } : null
}

function diskFacts(facts: RemoteFacts | null): DiskFacts | null {
  if (!facts) return null
  const { kind, size, modified, mode, uid, gid } = facts
  return { kind: kind === 'file' || kind === 'folder' ? kind : 'other', size, seconds: modified, mode, uid, gid }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof AppError && error.code === code
}
