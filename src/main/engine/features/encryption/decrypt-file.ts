import { randomBytes } from 'node:crypto'
import { type FileHandle, open, rm, stat, statfs } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { GzipProblem, gunzip } from '#engine/foundation/content/gunzip.ts'
import { writeAll } from '#engine/foundation/files/write-all.ts'
import type { Workers } from '#engine/foundation/workers.ts'
import { AppError, cancelledError, toAppError } from '#shared/errors.ts'
import { formatBytes } from '#shared/format.ts'
import { decryptContentStream, noPasswordFits } from './decrypt-stream.ts'
import { ENC_HEADER_BYTES, type EncHeader, type EncKey, readEncHeader, unlockEnc } from './header.ts'
import {
  assertOutputFree,
  createPart,
  decryptedPath,
  decryptPartPath,
  putInPlace,
  removeStaleDecryptParts,
} from './output-file.ts'

const READ_BYTES = 256 * 1024

export interface DecryptFileOptions {
  path: string
  /** Folder for the output; default: beside the file. */
  out?: string
  passwords: readonly string[]
  /** Replaces a file that has the output's name. */
  overwrite?: boolean
  workers?: Workers
  signal?: AbortSignal
  /** Bytes of the stored file that were dealt with since the last call. */
  onProgress?: (bytes: number) => void
  /** Names the part file: `NAME.zbd-ID.part`. Default: random. */
  partId?: string
}

export interface DecryptedFile {
  output: string
  /** Bytes of the decrypted file. */
  size: number
  /** Which of the passwords fits. */
  passwordIndex: number
  seconds: number
  /** `gzip-ok`: a .gz that reads well to its end, CRC included. Nothing is known of other content. */
  verified: 'gzip-ok' | 'not-gzip'
}

/** A file whose header was read: its facts, before any password. */
export interface EncFile {
  path: string
  size: number
  /** Changes with the content. */
  version: string
  header: EncHeader
}

/**
 * Decrypts one file. The output appears whole or not at all, and never over a file that was there unless
 * `overwrite` says so. Only its owner can read it.
 * @throws AppError `not-a-backup`, `ends-too-early`, `output-exists`, `no-password`, `wrong-password`,
 * `content-damaged` (the password fits, but the .gz inside does not read well), `disk-full`, `changed-while-reading`,
 * `cancelled`. Nothing was written then, and the source is as it was.
 */
export async function decryptFile(options: DecryptFileOptions): Promise<DecryptedFile> {
  const started = performance.now()
  const { path, overwrite = false, signal } = options
  const output = decryptedPath(path, options.out)
  const file = await openEncFile(path)
  await assertOutputFree(output, overwrite)
  const unlocked = await unlockEnc(file.header, options.passwords, signal)
  if (!unlocked) throw noPasswordFits(options.passwords.length)
  const { size, verified } = await writeDecrypted({ ...options, file, key: unlocked.key, output })
  return { output, size, passwordIndex: unlocked.index, seconds: (performance.now() - started) / 1000, verified }
}

/**
 * Reads the header of a file; nothing else is looked at.
 * @throws AppError `not-found`, `is-a-folder`, `not-a-file`, `not-a-backup`, `ends-too-early`
 */
export async function openEncFile(path: string): Promise<EncFile> {
  const facts = await plainFileFacts(path)
  const handle = await open(path, 'r').catch((error) => {
    throw toAppError(error)
  })
  try {
    const bytes = Buffer.alloc(Math.min(ENC_HEADER_BYTES, facts.size))
    let length = 0
    while (length < bytes.length) {
      const { bytesRead } = await handle.read(bytes, length, bytes.length - length, length)
      if (bytesRead === 0) break
      length += bytesRead
    }
    return { path, ...facts, header: readEncHeader(bytes.subarray(0, length)) }
  } finally {
    await handle.close()
  }
}

/** Only plain files are opened: a pipe or a device could keep us waiting for ever. */
async function plainFileFacts(path: string): Promise<{ size: number; version: string }> {
  const facts = await stat(path).catch((error) => {
    throw toAppError(error)
  })
  if (facts.isDirectory()) {
    throw new AppError('is-a-folder', `${path} is a folder, not a file.`, { hint: 'Name the files in it.', details: { path } })
  }
  if (!facts.isFile()) {
    throw new AppError('not-a-file', `${path} is not a plain file. Left alone.`, { hint: 'Name a file.', details: { path } })
  }
  return { size: facts.size, version: `${facts.size}:${facts.mtimeMs}:${facts.ino}` }
}

