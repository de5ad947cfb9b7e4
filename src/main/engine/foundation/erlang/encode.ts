import { deflateSync } from 'node:zlib'
import { Atom, Float, ImproperList, Opaque, type Term, Tuple } from './terms.ts'

/** What Zotonic puts before a term in a `bytea` column named `props` or `propb`. */
export const DATABASE_MAGIC = Uint8Array.of(0x01, 0x32, 0x6a, 0x3a)

const VERSION = 131
const COMPRESSED = 80

/**
 * `term_to_binary(Term, [compressed])`: with zlib when that makes it smaller, as OTP does. Atoms are written in
 * UTF-8 (tags 119 and 118), which every OTP since 16 reads.
 */
export function encodeTerm(term: Term, options: { compressed?: boolean } = {}): Buffer {
  const writer = new Writer()
  writer.term(term)
  const plain = writer.bytes()
  if (options.compressed) {
    const packed = deflateSync(plain)
    if (packed.length + 4 < plain.length) {
      const head = Buffer.from([VERSION, COMPRESSED, 0, 0, 0, 0])
      head.writeUInt32BE(plain.length, 2)
      return Buffer.concat([head, packed])
    }
  }
  return Buffer.concat([Uint8Array.of(VERSION), plain])
}

/** The content of a `props` column: the four magic bytes, then the compressed term. */
export function encodeDatabaseTerm(term: Term): Buffer {
  return Buffer.concat([DATABASE_MAGIC, encodeTerm(term, { compressed: true })])
}

class Writer {
  private buffer = Buffer.allocUnsafe(1024)
  private length = 0

  bytes(): Buffer {
    return this.buffer.subarray(0, this.length)
  }

  term(term: Term): void {
    if (typeof term === 'string') this.binary(Buffer.from(term, 'utf8'))
    else if (typeof term === 'boolean') this.atom(String(term))
    else if (typeof term === 'number' || typeof term === 'bigint') this.integer(term)
    else if (term instanceof Uint8Array) this.binary(term)
    else if (term instanceof Atom) this.atom(term.name)
    else if (term instanceof Float) this.float(term.value)
    else if (term instanceof Tuple) this.tuple(term.items)
    else if (term instanceof ImproperList) this.list(term.items, term.tail)
    else if (term instanceof Opaque) this.raw(term.bytes)
    else if (Array.isArray(term)) this.list(term, null)
    else this.map(term)
  }

  /** Where `size` bytes may be written. May replace the buffer, so it is called before the buffer is named. */
  private room(size: number): number {
    const at = this.length
    if (at + size > this.buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, at + size))
      this.buffer.copy(grown, 0, 0, at)
      this.buffer = grown
    }
    this.length = at + size
    return at
  }

  private raw(bytes: Uint8Array): void {
    const at = this.room(bytes.length)
    this.buffer.set(bytes, at)
  }

  private u8(value: number): void {
    const at = this.room(1)
    this.buffer.writeUInt8(value, at)
  }

  private u16(value: number): void {
    const at = this.room(2)
    this.buffer.writeUInt16BE(value, at)
  }

  private tagged(tag: number, count: number): void {
    this.u8(tag)
    const at = this.room(4)
    this.buffer.writeUInt32BE(count, at)
  }

  private binary(bytes: Uint8Array): void {
    this.tagged(109, bytes.length)
    this.raw(bytes)
  }

  private atom(name: string): void {
    const bytes = Buffer.from(name, 'utf8')
    if (bytes.length < 256) {
      this.u8(119)
      this.u8(bytes.length)
    } else {
      this.u8(118)
      this.u16(bytes.length)
    }
    this.raw(bytes)
  }

  private float(value: number): void {
    if (!Number.isFinite(value)) throw new RangeError('An Erlang float is finite')
    this.u8(70)
    const at = this.room(8)
    this.buffer.writeDoubleBE(value, at)
  }

  private integer(value: number | bigint): void {
    if (typeof value === 'number' && !Number.isSafeInteger(value)) throw new RangeError(`Not an exact integer: ${value}`)
    const big = BigInt(value)
    if (big >= 0n && big < 256n) {
      this.u8(97)
      this.u8(Number(big))
    } else if (big >= -0x80000000n && big <= 0x7fffffffn) {
      this.u8(98)
      const at = this.room(4)
      this.buffer.writeInt32BE(Number(big), at)
    } else {
      this.bigInteger(big)
    }
  }

  private bigInteger(value: bigint): void {
    const hex = (value < 0n ? -value : value).toString(16)
    const bytes = Buffer.from(hex.length % 2 ? `0${hex}` : hex, 'hex').reverse()
    if (bytes.length < 256) {
      this.u8(110)
      this.u8(bytes.length)
    } else {
      this.tagged(111, bytes.length)
    }
    this.u8(value < 0n ? 1 : 0)
    this.raw(bytes)
  }

  private tuple(items: readonly Term[]): void {
    if (items.length < 256) {
      this.u8(104)
      this.u8(items.length)
    } else {
      this.tagged(105, items.length)
    }
    for (const item of items) this.term(item)
  }

  private list(items: readonly Term[], tail: Term | null): void {
    if (tail === null && items.length === 0) {
      this.u8(106)
    } else if (tail === null && items.length < 65_536 && items.every(isByte)) {
      this.u8(107)
      this.u16(items.length)
      this.raw(Uint8Array.from(items as number[]))
    } else {
      this.tagged(108, items.length)
      for (const item of items) this.term(item)
      if (tail === null) this.u8(106)
      else this.term(tail)
    }
  }

  private map(map: ReadonlyMap<Term, Term>): void {
    this.tagged(116, map.size)
    for (const [key, value] of map) {
      this.term(key)
      this.term(value)
    }
  }
}

function isByte(term: Term): boolean {
  return typeof term === 'number' && Number.isInteger(term) && term >= 0 && term < 256
}
