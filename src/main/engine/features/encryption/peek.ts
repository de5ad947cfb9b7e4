import { decryptCfb8 } from './cfb8.ts'
import { ENC_HEADER_BYTES, readEncHeader, unlockEnc } from './header.ts'

/** Bytes of the file's end that a look needs: the cipher's block before gzip's last 8 bytes, and these. */
const TAIL_BYTES = 24
const BLOCK = 16

/** No .gz is shorter: head, an empty block, CRC and length. */
const LEAST_GZIP_BYTES = 20
/** What deflate makes of a byte at most. */
const MOST_PER_BYTE = 1032

/** The two ends of a file, from wherever it is. */
export interface EncEnds {
  /** Its first 54 bytes, or the whole of a shorter one. */
  head: Buffer
  /** Its last 24 bytes, or the whole of a shorter one. */
  tail: Buffer
  size: number
}

/** What gzip's last 8 bytes say of the content: the length of its last member, modulo 4 GiB. */
export interface UnpackedSize {
  /** Bytes of the last member. Nothing tells from the end whether it is the only one, so the content has at least these. */
  lastMember: number
  /** False: the packed content is longer, so there are more members or more than 4 GiB. */
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
 * Tells from 78 bytes of a file whether a password fits, and how much is inside a .gz. The content itself is not
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
  const lastMember = decryptCfb8(key, tail.subarray(0, BLOCK), tail.subarray(BLOCK)).readUInt32LE(4)
  if (lastMember > packed * MOST_PER_BYTE) return null
  // what cannot be compressed grows by a thousandth at most
  return { lastMember, mayBeWhole: packed <= lastMember * 1.001 + 64 }
}
