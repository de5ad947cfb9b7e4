import { isUtf8 } from 'node:buffer'
import { inflateSync } from 'node:zlib'
import { AppError } from '#shared/errors.ts'
import { DATABASE_MAGIC } from './encode.ts'
import { atom, Float, ImproperList, Opaque, type Term, Tuple } from './terms.ts'

/** Bounds for bytes that come from elsewhere. */
export interface DecodeLimits {
  /** Largest size after unpacking, in bytes. */
  maxBytes: number
  /** Deepest nesting. */
  maxDepth: number
}

const DEFAULT_LIMITS: DecodeLimits = { maxBytes: 64 * 1024 * 1024, maxDepth: 400 }

/**
 * Decodes an external term, compressed or not, with atoms of OTP 25 (tag 100) and of 26 and later (119).
 * @throws AppError `bad-erlang-term` when it is cut, of another version, too deep or too big, or has bytes left over
 */
export function decodeTerm(bytes: Uint8Array, limits: Partial<DecodeLimits> = {}): Term {
  const { maxBytes, maxDepth } = { ...DEFAULT_LIMITS, ...limits }
  const input = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (input.length > maxBytes) throw bad('it is too big')
  if (input.length < 2 || input[0] !== 131) throw bad('it does not start as an external term')
  const reader = new Reader(input[1] === 80 ? unpack(input, maxBytes) : input.subarray(1), maxDepth)
  const term = reader.term(0)
  reader.mustBeAtEnd()
  return term
}

/** Decodes the content of a `props` column: with the magic bytes before the term. */
export function decodeDatabaseTerm(bytes: Uint8Array, limits: Partial<DecodeLimits> = {}): Term {
  if (bytes.length < 4 || DATABASE_MAGIC.some((byte, at) => bytes[at] !== byte))
    throw bad('its four first bytes are not Zotonic’s')
  return decodeTerm(bytes.subarray(4), limits)
}

function bad(reason: string): AppError {
  return new AppError('bad-erlang-term', `A stored property list can’t be read: ${reason}.`, {
    hint: 'The row it comes from is damaged, or was not written by Zotonic.',
  })
}

function unpack(input: Buffer, maxBytes: number): Buffer {
  if (input.length < 6) throw bad('it ends too early')
  const size = input.readUInt32BE(2)
  if (size > maxBytes) throw bad('it is too big')
  let plain: Buffer
  try {
    plain = inflateSync(input.subarray(6), { maxOutputLength: size + 1 })
  } catch {
    throw bad('its compressed content is damaged')
  }
  if (plain.length !== size) throw bad('its compressed content has another size than it says')
  return plain
}

class Reader {
  private readonly bytes: Buffer
  private readonly maxDepth: number
  private at = 0

  constructor(bytes: Buffer, maxDepth: number) {
    this.bytes = bytes
    this.maxDepth = maxDepth
  }

  mustBeAtEnd(): void {
    if (this.at !== this.bytes.length) throw bad('there are bytes after its end')
  }

  term(depth: number): Term {
    if (depth > this.maxDepth) throw bad('it is nested too deeply')
    const start = this.at
    const tag = this.u8()
    switch (tag) {
      case 97:
        return this.u8()
      case 98:
        return this.take(4).readInt32BE(0)
      case 110:
        return this.bigInteger(this.u8())
      case 111:
        return this.bigInteger(this.count(1))
      case 70:
        return this.float(this.take(8).readDoubleBE(0))
      case 99:
        return this.float(Number.parseFloat(this.take(31).toString('latin1')))
      case 100:
        return this.atom(this.take(this.u16()).toString('latin1'))
      case 115:
        return this.atom(this.take(this.u8()).toString('latin1'))
      case 118:
        return this.atom(this.take(this.u16()).toString('utf8'))
      case 119:
        return this.atom(this.take(this.u8()).toString('utf8'))
      case 104:
        return new Tuple(this.items(this.u8(), depth))
      case 105:
        return new Tuple(this.items(this.count(1), depth))
      case 106:
        return []
      case 107:
        return [...this.take(this.u16())]
      case 108:
        return this.list(depth)
      case 109:
        return this.binary()
      case 116:
        return this.map(depth)
      default:
        return this.opaque(tag, start, depth)
    }
  }

  private take(size: number): Buffer {
    if (size > this.bytes.length - this.at) throw bad('it ends too early')
    this.at += size
    return this.bytes.subarray(this.at - size, this.at)
  }

  private u8(): number {
    return this.take(1).readUInt8(0)
  }

  private u16(): number {
    return this.take(2).readUInt16BE(0)
  }

  /** A count of things of at least `unit` bytes each, so never more than what is left could hold. */
  private count(unit: number): number {
    const count = this.take(4).readUInt32BE(0)
    if (count * unit > this.bytes.length - this.at) throw bad('it ends too early')
    return count
  }

  private items(count: number, depth: number): Term[] {
    const items: Term[] = []
    for (let index = 0; index < count; index++) items.push(this.term(depth + 1))
    return items
  }

  private list(depth: number): Term {
    const items = this.items(this.count(1), depth)
    const tail = this.term(depth + 1)
    return Array.isArray(tail) && tail.length === 0 ? items : new ImproperList(items, tail)
  }

  private map(depth: number): Term {
    const count = this.count(2)
    const map = new Map<Term, Term>()
    for (let index = 0; index < count; index++) map.set(this.term(depth + 1), this.term(depth + 1))
    return map
  }

  private binary(): Term {
    const bytes = this.take(this.count(1))
    // a copy: a view would keep the whole term in memory
    return isUtf8(bytes) ? bytes.toString('utf8') : Uint8Array.from(bytes)
  }

  private float(value: number): Float {
    if (!Number.isFinite(value)) throw bad('it has a float that is none')
    return new Float(value)
  }

  private atom(name: string): Term {
    return name === 'true' ? true : name === 'false' ? false : atom(name)
  }

  private bigInteger(size: number): Term {
    const isNegative = this.u8() === 1
    const hex = Buffer.from(this.take(size)).reverse().toString('hex')
    const value = hex === '' ? 0n : BigInt(`0x${hex}`)
    const signed = isNegative ? -value : value
    const small = Number(signed)
    return Number.isSafeInteger(small) ? small : signed
  }

  /** Terms that only their own node understands: passed over by their layout, kept as bytes. */
  private opaque(tag: number, start: number, depth: number): Opaque {
    const kind = this.passOver(tag, depth)
    return new Opaque(kind, Uint8Array.from(this.bytes.subarray(start, this.at)))
  }

  private passOver(tag: number, depth: number): Opaque['kind'] {
    switch (tag) {
      case 77:
        this.take(this.count(1) + 1)
        return 'bit string'
      case 88:
      case 103:
        this.term(depth + 1)
        this.take(tag === 88 ? 12 : 9)
        return 'pid'
      case 89:
      case 102:
      case 120:
        this.term(depth + 1)
        this.take(tag === 89 ? 8 : tag === 102 ? 5 : 12)
        return 'port'
      case 90:
      case 114: {
        const words = this.u16()
        this.term(depth + 1)
        this.take((tag === 90 ? 4 : 1) + 4 * words)
        return 'reference'
      }
      case 101:
        this.term(depth + 1)
        this.take(5)
        return 'reference'
      case 112: {
        const size = this.take(4).readUInt32BE(0)
        if (size < 4) throw bad('it has a function of no size')
        this.take(size - 4)
        return 'fun'
      }
      case 113:
        this.items(3, depth)
        return 'fun'
      default:
        throw bad(`it has an unknown tag ${tag}`)
    }
  }
}
