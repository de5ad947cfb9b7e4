import { CLOSING_BYTES, plainSizeByTail } from '#engine/foundation/files/parallel-gzip.ts'
import { decryptCfb8 } from './cfb8.ts'
import { ENC_HEADER_BYTES, readEncHeader, unlockEnc } from './header.ts'

const BLOCK = 16
/** The cipher's block and what gzip ends with: the closing member of our own files; of others 8 bytes, so 24 will do. */
const TAIL_BYTES = BLOCK + CLOSING_BYTES

/** No .gz is shorter: head, an empty block, CRC and length. */
const LEAST_GZIP_BYTES = 20
/** What deflate makes of a byte at most. */
const MOST_PER_BYTE = 1032

/** The two ends of a file, from wherever it is. */
export interface EncEnds {
  /** Its first 54 bytes, or the whole of a shorter one. */
  head: Buffer
  /** Its last 24 bytes or more, or the whole of a shorter one. */
  tail: Buffer
  size: number
}

/** What the end of a .gz says of its content. */
export interface UnpackedSize {
  /** Exact: of the whole. Else the length of the last member, modulo 4 GiB: the content has at least these. */
  bytes: number
  /** True for our own files, which end with their total. */
  isExact: boolean
  /** False: the packed content is longer than these, so there are more members or more than 4 GiB. */
  mayBeWhole: boolean
}

export interface Peeked {
  /** Which of the passwords fits; null: none. */
  passwordIndex: number | null
  /** null: no password fits, or the content does not end as a .gz does. */
  unpacked: UnpackedSize | null
}

/** Reads the two ends of a file: two ranges, whatever its size. */
export async function readEncEnds(
  size: number,
  read: (range: { offset: number; length: number }) => Promise<Buffer>,
): Promise<EncEnds> {
  const head = await read({ offset: 0, length: Math.min(ENC_HEADER_BYTES, size) })
  const length = Math.min(TAIL_BYTES, size)
  return { head, tail: await read({ offset: size - length, length }), size }
}

/**
 * Tells from the two ends of a file whether a password fits, and how much is inside a .gz. The content itself is not
 * looked at: damage goes unnoticed.
 * @throws AppError `not-a-backup`, `ends-too-early`, `cancelled`
 */
export async function peekEncrypted(ends: EncEnds, passwords: readonly string[], signal?: AbortSignal): Promise<Peeked> {
  const unlocked = await unlockEnc(readEncHeader(ends.head), passwords, signal)
  if (!unlocked) return { passwordIndex: null, unpacked: null }
  return { passwordIndex: unlocked.index, unpacked: unpackedSize(ends, unlocked.key.key) }
}

function unpackedSize({ tail, size }: EncEnds, key: Buffer): UnpackedSize | null {
  const packed = size - ENC_HEADER_BYTES
  if (packed < LEAST_GZIP_BYTES) return null
  const { bytes, isExact } = plainSizeByTail(decryptCfb8(key, tail.subarray(0, BLOCK), tail.subarray(BLOCK)))
  if (bytes > packed * MOST_PER_BYTE) return null
  // what cannot be compressed grows by a thousandth at most
  return { bytes, isExact, mayBeWhole: isExact || packed <= bytes * 1.001 + 64 }
}
