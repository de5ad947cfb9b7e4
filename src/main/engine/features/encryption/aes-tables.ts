/** What AES-256 encryption needs beside its rounds: the S-box, its tables and the key schedule. Source: FIPS 197. */

export const ROUNDS = 14
const KEY_BYTES = 32
export const SCHEDULE_BYTES = 16 * (ROUNDS + 1)

/** Section 5.1.1. */
export const sbox = makeSbox()

function makeSbox(): Uint8Array {
  const box = new Uint8Array(256)
  // walk the field by the generator 3 and, beside it, by its inverse: at each step q = 1/p
  let p = 1
  let q = 1
  do {
    p ^= twice(p)
    q ^= q << 1
    q ^= q << 2
    q ^= q << 4
    q &= 0xff
    if (q & 0x80) q ^= 0x09
    box[p] = q ^ rotated(q, 1) ^ rotated(q, 2) ^ rotated(q, 3) ^ rotated(q, 4) ^ 0x63
  } while (p !== 1)
  box[0] = 0x63
  return box
}

function rotated(byte: number, by: number): number {
  return ((byte << by) | (byte >>> (8 - by))) & 0xff
}

/** Times x in the field of AES. */
function twice(byte: number): number {
  return ((byte << 1) ^ (byte & 0x80 ? 0x1b : 0)) & 0xff
}

/**
 * What a byte in a row of the state adds to its column in a round: SubBytes and MixColumns in one look-up.
 * @returns 256 columns of 4 bytes
 */
export function roundTable(row: number): Uint8Array {
  const table = new Uint8Array(4 * 256)
  sbox.forEach((s, byte) => {
    const column = [twice(s), s, s, twice(s) ^ s]
    column.forEach((value, at) => {
      table[4 * byte + ((at + row) % 4)] = value
    })
  })
  return table
}

/**
 * The key schedule of section 5.2, as bytes.
 * @param key 32 bytes
 */
export function expandKey(key: Uint8Array): Uint8Array {
  if (key.length !== KEY_BYTES) throw new RangeError('An AES-256 key has 32 bytes')
  const schedule = new Uint8Array(SCHEDULE_BYTES)
  schedule.set(key)
  let constant = 1
  for (let at = KEY_BYTES; at < SCHEDULE_BYTES; at += 4) {
    let word = [...schedule.subarray(at - 4, at)]
    if (at % KEY_BYTES === 0) {
      word = [...word.slice(1), ...word.slice(0, 1)].map(substituted)
      word[0] = (word[0] ?? 0) ^ constant
      constant = twice(constant)
    } else if (at % KEY_BYTES === 16) {
      word = word.map(substituted)
    }
    word.forEach((byte, index) => {
      schedule[at + index] = byte ^ (schedule[at + index - KEY_BYTES] ?? 0)
    })
  }
  return schedule
}

function substituted(byte: number): number {
  return sbox[byte] ?? 0
}
