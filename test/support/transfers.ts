import { createHash, randomBytes } from 'node:crypto'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { cp, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { noRateLimit } from '#engine/foundation/rate-limit.ts'
import { openFolderRepository } from '#engine/foundation/repository/folder.ts'
import type { Patience } from '#engine/foundation/repository/repeating.ts'
import { type BackupTransfer, type PartExaminer, transferBackup } from '#engine/foundation/repository/transfer.ts'
import type { Repository } from '#engine/foundation/repository/types.ts'
import { fixture } from './fixtures.ts'
import { allowed } from './patience.ts'

export const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** Trouble is over soon in a test; but a machine that is busy is no stall. */
export const QUICK: Patience = { stallMs: allowed(500), pausesMs: [20, 40, 80, 160, 320] }

/** For backups whose files' own hashes tell. */
export const blindExaminer: PartExaminer = {
  async contentHash(stored) {
    stored.destroy()
    return null
  },
  async readToEnd(_part, stored) {
    stored.destroy()
    return 'not read'
  },
}

/** A server's backup folder with the files of a real server. */
export async function serverFolder(folder: string, backups: string | null): Promise<Repository> {
  await mkdir(folder, { recursive: true })
  if (backups !== null) await cp(fixture('backups', backups), folder, { recursive: true })
  return openFolderRepository({ folder, owner: 'server' })
}

/** A backup of random bytes in a folder, as a server would index it. */
export async function makeBackup(
  folder: string,
  sizes: { database: number; config?: number; files?: number },
  { name = 'testsite-1', timestamp = 1_795_000_000 } = {},
): Promise<void> {
  await mkdir(folder, { recursive: true })
  const entry: Record<string, unknown> = { timestamp, is_encrypted: false, is_filestore_uploaded: false }
  const parts = [
    ['database', 'database', `${name}.sql.gz`, sizes.database],
    ['config', 'config_files', `config-${name}.tar.gz`, sizes.config],
    ['files', 'files', `${name}.tar.gz`, sizes.files],
  ] as const
  for (const [, field, file, size] of parts) {
    if (size === undefined) continue
    const hash = createHash('sha256')
    const pieces: Buffer[] = []
    for (let left = size; left > 0; left -= 1 << 24) pieces.push(randomBytes(Math.min(left, 1 << 24)))
    for (const piece of pieces) hash.update(piece)
    await writeFile(join(folder, file), pieces)
    entry[field] = file
    entry[`${field}_hash`] = hash.digest('hex')
  }
  // as a server does it: in one go, and seen whole or not at all
  const path = join(folder, 'backup.json')
  const index = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {}
  writeFileSync(`${path}.tmp`, JSON.stringify({ ...index, [name]: entry }))
  renameSync(`${path}.tmp`, path)
}

export interface Tried {
  notes: string[]
  /** Bytes that were sent. */
  sent: number
}

/** Copies one backup with the engine's own call, in a hurry. */
export async function transfer(
  from: Repository,
  to: Repository,
  name: string,
  options: Partial<BackupTransfer> = {},
): Promise<Tried & Awaited<ReturnType<typeof transferBackup>>> {
  const entry = (await from.readIndex()).get(name)
  if (!entry) throw new Error(`no ${name} in ${from.place}`)
  const notes: string[] = []
  const sent = new Map<string, number>()
  const total = () => [...sent.values()].reduce((sum, bytes) => sum + bytes, 0)
  try {
    const done = await transferBackup({
      from,
      to,
      name,
      entry,
      isFilestoreUploaded: entry.is_filestore_uploaded === true,
      limit: noRateLimit,
      examiner: blindExaminer,
      signal: new AbortController().signal,
      onNote: (text) => notes.push(text),
      freesFullDisk: true,
      patience: QUICK,
      ...options,
      onProgress: (kind, position, bytes) => {
        sent.set(kind, bytes)
        options.onProgress?.(kind, position, bytes)
      },
    })
    return { ...done, notes, sent: done.bytes }
  } catch (error) {
    throw Object.assign(error as Error, { notes, sent: total() })
  }
}

/** Every file of a repository with its bytes, without what only we use. */
export async function contentsOf(repository: Repository): Promise<Record<string, string>> {
  const contents: Record<string, string> = {}
  for (const { name } of await repository.list()) {
    if (name === 'backup.json') continue
    contents[name] = sha256(await buffer(await repository.read(name)))
  }
  return contents
}

/** Files of ours for the making that are in a folder. */
export async function leftIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((file) => /\.(part|intent)$/.test(file) || file.startsWith('.backup-desk'))
}
