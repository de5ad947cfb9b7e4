import type { Attributes, FileEntry } from 'ssh2'
import { AppError } from '#shared/errors.ts'
import type { SessionOf } from './sftp-lanes.ts'
import { readRemoteFile } from './sftp-read.ts'
import { makeNew, type SftpSession } from './sftp-session.ts'
import { writeRemoteFile } from './sftp-write.ts'
import type { RemoteFacts, RemoteFiles } from './types.ts'

const MAX_ENTRIES = 100_000
const LISTINGS_AT_ONCE = 16

/** @param sessionOf SFTP channels of the living connection, opened when they are not there */
export function remoteFiles(sessionOf: SessionOf): RemoteFiles {
  const session = () => sessionOf(0)

  async function facts(path: string): Promise<RemoteFacts | null> {
    const open = await session()
    try {
      return factsOf(await open.ask<Attributes>(path, (done) => open.sftp.lstat(path, done)))
    } catch (error) {
      if (error instanceof AppError && error.code === 'not-found') return null
      throw error
    }
  }

  return {
    facts,
    async list(folder) {
      const open = await session()
      const handle = await open.ask<Buffer>(folder, (done) => open.sftp.opendir(folder, done))
      try {
        return await readEntries(open, folder, handle)
      } finally {
        await open.ask(folder, (done) => open.sftp.close(handle, done)).catch(() => {})
      }
    },
    async read(path, { offset = 0, length, signal } = {}) {
      return readRemoteFile(sessionOf, path, { offset, length: length ?? null }, signal)
    },
    async write(path, body, options = {}) {
      try {
        return await writeRemoteFile(sessionOf, path, body, options)
      } finally {
        body.destroy()
      }
    },
    async rename(from, to) {
      const open = await session()
      try {
        await open.ask(from, (done) => open.sftp.ext_openssh_rename(from, to, done))
      } catch (error) {
        if (!(error instanceof AppError && error.code === 'unsupported')) throw error
        // such a server renames onto nothing that is there: for a moment the name is gone
        if (await facts(to)) await open.ask(to, (done) => open.sftp.unlink(to, done))
        await open.ask(from, (done) => open.sftp.rename(from, to, done))
      }
    },
    async link(from, to) {
      const open = await session()
      await makeNew(open, to, () => open.ask(to, (done) => open.sftp.ext_openssh_hardlink(from, to, done)))
    },
    async remove(path) {
      const open = await session()
      await open.ask(path, (done) => open.sftp.unlink(path, done))
    },
    async makeFolder(path, mode) {
      const open = await session()
      const attributes = mode === undefined ? {} : { mode }
      await makeNew(open, path, () => open.ask(path, (done) => open.sftp.mkdir(path, attributes, done)))
    },
    async removeFolder(path) {
      const open = await session()
      await open.ask(path, (done) => open.sftp.rmdir(path, done))
    },
    async setFacts(path, { mode, uid, gid, modified }) {
      const open = await session()
      // owner first: a change of owner takes the set-user-id bits away
      if (uid !== undefined || gid !== undefined) {
        const now = await facts(path)
        if (!now) throw new AppError('not-found', `The server has no file or folder ${path}.`, { details: { path } })
        await open.ask(path, (done) => open.sftp.chown(path, uid ?? now.uid, gid ?? now.gid, done))
      }
      if (mode !== undefined) await open.ask(path, (done) => open.sftp.chmod(path, mode, done))
      if (modified !== undefined) await open.ask(path, (done) => open.sftp.utimes(path, modified, modified, done))
    },
  }
}

/** A server answers with about 100 entries at a time: several are asked for at once, so that a long way is gone once. */
async function readEntries(open: SftpSession, folder: string, handle: Buffer): Promise<{ name: string; facts: RemoteFacts }[]> {
  const entries: { name: string; facts: RemoteFacts }[] = []
  for (let isAll = false; !isAll; ) {
    const answers = await Promise.all(Array.from({ length: LISTINGS_AT_ONCE }, () => readSome(open, folder, handle)))
    isAll = answers.includes(null)
    if (!isAll && answers.every((more) => more?.length === 0)) throw endless(folder)
    for (const { filename, attrs } of answers.flatMap((more) => more ?? [])) {
      // a name is what stands in one folder, whatever the server says
      if (filename === '.' || filename === '..' || filename.includes('/') || filename.includes('\0')) continue
      entries.push({ name: filename, facts: factsOf(attrs) })
    }
    if (entries.length > MAX_ENTRIES) {
      throw new AppError('too-many-files', `${folder} has more than ${MAX_ENTRIES} entries; it was not read further.`, {
        hint: 'Is this the right folder?',
        details: { folder },
      })
    }
  }
  return entries
}

function endless(folder: string): AppError {
  return new AppError(
    'remote-file-error',
    `The server goes on listing ${folder} without naming a file; it was not asked further.`,
    {
      details: { folder },
    },
  )
}

/** Null: that was all. */
async function readSome(open: SftpSession, folder: string, handle: Buffer): Promise<FileEntry[] | null> {
  const all = await open.ask<FileEntry[] | null>(folder, (done) => {
    open.sftp.readdir(handle as unknown as string, (error, found) => {
      if (error && (error as { code?: unknown }).code === 1) done(null, null)
      else done(error, found)
    })
  })
  return all
}

const KINDS = new Map<number, RemoteFacts['kind']>([
  [0o100000, 'file'],
  [0o040000, 'folder'],
  [0o120000, 'link'],
])

function factsOf({ mode, size, mtime, uid, gid }: Attributes): RemoteFacts {
  return { kind: KINDS.get(mode & 0o170000) ?? 'other', size, modified: mtime, mode: mode & 0o7777, uid, gid }
}
