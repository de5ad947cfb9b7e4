import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { decryptStream } from '#engine/features/encryption/index.ts'
import { contentProblem, readToEnd } from '#engine/foundation/content/read-to-end.ts'
import type { Repository } from '#engine/foundation/repository/types.ts'
import type { Workers } from '#engine/foundation/workers.ts'
import { AppError } from '#shared/errors.ts'
import type { PartKind } from '#shared/model/backup.ts'

const CHUNK_BYTES = 256 * 1024

/** What reading a part once from its first to its last byte gave. */
export interface PartReading {
  /** SHA-256 of the file as stored. */
  storedHash: string
  /** SHA-256 of the decrypted content; null: it is not encrypted, or could not be decrypted. */
  plainHash: string | null
  /** Why an encrypted part could not be decrypted; null: it could, or needed not. */
  locked: { code: 'no-password' | 'wrong-password' | 'damaged'; reason: string } | null
  /** Which of the passwords fitted; null: none was needed or fitted. */
  passwordIndex: number | null
  content: { problem: string } | { finding: string } | null
}

export interface ReadPartOptions {
  repository: Repository
  file: string
  version: string
  part: PartKind
  /** Whether to unpack the content; else it is only hashed. */
  unpack: boolean
  passwords: readonly string[]
  workers: Workers
  signal?: AbortSignal
  onBytes: (bytes: number) => void
}

/**
 * Reads a part in one pass: SHA-256 of what is stored and of what is decrypted, and the content to its end.
 * @throws AppError `cancelled`, `changed-while-reading`, `not-found`, or an error of the file system
 */
export async function readPart(options: ReadPartOptions): Promise<PartReading> {
  return options.file.endsWith('.enc') ? readEncrypted(options) : readPlain(options)
}

async function readPlain(options: ReadPartOptions): Promise<PartReading> {
  const stored = createHash('sha256')
  const source = await openSource(options)
  const content = await readContent(source, options, (chunk) => {
    stored.update(chunk)
    options.onBytes(chunk.length)
  })
  return { storedHash: stored.digest('hex'), plainHash: null, locked: null, passwordIndex: null, content }
}

async function readEncrypted(options: ReadPartOptions): Promise<PartReading> {
  const stored = createHash('sha256')
  const source = await openSource(options)
  let failure: unknown = null
  async function* hashed(): AsyncGenerator<Buffer, void, void> {
    try {
      for await (const chunk of source as AsyncIterable<Buffer>) {
        stored.update(chunk)
        options.onBytes(chunk.length)
        yield chunk
      }
    } catch (error) {
      failure = error
      throw error
    }
  }
  const chunks = hashed()
  // whoever can't decrypt it leaves, but a hash is of all bytes, and a server is asked for them once only
  const stays = { [Symbol.asyncIterator]: () => ({ next: () => chunks.next() }) }
  const reading: Omit<PartReading, 'storedHash'> = { plainHash: null, locked: null, passwordIndex: null, content: null }
  try {
    const { plain, passwordIndex } = await decryptStream(
      Readable.from(stays, { objectMode: false, highWaterMark: CHUNK_BYTES }),
      options.passwords,
      { workers: options.workers, ...(options.signal ? { signal: options.signal } : {}) },
    )
    const decrypted = createHash('sha256')
    const content = await readContent(plain, options, (chunk) => decrypted.update(chunk))
    Object.assign(reading, { plainHash: decrypted.digest('hex'), passwordIndex, content })
  } catch (error) {
    reading.locked = lockedReason(error)
    if (!reading.locked || failure) throw failure ?? error
    for await (const _ of chunks) options.signal?.throwIfAborted()
    if (failure) throw failure
  } finally {
    source.destroy()
  }
  return { ...reading, storedHash: stored.digest('hex') }
}

function lockedReason(error: unknown): PartReading['locked'] {
  if (!(error instanceof AppError)) return null
  if (error.code === 'no-password') return { code: error.code, reason: 'no password' }
  if (error.code === 'wrong-password') return { code: error.code, reason: 'no password fits' }
  if (error.code === 'not-a-backup' || error.code === 'ends-too-early') return { code: 'damaged', reason: error.message }
  return null
}

function openSource({ repository, file, version, signal }: ReadPartOptions): Promise<Readable> {
  return repository.read(file, { ifVersion: version, ...(signal ? { signal } : {}) })
}

async function readContent(
  source: Readable,
  { unpack, part, signal }: ReadPartOptions,
  onChunk: (chunk: Buffer) => void,
): Promise<PartReading['content']> {
  let failure: unknown = null
  async function* counted(): AsyncGenerator<Buffer, void, void> {
    try {
      for await (const chunk of source as AsyncIterable<Buffer>) {
        signal?.throwIfAborted()
        onChunk(chunk)
        yield chunk
      }
    } catch (error) {
      failure = error
      throw error
    }
  }
  const chunks = counted()
  let problem: string | null = null
  try {
    // whoever finds a problem leaves, but a hash is of all bytes
    if (unpack) return { finding: await readToEnd({ [Symbol.asyncIterator]: () => ({ next: () => chunks.next() }) }, part) }
  } catch (error) {
    problem = contentProblem(error)
    if (problem === null) throw error
  }
  for await (const _ of chunks);
  if (failure) throw failure
  return problem === null ? null : { problem }
}
