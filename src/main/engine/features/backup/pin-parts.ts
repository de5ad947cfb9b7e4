import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, link } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { decryptStream } from '#engine/features/encryption/index.ts'
import { contentProblem, readToEnd } from '#engine/foundation/content/read-to-end.ts'
import type { FolderRepository } from '#engine/foundation/repository/folder.ts'
import { partName } from '#engine/foundation/repository/names.ts'
import type { SourcePart } from '#engine/foundation/repository/source-parts.ts'
import type { Repository } from '#engine/foundation/repository/types.ts'
import type { Workers } from '#engine/foundation/workers.ts'
import { AppError, isCancelled, toAppError } from '#shared/errors.ts'

/** Systems and disks that have no hard links, or not between these two places. */
const NO_LINKS = ['EXDEV', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']

export interface KeptPart {
  /** Lower-case hex SHA-256 of the file as stored. */
  sha256: string
  isLink: boolean
}

/**
 * Puts the content of a stored part beside its place to be, as `FINALNAME.JOB.part`: within a folder as a second name
 * of the same file, else as a copy. A second name is as safe as a copy: a slot's files are replaced by renaming others
 * over them and removed by name, never written into, so that what the second name shows stays as it is.
 * @throws AppError `changed-while-reading`, `disk-full`, `cancelled`
 */
export async function keepPart(
  source: Repository,
  target: FolderRepository,
  { facts }: SourcePart,
  {
    finalName,
    jobId,
    signal,
    onBytes,
  }: { finalName: string; jobId: string; signal: AbortSignal; onBytes: (bytes: number) => void },
): Promise<KeptPart> {
  const isLink =
    source.place === target.place &&
    (await linkPart(join(target.folder, facts.name), join(target.folder, partName(finalName, jobId))))
  const handle = isLink ? null : (await target.createPart(finalName, jobId)).handle
  try {
    const bytes = await source.read(facts.name, { ifVersion: facts.version, signal })
    return { sha256: await hashInto(bytes, handle, onBytes), isLink }
  } finally {
    await handle?.close()
  }
}

/** False: there are no hard links here. */
async function linkPart(path: string, part: string): Promise<boolean> {
  try {
    await link(path, part)
    return true
  } catch (error) {
    if (NO_LINKS.includes((error as NodeJS.ErrnoException).code ?? '')) return false
    throw error
  }
}

async function hashInto(bytes: Readable, handle: FileHandle | null, onBytes: (bytes: number) => void): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of bytes as AsyncIterable<Buffer>) {
    hash.update(chunk)
    await handle?.appendFile(chunk)
    onBytes(chunk.length)
  }
  await handle?.sync()
  return hash.digest('hex')
}

/**
 * Whether a kept part is what its index says, by the file as stored or by its decrypted content; without a recorded
 * hash it is read to its end. Source: docs/formats.md, "backup.json".
 * @returns why it could not be told; null: it is sound
 * @throws AppError `part-differs`: it is damaged
 */
export async function checkKeptPart(
  path: string,
  { kind, facts, hash }: SourcePart,
  sha256: string,
  { passwords, workers, signal }: { passwords: readonly string[]; workers: Workers; signal: AbortSignal },
): Promise<string | null> {
  const { name: file } = facts
  if (hash === sha256) return null
  const isEncrypted = file.endsWith('.enc')
  try {
    const stored = createReadStream(path)
    const plain = isEncrypted ? (await decryptStream(stored, passwords, { workers, signal })).plain : stored
    if (hash === null) await readToEnd(plain as AsyncIterable<Buffer>, kind, signal)
    else if ((await hashInto(plain, null, () => {})) !== hash)
      throw differs(file, 'neither it nor its content has the SHA-256 of the index')
    return null
  } catch (error) {
    if (signal.aborted || isCancelled(error)) throw toAppError(signal.reason ?? error)
    const problem = contentProblem(error)
    if (problem !== null) throw differs(file, problem)
    const { code } = toAppError(error)
    if (code === 'no-password' || code === 'wrong-password') return `${file} was not checked: no password for it is known`
    throw error
  }
}

function differs(file: string, why: string): AppError {
  return new AppError('part-differs', `${file} is damaged: ${why}. It was not pinned; nothing was changed.`, {
    hint: 'Verify the backup, or pin its copy in another place.',
    details: { file },
  })
}
