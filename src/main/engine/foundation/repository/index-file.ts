import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '#shared/errors.ts'
import { emptyIndex, type IndexDocument, MAX_INDEX_BYTES, parseIndex, serializeIndex } from './backup-index.ts'
import { INDEX_FILE, newWriteId, partName, SERVER_INDEX_TEMPORARY } from './names.ts'
import type { RepositoryFiles, TextFile } from './repository-files.ts'
import type { BackupIndex } from './types.ts'

const TRIES = 5
const SERVER_WAIT_MS = 3000
const SERVER_POLL_MS = 100
/** A server that read the index before we wrote ours has written its own by then: it does both in one go. */
const SETTLE_MS = 50

export interface ReadIndex {
  document: IndexDocument
  /** null: there is none. */
  file: TextFile | null
}

/** Reads backup.json; a missing one is empty. @throws AppError `index-corrupt` */
export async function readIndexFile(files: RepositoryFiles): Promise<ReadIndex> {
  // one byte more than allowed is enough to see that there is more
  const file = await files.readText(INDEX_FILE, MAX_INDEX_BYTES + 1)
  return { document: file ? parseIndex(file.text, `${files.place}/${INDEX_FILE}`) : emptyIndex(), file }
}

/**
 * Reads backup.json, lets `change` alter its entries and writes it back, so that a reader sees the old index or the
 * new one. A running server writes it too and knows no lock of ours: we read, merge, look again right before the
 * rename, and read back after it, once more when a server that had read before us must be done.
 * @param change may be called several times, each time with what the index says by then
 * @param id whose the temporary file is: a job's, else that of this single write
 * @param always also when it says all that already: an index is never older than the files that it names
 * @throws AppError `index-busy` when it kept changing, `index-corrupt`; the index is then as somebody else wrote it
 */
export async function updateIndexFile(
  files: RepositoryFiles,
  change: (index: BackupIndex) => void,
  id: string = newWriteId(),
  always = false,
): Promise<void> {
  let isNew = !always
  for (let writes = 0; writes <= TRIES; writes += 1) {
    if (files.owner === 'server') await waitForServer(files)
    const { document, file } = await readIndexFile(files)
    change(document.entries)
    const text = serializeIndex(document)
    if (file !== null && text === file.text && isNew) return
    if (writes === TRIES) break
    const isReplaced = await replaceIndex(files, { text, expected: file, id })
    isNew ||= isReplaced
    await sleep(isReplaced ? (files.owner === 'server' ? SETTLE_MS : 0) : 50 * 2 ** writes)
  }
  throw new AppError(
    'index-busy',
    `${INDEX_FILE} in ${files.place} kept changing while it was to be written. It is as the other program wrote it.`,
    {
      hint: 'A backup is probably running on the server: try again when it is done.',
      details: { place: files.place, tries: TRIES },
    },
  )
}

/** False: somebody else wrote it meanwhile. */
async function replaceIndex(
  files: RepositoryFiles,
  { text, expected, id }: { text: string; expected: TextFile | null; id: string },
): Promise<boolean> {
  const part = partName(INDEX_FILE, id)
  // a try that was killed here has left its file
  await files.remove(part)
  try {
    await files.create(part, text)
    return await files.replaceIndex(part, expected)
  } finally {
    await files.remove(part).catch(() => {})
  }
}

async function waitForServer(files: RepositoryFiles): Promise<void> {
  for (let waited = 0; (await files.stat(SERVER_INDEX_TEMPORARY)) !== null; waited += SERVER_POLL_MS) {
    if (waited >= SERVER_WAIT_MS) {
      throw new AppError(
        'index-busy',
        `The server is writing its index (${SERVER_INDEX_TEMPORARY} is in ${files.place}). The index was left as it is.`,
        {
          hint: `Try again in a minute. If no backup is running there, ${SERVER_INDEX_TEMPORARY} was left behind and can be removed.`,
          details: { place: files.place },
        },
      )
    }
    await sleep(SERVER_POLL_MS)
  }
}
