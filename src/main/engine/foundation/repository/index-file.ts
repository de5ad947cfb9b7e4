import { lstat, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '#shared/errors.ts'
import { syncFolder } from '../files/atomic.ts'
import { emptyIndex, type IndexDocument, MAX_INDEX_BYTES, parseIndex, serializeIndex } from './backup-index.ts'
import { createFile, type FolderOwner } from './file-owner.ts'
import { openPlainFile, statPlainFile } from './folder-read.ts'
import { INDEX_FILE, newWriteId, partName, SERVER_INDEX_TEMPORARY } from './names.ts'
import type { BackupIndex } from './types.ts'

const TRIES = 5
const SERVER_WAIT_MS = 3000
const SERVER_POLL_MS = 100

export interface ReadIndex {
  document: IndexDocument
  /** Changes with the file; null: there is none. */
  version: string | null
  text: string
}

/** Reads backup.json of a folder; a missing one is empty. @throws AppError `index-corrupt` */
export async function readIndexFile(folder: string): Promise<ReadIndex> {
  const path = join(folder, INDEX_FILE)
  const handle = await openPlainFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (handle === null) return { document: emptyIndex(), version: null, text: '' }
  try {
    const facts = await handle.stat({ bigint: true })
    const version = `${facts.size}:${facts.mtimeNs}:${facts.ino}`
    // one byte more than allowed is enough to see that there is more
    const buffer = Buffer.alloc(Math.min(Number(facts.size), MAX_INDEX_BYTES) + 1)
    let length = 0
    for (;;) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length)
      length += bytesRead
      if (bytesRead === 0 || length === buffer.length) break
    }
    const text = buffer.toString('utf8', 0, length)
    return { document: parseIndex(text, path), version, text }
  } finally {
    await handle.close()
  }
}

/**
 * Reads backup.json, lets `change` alter its entries and writes it back, so that a reader sees the old index or the
 * new one. A running server writes it too and knows no lock of ours: we read, merge, look again right before the
 * rename, and read back after it.
 * @param id whose the temporary file is: a job's, else that of this single write
 * @throws AppError `index-busy` when it kept changing, `index-corrupt`; the index is then as somebody else wrote it
 */
export async function updateIndexFile(
  folder: string,
  owner: FolderOwner,
  change: (index: BackupIndex) => void,
  id: string = newWriteId(),
): Promise<void> {
  for (let tried = 0; tried < TRIES; tried += 1) {
    if (tried > 0) await sleep(50 * 2 ** tried)
    if (owner === 'server') await waitForServer(folder)
    const before = await readIndexFile(folder)
    change(before.document.entries)
    const text = serializeIndex(before.document)
    if (before.version !== null && text === before.text) return
    if (await replaceIndex(folder, owner, { text, expected: before.version, id })) return
  }
  throw new AppError(
    'index-busy',
    `${join(folder, INDEX_FILE)} kept changing while it was to be written. It is as the other program wrote it.`,
    {
      hint: 'A backup is probably running on the server: try again when it is done.',
      details: { folder, tries: TRIES },
    },
  )
}

/** False: somebody else wrote it meanwhile. */
async function replaceIndex(
  folder: string,
  owner: FolderOwner,
  { text, expected, id }: { text: string; expected: string | null; id: string },
): Promise<boolean> {
  const path = join(folder, INDEX_FILE)
  const file = partName(INDEX_FILE, id)
  const part = join(folder, file)
  // a try that was killed here has left its file
  await rm(part, { force: true })
  const handle = await createFile(folder, file, owner)
  try {
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    if (owner === 'server' && (await serverIsWriting(folder))) return false
    const now = await statPlainFile(path, INDEX_FILE)
    if ((now?.version ?? null) !== expected) return false
    await rename(part, path)
  } finally {
    await rm(part, { force: true })
  }
  await syncFolder(folder)
  const written = await open(path, 'r').catch(() => null)
  if (!written) return false
  try {
    return (await written.readFile('utf8')) === text
  } finally {
    await written.close()
  }
}

async function serverIsWriting(folder: string): Promise<boolean> {
  return (await lstat(join(folder, SERVER_INDEX_TEMPORARY)).catch(() => null)) !== null
}

async function waitForServer(folder: string): Promise<void> {
  for (let waited = 0; await serverIsWriting(folder); waited += SERVER_POLL_MS) {
    if (waited >= SERVER_WAIT_MS) {
      throw new AppError(
        'index-busy',
        `The server is writing its index (${SERVER_INDEX_TEMPORARY} is in ${folder}). The index was left as it is.`,
        {
          hint: `Try again in a minute. If no backup is running there, ${SERVER_INDEX_TEMPORARY} was left behind and can be removed.`,
          details: { folder },
        },
      )
    }
    await sleep(SERVER_POLL_MS)
  }
}
