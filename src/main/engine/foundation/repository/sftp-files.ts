import { createHash } from 'node:crypto'
import { posix } from 'node:path'
import { PassThrough, pipeline, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { AppError } from '#shared/errors.ts'
import { sureBytes } from '../connections/ssh/sftp-write.ts'
import type { RemoteFacts, SshConnection } from '../connections/ssh/types.ts'
import { MAX_INDEX_BYTES } from './backup-index.ts'
import { assertReadable, type Likeness, likeness } from './file-owner.ts'
import { clockName, INDEX_FILE, isOurs, SERVER_INDEX_TEMPORARY } from './names.ts'
import {
  changedWhileReading,
  existsAlready,
  hasCode,
  notAFile,
  notFound,
  type RepositoryFiles,
  type TextFile,
} from './repository-files.ts'
import { serverCommands } from './sftp-commands.ts'
import type { FileStat } from './types.ts'

const READ_TRIES = 3

/**
 * The files of a folder of a server, over SFTP. Hashes are computed, and the index is exchanged, by commands there when the
 * log-in may run some.
 */
export function sftpFiles({ connection, folder: given }: { connection: SshConnection; folder: string }): RepositoryFiles {
  const folder = posix.resolve('/', given)
  const remote = connection.files
  const place = `sftp://${connection.place.replace(/:22$/, '')}${folder}`
  const at = (name: string) => posix.join(folder, name)
  const commands = serverCommands(connection)
  let isReached = false
  let neighbours: Promise<Likeness> | null = null

  function statOf(name: string, facts: RemoteFacts | null): FileStat | null {
    if (facts?.kind !== 'file') return null
    return { name, size: facts.size, version: `${facts.size}:${facts.modified}`, modified: new Date(facts.modified * 1000) }
  }

  async function stat(name: string): Promise<FileStat | null> {
    return statOf(name, await remote.facts(at(name)))
  }

  async function reach(): Promise<'there'> {
    // the dot looks through a link: servers often have the folder on another disk
    const facts = await remote.facts(`${folder}/.`).catch((error: unknown) => {
      if (hasCode(error, 'permission-denied')) throw unreachable(place, 'may not be read by who logs in', error)
      throw error
    })
    if (facts === null) throw unreachable(place, 'does not exist')
    if (facts.kind !== 'folder') throw unreachable(place, 'is not a folder')
    isReached = true
    return 'there'
  }

  async function prepare(): Promise<void> {
    if (!isReached) await reach()
  }

  async function list(signal?: AbortSignal): Promise<FileStat[]> {
    const entries = await remote.list(folder).catch((error: unknown) => {
      if (hasCode(error, 'not-found')) return []
      throw error
    })
    signal?.throwIfAborted()
    return entries.flatMap(({ name, facts }) => statOf(name, facts) ?? [])
  }

  async function read(
    name: string,
    options: { offset?: number; length?: number; ifVersion?: string; signal?: AbortSignal } = {},
  ) {
    const { ifVersion, ...range } = options
    options.signal?.throwIfAborted()
    const facts = await remote.facts(at(name))
    if (facts === null) throw notFound(name, place)
    // a pipe would never answer
    if (facts.kind !== 'file') throw notAFile(at(name))
    const isChanged = (now: FileStat | null) => ifVersion !== undefined && now?.version !== ifVersion
    if (isChanged(statOf(name, facts))) throw changedWhileReading(name, place)
    const bytes = await remote.read(at(name), range)
    if (ifVersion === undefined) return bytes
    const checked = new PassThrough({
      flush(done) {
        stat(name).then((now) => done(isChanged(now) ? changedWhileReading(name, place) : null), done)
      },
    })
    return pipeline(bytes, checked, () => {})
  }

  async function readText(name: string, maxBytes: number): Promise<TextFile | null> {
    for (let tried = 0; tried < READ_TRIES; tried += 1) {
      const facts = await remote.facts(at(name))
      if (facts === null) return null
      const before = statOf(name, facts)
      if (before === null) throw notAFile(at(name))
      const bytes = await remote.read(at(name), { length: maxBytes }).then(buffer, (error: unknown) => {
        if (hasCode(error, 'not-found')) return null
        throw error
      })
      if (bytes && (await stat(name))?.version === before.version)
        return { text: bytes.toString('utf8'), version: before.version }
    }
    throw changedWhileReading(name, place)
  }

  async function findNeighbours(): Promise<Likeness> {
    const index = await remote.facts(at(INDEX_FILE))
    if (index?.kind === 'file') return likeness(index)
    const [first] = (await remote.list(folder)).filter(({ name, facts }) => facts.kind === 'file' && !isOurs(name))
    const facts = first?.facts ?? (await remote.facts(`${folder}/.`))
    if (facts) return likeness(facts)
    throw unreachable(place, 'does not exist')
  }

  /** A new file, which must not be there. */
  async function createFile(name: string, text: string): Promise<void> {
    neighbours ??= findNeighbours()
    const like = await neighbours.catch((error: unknown) => {
      neighbours = null
      throw error
    })
    await remote
      .write(at(name), Readable.from([Buffer.from(text)]), { exclusive: true, mode: like.mode })
      .catch(async (error: unknown) => {
        if (hasCode(error, 'exists')) throw existsAlready(name, place)
        // it was made, and could not be written
        if (hasCode(error, 'disk-full')) await remove(name).catch(() => {})
        throw error
      })
    try {
      await take(name, like)
    } catch (error) {
      await remove(name).catch(() => {})
      throw error
    }
  }

  async function take(name: string, like: Likeness): Promise<void> {
    const own = await remote.facts(at(name))
    if (!own) throw notFound(name, place)
    const isForeign = own.uid !== like.uid || own.gid !== like.gid
    if (isForeign && !(await isChanged(name, { uid: like.uid, gid: like.gid }))) {
      // without root a file can't be given away; it still can be given to the group that shares the folder
      await isChanged(name, { gid: like.gid })
    }
    if (own.mode !== like.mode) await remote.setFacts(at(name), { mode: like.mode })
    if (isForeign) assertReadable((await remote.facts(at(name))) ?? own, like, place)
  }

  async function isChanged(name: string, owner: { uid?: number; gid: number }): Promise<boolean> {
    try {
      await remote.setFacts(at(name), owner)
      return true
    } catch (error) {
      if (hasCode(error, 'permission-denied') || hasCode(error, 'remote-file-error')) return false
      throw error
    }
  }

  async function remove(name: string): Promise<void> {
    await remote.remove(at(name)).catch((error: unknown) => {
      if (!hasCode(error, 'not-found')) throw error
    })
  }

  return {
    place,
    owner: 'server',
    isRemote: true,
    sureBytes,
    reach,
    prepare,
    list,
    stat,
    read,
    readText,
    create: createFile,
    remove,

    async write(name, body, { offset = 0, signal, onTaken }) {
      try {
        if (offset === 0) {
          await remove(name)
          // owner and mode before the first byte: what could not be read there is refused before it is sent
          await createFile(name, '')
        }
        return await remote.write(at(name), body, { offset, ...(signal ? { signal } : {}), ...(onTaken ? { onTaken } : {}) })
      } catch (error) {
        body.destroy()
        throw error
      }
    },

    async touch(name, size) {
      await remote.write(at(name), Readable.from([Buffer.from('\n')]), { offset: size - 1 })
    },

    async rename(from, to) {
      await remote.rename(at(from), at(to))
    },

    async link(from, to) {
      try {
        await remote.link(at(from), at(to))
      } catch (error) {
        if (hasCode(error, 'exists')) throw existsAlready(to, place)
        if (!hasCode(error, 'unsupported')) throw error
        if (await remote.facts(at(to))) throw existsAlready(to, place)
        await remote.rename(at(from), at(to))
      }
    },

    async replaceIndex(part, expected) {
      const outcome = await commands.replaceIndex(folder, part, expected)
      if (outcome !== 'unknown') return outcome === 'replaced'
      const now = await readText(INDEX_FILE, MAX_INDEX_BYTES + 1)
      if (now?.version !== expected?.version || now?.text !== expected?.text) return false
      if ((await remote.facts(at(SERVER_INDEX_TEMPORARY))) !== null) return false
      await remote.rename(at(part), at(INDEX_FILE))
      return true
    },

    async hash(name, signal) {
      const known = await commands.sha256(at(name), signal)
      if (known !== null) return known
      const hash = createHash('sha256')
      for await (const chunk of await read(name, signal ? { signal } : {})) hash.update(chunk)
      return hash.digest('hex')
    },

    async sync(names = []) {
      await commands.sync([...names.map(at), folder])
    },

    async now() {
      const name = clockName()
      await createFile(name, '')
      try {
        const facts = await stat(name)
        if (facts) return facts.modified.getTime()
        throw notFound(name, place)
      } finally {
        await remove(name).catch(() => {})
      }
    },
  }
}

function unreachable(place: string, why: string, cause?: unknown): AppError {
  return new AppError('repository-unreachable', `The server’s backup folder ${place} ${why}.`, {
    hint: 'Is the disk mounted there, and do the path and the user in the site’s settings fit?',
    details: { place },
    cause,
  })
}
