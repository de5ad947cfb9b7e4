import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { decryptStream } from '#engine/features/encryption/index.ts'
import { GzipProblem, gunzip } from '#engine/foundation/content/gunzip.ts'
import type { Repository } from '#engine/foundation/repository/types.ts'
import type { Workers } from '#engine/foundation/workers.ts'
import { AppError } from '#shared/errors.ts'

const CHUNK_BYTES = 256 * 1024

/** A file of a backup as the plan found it. */
export interface PartFile {
  file: string
  version: string
  isEncrypted: boolean
}

export interface OpenPartOptions {
  repository: Repository
  part: PartFile
  passwords: readonly string[]
  workers: Workers
  signal: AbortSignal
  /** Bytes of the stored file that were read. */
  onBytes?: (bytes: number) => void
}

/** A part on its way through decryption and gzip. */
export interface OpenPart {
  /** Unpacked; ends without an error only when everything before it ended well. */
  content: AsyncGenerator<Buffer, void, void>
  /** Which of the passwords fitted; null: it is not encrypted. */
  passwordIndex: number | null
  /** Lower-case hex SHA-256 of the stored file and of its decrypted content; once `content` was read to its end. */
  hashes(): { stored: string; decrypted: string | null }
  /** Lets go of the file, also when nothing was read. */
  close(): void
}

/**
 * Opens a part to be read once from its first to its last byte.
 * @throws AppError `password-needed`, `changed-while-reading`, `not-a-backup`, `ends-too-early`, `not-found`; while
 * reading also `gzip-damaged` and `cancelled`
 */
export async function openPart(options: OpenPartOptions): Promise<OpenPart> {
  const { repository, part, passwords, workers, signal, onBytes = () => {} } = options
  const stored = createHash('sha256')
  const decrypted = part.isEncrypted ? createHash('sha256') : null
  const source = await repository.read(part.file, { ifVersion: part.version, signal })
  async function* hashed(): AsyncGenerator<Buffer> {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      stored.update(chunk)
      onBytes(chunk.length)
      yield chunk
    }
  }
  const results = { stored: '', decrypted: null as string | null }
  let packed: AsyncIterable<Buffer> = hashed()
  let passwordIndex: number | null = null
  if (part.isEncrypted) {
    const encrypted = Readable.from(packed, { objectMode: false, highWaterMark: CHUNK_BYTES })
    const unlocked = await decryptStream(encrypted, passwords, { workers, signal }).catch((error: unknown) => {
      source.destroy()
      throw passwordError(error, part.file)
    })
    packed = unlocked.plain as AsyncIterable<Buffer>
    passwordIndex = unlocked.passwordIndex
  }
  async function* tapped(from: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of from) {
      decrypted?.update(chunk)
      yield chunk
    }
  }
  async function* content(): AsyncGenerator<Buffer, void, void> {
    try {
      yield* gunzip(tapped(packed), signal)
      results.stored = stored.digest('hex')
      results.decrypted = decrypted?.digest('hex') ?? null
    } catch (error) {
      throw error instanceof GzipProblem ? new GzipProblem(error.fault, part.file) : error
    } finally {
      source.destroy()
    }
  }
  return { content: content(), passwordIndex, hashes: () => results, close: () => source.destroy() }
}

function passwordError(error: unknown, file: string): unknown {
  if (!(error instanceof AppError) || (error.code !== 'no-password' && error.code !== 'wrong-password')) return error
  const known = error.code === 'no-password' ? 'no password for it is known' : 'no known password fits'
  return new AppError('password-needed', `${file} is encrypted and ${known}. Nothing was changed.`, {
    hint: 'Give the password that the site had when this backup was made.',
    details: { file, reason: error.code },
    cause: error,
  })
}
