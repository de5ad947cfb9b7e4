import { expandKey, ROUNDS, roundTable, SCHEDULE_BYTES, sbox } from './aes-tables.ts'
import {
  add,
  and,
  type Code,
  get,
  isBelow,
  type Local,
  loadByte,
  loadWord,
  moduleBytes,
  number,
  or,
  repeatWhile,
  rotateLeft,
  set,
  shiftLeft,
  shiftRight,
  storeByte,
  xor,
} from './wasm-assembler.ts'

/*
 * AES-256-CFB8 encryption in WebAssembly: Electron's library has no such cipher, and byte by byte through its ECB is
 * 1 MB/s. One implementation for all runtimes, so that what is tested under Node is what runs in the app. Table
 * driven: not hardened against programs on the same machine that time the processor's cache.
 */

/**
 * The memory: four round tables, the S-box, the key schedule and the schedule turned in its first page, the data in the second.
 * "Turned": each word rotated left by two bits, so that four times a byte is cut out of it without a shift of its own.
 */
const TABLES = [0, 1024, 2048, 3072] as const
const SBOX = 4096
const SCHEDULE = SBOX + 256
const TURNED = SCHEDULE + 256
const DATA = 65_536
const BLOCK = 16

/** Bytes encrypted in one go: a page less the block before them. */
const SLICE = 65_536 - BLOCK

/** The function's parameters: where the first byte is, and where the first one behind the last would be. */
const AT: Local = 0
const UNTIL: Local = 1
/** The last 16 bytes of ciphertext, and two states of the cipher: a word for each column, its first row lowest. */
const LAST = [2, 3, 4, 5] as const
const STATE = [6, 7, 8, 9] as const
const NEXT = [10, 11, 12, 13] as const
const BYTE: Local = 14

type Columns = readonly [Local, Local, Local, Local]

/** Four times the byte that a turned column has in a row: its place in a round table. */
function fourTimesByte(column: Local, row: number): Code {
  const inPlace = row === 0 ? get(column) : row === 3 ? rotateLeft(get(column), 8) : shiftRight(get(column), 8 * row)
  return and(inPlace, number(0xff << 2))
}

/** A turned column after a round: a look-up for each row, taken along ShiftRows, and the round's key. */
function columnAfter(round: number, column: number, before: Columns): Code {
  return TABLES.reduce<Code>(
    (sum, table, row) => xor(sum, loadWord(table, fourTimesByte(before[(column + row) % 4] as Local, row))),
    loadWord(TURNED + BLOCK * round + 4 * column, number(0)),
  )
}

/**
 * The first byte of the cipher's output, all that CFB8 uses, as statements that leave it in BYTE. It depends on one
 * byte of the last round but one, and so on one column of the round before.
 */
function firstByteOfCipher(): Code[] {
  const statements = STATE.map((column, index) =>
    set(column, xor(rotateLeft(get(LAST[index] as Local), 2), loadWord(TURNED + 4 * index, number(0)))),
  )
  let [before, after]: [Columns, Columns] = [STATE, NEXT]
  for (let round = 1; round < ROUNDS - 1; round += 1) {
    for (const [index, column] of after.entries()) statements.push(set(column, columnAfter(round, index, before)))
    const swapped = before
    before = after
    after = swapped
  }
  const inner = and(shiftRight(columnAfter(ROUNDS - 1, 0, before), 2), number(0xff))
  statements.push(set(BYTE, xor(loadByte(SBOX, inner), loadByte(SCHEDULE + BLOCK * ROUNDS, number(0)))))
  return statements
}

/** The block moves on by the byte that was made. */
function shiftIn(byte: Local): Code[] {
  return LAST.map((column, index) => {
    const incoming = LAST[index + 1] ?? byte
    return set(column, or(shiftRight(get(column), 8), shiftLeft(get(incoming), 24)))
  })
}

function program(): Uint8Array<ArrayBuffer> {
  return moduleBytes({
    pages: 2,
    parameters: 2,
    variables: 13,
    body: [
      ...LAST.map((column, index) => set(column, loadWord(4 * index, add(get(AT), number(-BLOCK))))),
      repeatWhile(isBelow(get(AT), get(UNTIL)), [
        ...firstByteOfCipher(),
        set(BYTE, xor(get(BYTE), loadByte(0, get(AT)))),
        storeByte(0, get(AT), get(BYTE)),
        ...shiftIn(BYTE),
        set(AT, add(get(AT), number(1))),
      ]),
    ],
  })
}

interface Machine {
  memory: Uint8Array<ArrayBuffer>
  run(at: number, until: number): void
}

let started: Machine | null = null

function machine(): Machine {
  if (started) return started
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(program()))
  const memory = new Uint8Array((exports.memory as WebAssembly.Memory).buffer)
  for (const [row, place] of TABLES.entries()) memory.set(turned(roundTable(row)), place)
  memory.set(sbox, SBOX)
  started = { memory, run: exports.run as Machine['run'] }
  return started
}

/**
 * Encrypts in place. Serial by nature, as each byte needs the one before: 6 to 9 MB/s in Electron, 13 under Node.
 * @param previous the 16 ciphertext bytes before; the IV at the start
 */
export function encryptCfb8InPlace(key: Uint8Array, previous: Uint8Array, bytes: Uint8Array): void {
  const { memory, run } = machine()
  const schedule = expandKey(key)
  memory.set(schedule, SCHEDULE)
  memory.set(turned(schedule), TURNED)
  memory.set(previous, DATA)
  for (let start = 0; start < bytes.length; start += SLICE) {
    const slice = bytes.subarray(start, start + SLICE)
    const end = DATA + BLOCK + slice.length
    memory.set(slice, DATA + BLOCK)
    run(DATA + BLOCK, end)
    slice.set(memory.subarray(DATA + BLOCK, end))
    memory.copyWithin(DATA, end - BLOCK, end)
  }
  // neither key nor content stays behind
  memory.fill(0, SCHEDULE, TURNED + SCHEDULE_BYTES)
  memory.fill(0, DATA)
}

/** The words of 32 bits, lowest byte first, each rotated left by two bits. */
function turned(words: Uint8Array): Uint8Array {
  const from = new DataView(words.buffer, words.byteOffset, words.byteLength)
  const to = new DataView(new ArrayBuffer(words.byteLength))
  for (let at = 0; at < words.byteLength; at += 4) {
    const word = from.getUint32(at, true)
    to.setUint32(at, (word << 2) | (word >>> 30), true)
  }
  return new Uint8Array(to.buffer)
}