/** Decrypts a file whose key is known into its output; the last step of {@link decryptFile}. */
export async function writeDecrypted(
  work: Omit<DecryptFileOptions, 'passwords' | 'out'> & { file: EncFile; key: EncKey; output: string },
): Promise<{ size: number; verified: DecryptedFile['verified'] }> {
  const { file, output, overwrite = false, partId = randomBytes(6).toString('hex') } = work
  const part = decryptPartPath(output, partId)
  try {
    await assertSpaceFor(file, output)
    await removeStaleDecryptParts(output)
    const handle = await createPart(part)
    let written: { size: number; verified: DecryptedFile['verified'] }
    try {
      written = await writeContent(work, handle)
      await handle.sync()
    } finally {
      await handle.close()
    }
    if (work.signal?.aborted) throw cancelledError()
    await putInPlace(part, output, overwrite)
    return written
  } catch (error) {
    await rm(part, { force: true })
    throw describeWriteError(error, output)
  }
}

async function assertSpaceFor(file: EncFile, output: string): Promise<void> {
  const space = await statfs(dirname(output))
  const free = space.bavail * space.bsize
  // some network file systems do not tell
  if (space.blocks === 0 || free >= file.size) return
  throw new AppError(
    'disk-full',
    `${basename(output)} needs ${formatBytes(file.size)}, but only ${formatBytes(free)} are free in ${dirname(output)}. Nothing was written.`,
    { hint: 'Free some space, or choose another folder.', details: { output, needed: file.size, free } },
  )
}

/** Streams the plain bytes into the part file; a .gz is read to its end on the way. */
async function writeContent(
  work: Pick<DecryptFileOptions, 'workers' | 'signal' | 'onProgress'> & { file: EncFile; key: EncKey; output: string },
  handle: FileHandle,
): Promise<{ size: number; verified: DecryptedFile['verified'] }> {
  const { file, key, output, workers, signal, onProgress } = work
  const isGzip = /\.gz$/i.test(output)
  const reader = await open(file.path, 'r')
  let size = 0
  async function* written(): AsyncGenerator<Buffer, void, void> {
    const source = reader.createReadStream({ start: ENC_HEADER_BYTES, highWaterMark: READ_BYTES, autoClose: false })
    onProgress?.(ENC_HEADER_BYTES)
    for await (const chunk of decryptContentStream(source, file.header, key, { workers, signal }) as AsyncIterable<Buffer>) {
      await writeAll(handle, chunk)
      size += chunk.length
      onProgress?.(chunk.length)
      yield chunk
    }
  }
  try {
    for await (const _ of isGzip ? gunzip(written(), signal) : written());
    await assertUnchanged(file)
    if (size !== file.size - ENC_HEADER_BYTES) throw changedWhileReading(file)
    return { size, verified: isGzip ? 'gzip-ok' : 'not-gzip' }
  } catch (error) {
    if (!(error instanceof GzipProblem)) throw error
    await assertUnchanged(file)
    throw contentDamaged(file, error.clause)
  } finally {
    await reader.close()
  }
}

async function assertUnchanged(file: EncFile): Promise<void> {
  if ((await plainFileFacts(file.path)).version !== file.version) throw changedWhileReading(file)
}

function changedWhileReading(file: EncFile): AppError {
  return new AppError('changed-while-reading', `${basename(file.path)} changed while it was read. Nothing was written.`, {
    hint: 'It may still be being copied or made. Try again when it is complete.',
    details: { path: file.path },
  })
}

function contentDamaged(file: EncFile, problem: string): AppError {
  return new AppError(
    'content-damaged',
    `The password fits, but what is inside ${basename(file.path)} is damaged: ${problem}. No output was kept; the .enc file is as it was.`,
    {
      hint: 'Fetch the file again, or take another copy or another night of this backup.',
      details: { path: file.path, problem },
    },
  )
}

/** A full or read-only disk says where. */
function describeWriteError(error: unknown, output: string): AppError {
  if (error instanceof Error && !(error instanceof AppError) && !('path' in error)) Object.assign(error, { path: output })
  return toAppError(error)
}
