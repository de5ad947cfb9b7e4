import { Readable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Workers } from '#engine/foundation/workers.ts'
import { AppError, cancelledError } from '#shared/errors.ts'
import { orAborted } from './abort.ts'
import { BLOCK, bufferForPiece } from './cfb8.ts'
import { ENC_HEADER_BYTES, type EncHeader, type EncKey, readEncHeader, unlockEnc } from './header.ts'
import { type DecryptPiece, decryptPiece } from './tasks.ts'

/** Bytes of one worker task. Smaller ones cost more in messages, larger ones in memory: 256 KiB measured best. */
const PIECE = 256 * 1024
/** Up to here a piece is decrypted on the spot, in under 5 ms, instead of going through a worker. */
const ON_THE_SPOT = 64 * 1024

export interface DecryptOptions {
  /** Without workers the work is done on the calling thread, in slices of 64 KiB. */
  workers?: Workers
  signal?: AbortSignal
}

/**
 * Decrypts a whole stored `.enc` stream, from its first byte. Reads the header, finds the password that fits, then
 * streams with bounded memory: `workers.size + 1` pieces of 256 KiB at most. Destroying the result, or an abort,
 * destroys the source; so does every error.
 *
 * The format has no authentication: a damaged file decrypts without an error. Compare a hash, or read what is inside.
 * @throws AppError `not-a-backup`, `ends-too-early`, `no-password` (none given), `wrong-password`, `cancelled`
 */
export async function decryptStream(
  source: Readable,
  passwords: readonly string[],
  options: DecryptOptions = {},
): Promise<{ plain: Readable; passwordIndex: number; header: EncHeader }> {
  const { signal } = options
  const chunks = source[Symbol.asyncIterator]()
  try {
    const { header, rest } = await orAborted(readHeader(chunks), signal)
    const unlocked = await unlockEnc(header, passwords, signal)
    if (!unlocked) throw noPasswordFits(passwords.length)
    return { plain: decryptContent(source, chunks, rest, header, unlocked.key, options), passwordIndex: unlocked.index, header }
  } catch (error) {
    source.destroy()
    throw error
  }
}

/**
 * Decrypts the content of a file whose header was read and unlocked before.
 * @param source starts at byte 54
 */
export function decryptContentStream(source: Readable, header: EncHeader, key: EncKey, options: DecryptOptions = {}): Readable {
  return decryptContent(source, source[Symbol.asyncIterator](), Buffer.alloc(0), header, key, options)
}

/** The error for a file that none of the tried passwords opens. */
export function noPasswordFits(tried: number): AppError {
  if (tried === 0) {
    return new AppError(
      'no-password',
      'The file is encrypted and no password for it is known. Nothing was written; the .enc file is as it was.',
      {
        hint: 'Give the password that the site had when this backup was made.',
      },
    )
  }
  return new AppError('wrong-password', 'The password does not fit this file. Nothing was written; the .enc file is as it was.', {
    hint: 'Give the password that the site had when this backup was made.',
    details: { tried },
  })
}

async function readHeader(chunks: AsyncIterator<Buffer>): Promise<{ header: EncHeader; rest: Buffer }> {
  let bytes = Buffer.alloc(0)
  while (bytes.length < ENC_HEADER_BYTES) {
    const next = await chunks.next()
    if (next.done) break
    bytes = Buffer.concat([bytes, next.value])
  }
  return { header: readEncHeader(bytes.subarray(0, ENC_HEADER_BYTES)), rest: bytes.subarray(ENC_HEADER_BYTES) }
}

function decryptContent(
  source: Readable,
  chunks: AsyncIterator<Buffer>,
  rest: Buffer,
  header: EncHeader,
  key: EncKey,
  { workers, signal }: DecryptOptions,
): Readable {
  const pieces = decryptPieces(cutPieces(chunks, rest, header.check.subarray(BLOCK), key.key), workers)
  const onAbort = () => plain.destroy(cancelledError())
  const plain = new Readable({
    highWaterMark: PIECE,
    read() {
      pieces.next().then(
        (next) => this.push(next.done ? null : next.value),
        (error: Error) => this.destroy(error),
      )
    },
    destroy(error, done) {
      signal?.removeEventListener('abort', onAbort)
      // also ends a read of the source that is under way
      source.destroy()
      done(error)
    },
  })
  source.once('error', (error) => plain.destroy(error))
  if (signal?.aborted) onAbort()
  else signal?.addEventListener('abort', onAbort, { once: true })
  return plain
}

/** Gathers chunks of any size into pieces, each with the 16 ciphertext bytes that come before it. */
async function* cutPieces(
  chunks: AsyncIterator<Buffer>,
  rest: Buffer,
  start: Uint8Array,
  key: Uint8Array,
): AsyncGenerator<DecryptPiece> {
  let piece = newPiece(key, start)
  let chunk = rest
  for (;;) {
    for (let at = 0; at < chunk.length; ) {
      const taken = chunk.subarray(at, at + PIECE - piece.length)
      new Uint8Array(piece.buffer).set(taken, BLOCK + piece.length)
      piece.length += taken.length
      at += taken.length
      if (piece.length === PIECE) {
        // taken before the piece goes: it is decrypted in place
        const before = new Uint8Array(piece.buffer.slice(PIECE, PIECE + BLOCK))
        yield piece
        piece = newPiece(key, before)
      }
    }
    const next = await chunks.next()
    if (next.done) break
    chunk = next.value
  }
  if (piece.length > 0) yield piece
}

function newPiece(key: Uint8Array, before: Uint8Array): DecryptPiece {
  const buffer = bufferForPiece(PIECE)
  new Uint8Array(buffer).set(before)
  return { key, buffer, length: 0 }
}

/** Decrypts pieces side by side and gives them back in order. */
async function* decryptPieces(pieces: AsyncGenerator<DecryptPiece>, workers: Workers | undefined): AsyncGenerator<Buffer> {
  const underWay: Promise<Uint8Array>[] = []
  const limit = workers ? workers.size + 1 : 1
  for await (const piece of pieces) {
    const work = decryptOne(piece, workers)
    // it is awaited later, or never when the reader goes away: then its error interests nobody
    work.catch(() => {})
    underWay.push(work)
    while (underWay.length >= limit) yield asBuffer(await underWay.shift())
  }
  while (underWay.length > 0) yield asBuffer(await underWay.shift())
}

async function decryptOne(piece: DecryptPiece, workers: Workers | undefined): Promise<Uint8Array> {
  if (workers && piece.length > ON_THE_SPOT) {
    return workers.run<Uint8Array>('encryption.decrypt', piece, { transfer: [piece.buffer] })
  }
  await nextTurn()
  return decryptPiece(piece)
}

function asBuffer(bytes: Uint8Array | undefined): Buffer {
  return bytes ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) : Buffer.alloc(0)
}
