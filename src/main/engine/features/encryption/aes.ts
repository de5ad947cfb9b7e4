/**
 * AES-256, encryption only, for runtimes without the cipher that the format needs. Table driven: fast enough to
 * be used, not hardened against other programs on the same machine that time the processor's cache.
 */

const ROUNDS = 14

/** S-box, and the four tables that join SubBytes, ShiftRows and MixColumns. */
interface Tables {
  sbox: Uint8Array
  t0: Int32Array
  t1: Int32Array
  t2: Int32Array
  t3: Int32Array
}

function makeTables(): Tables {
  const sbox = new Uint8Array(256)
  // walk the field by the generator 3 and, beside it, by its inverse: at each step q = 1/p
  let p = 1
  let q = 1
  do {
    p = (p ^ (p << 1) ^ (p & 0x80 ? 0x11b : 0)) & 0xff
    q ^= q << 1
    q ^= q << 2
    q ^= q << 4
    q &= 0xff
    if (q & 0x80) q ^= 0x09
    sbox[p] = q ^ rotateByte(q, 1) ^ rotateByte(q, 2) ^ rotateByte(q, 3) ^ rotateByte(q, 4) ^ 0x63
  } while (p !== 1)
  sbox[0] = 0x63

  const tables = { sbox, t0: new Int32Array(256), t1: new Int32Array(256), t2: new Int32Array(256), t3: new Int32Array(256) }
  sbox.forEach((s, x) => {
    const twice = (s << 1) ^ (s & 0x80 ? 0x11b : 0)
    const word = (twice << 24) | (s << 16) | (s << 8) | (twice ^ s)
    tables.t0[x] = word
    tables.t1[x] = (word >>> 8) | (word << 24)
    tables.t2[x] = (word >>> 16) | (word << 16)
    tables.t3[x] = (word >>> 24) | (word << 8)
  })
  return tables
}

function rotateByte(value: number, by: number): number {
  return ((value << by) | (value >>> (8 - by))) & 0xff
}

const { sbox, t0: T0, t1: T1, t2: T2, t3: T3 } = makeTables()

function substituteWord(word: number): number {
  const byte = (shift: number) => (sbox[(word >>> shift) & 0xff] ?? 0) << shift
  return byte(24) | byte(16) | byte(8) | byte(0)
}

/** The key schedule of FIPS 197, section 5.2. */
function expandKey(key: Uint8Array): Int32Array {
  const words = 4 * (ROUNDS + 1)
  const schedule = new Int32Array(words)
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength)
  for (let i = 0; i < 8; i += 1) schedule[i] = view.getInt32(4 * i)
  let constant = 1
  for (let i = 8; i < words; i += 1) {
    let word = schedule[i - 1] ?? 0
    if (i % 8 === 0) {
      word = substituteWord((word << 8) | (word >>> 24)) ^ (constant << 24)
      constant <<= 1
    } else if (i % 8 === 4) {
      word = substituteWord(word)
    }
    schedule[i] = (schedule[i - 8] ?? 0) ^ word
  }
  return schedule
}

export class Aes256 {
  readonly #schedule: Int32Array

  /** @param key 32 bytes */
  constructor(key: Uint8Array) {
    if (key.length !== 32) throw new RangeError('An AES-256 key has 32 bytes')
    this.#schedule = expandKey(key)
  }

  /**
   * CFB8 over a piece.
   * @param previous the 16 ciphertext bytes before it; the IV at the start
   */
  encryptCfb8(previous: Uint8Array, piece: Uint8Array): Uint8Array {
    const view = new DataView(previous.buffer, previous.byteOffset, previous.byteLength)
    let w0 = view.getInt32(0)
    let w1 = view.getInt32(4)
    let w2 = view.getInt32(8)
    let w3 = view.getInt32(12)
    const out = new Uint8Array(piece.length)
    for (let i = 0; i < piece.length; i += 1) {
      const byte = (piece[i] ?? 0) ^ this.#firstByte(w0, w1, w2, w3)
      out[i] = byte
      w0 = (w0 << 8) | (w1 >>> 24)
      w1 = (w1 << 8) | (w2 >>> 24)
      w2 = (w2 << 8) | (w3 >>> 24)
      w3 = (w3 << 8) | byte
    }
    return out
  }

  /**
   * The first byte of the block cipher's output, all that CFB8 uses. It depends on one byte of the last round but
   * one, so two of the fourteen rounds shrink to a byte each.
   */
  #firstByte(b0: number, b1: number, b2: number, b3: number): number {
    const k = this.#schedule
    let s0 = b0 ^ (k[0] as number)
    let s1 = b1 ^ (k[1] as number)
    let s2 = b2 ^ (k[2] as number)
    let s3 = b3 ^ (k[3] as number)
    let at = 4
    for (; at < 4 * (ROUNDS - 1); at += 4) {
      const r0 = column(s0, s1, s2, s3) ^ (k[at] as number)
      const r1 = column(s1, s2, s3, s0) ^ (k[at + 1] as number)
      const r2 = column(s2, s3, s0, s1) ^ (k[at + 2] as number)
      s3 = column(s3, s0, s1, s2) ^ (k[at + 3] as number)
      s0 = r0
      s1 = r1
      s2 = r2
    }
    const last = (column(s0, s1, s2, s3) ^ (k[at] as number)) >>> 24
    return (sbox[last] as number) ^ ((k[at + 4] as number) >>> 24)
  }
}

/** One column of a round: four table look-ups along the shifted rows. */
function column(a: number, b: number, c: number, d: number): number {
  return (
    (T0[a >>> 24] as number) ^ (T1[(b >>> 16) & 0xff] as number) ^ (T2[(c >>> 8) & 0xff] as number) ^ (T3[d & 0xff] as number)
  )
}
