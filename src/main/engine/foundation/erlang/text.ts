import { isUtf8 } from 'node:buffer'
import { AppError } from '#shared/errors.ts'
import { Atom, atom, Float, ImproperList, Opaque, type Term, Tuple } from './terms.ts'

/** Bounds for text that comes from elsewhere. */
export interface TextLimits {
  /** Longest text, in UTF-16 units. */
  maxLength: number
  /** Deepest nesting. */
  maxDepth: number
}

const DEFAULT_LIMITS: TextLimits = { maxLength: 4 * 1024 * 1024, maxDepth: 100 }

const ESCAPES: Record<string, string> = {
  b: '\b',
  d: '\x7f',
  e: '\x1b',
  f: '\f',
  n: '\n',
  r: '\r',
  s: ' ',
  t: '\t',
  v: '\v',
}

/**
 * Reads one Erlang term as Erlang prints it. What stands in double quotes becomes a string, as a binary does: settings use either.
 * @throws AppError `bad-erlang-text` when it is cut, too long or too deep, or more follows; never quotes the text, which may be secret
 */
export function readTermText(text: string, limits: Partial<TextLimits> = {}): Term {
  const { maxLength, maxDepth } = { ...DEFAULT_LIMITS, ...limits }
  if (text.length > maxLength) throw bad('it is too long')
  const reader = new TextReader(text, maxDepth)
  const term = reader.term(0)
  reader.mustBeAtEnd()
  return term
}

function bad(reason: string): AppError {
  return new AppError('bad-erlang-text', `A printed Erlang term can’t be read: ${reason}.`, {
    hint: 'The command that printed it is of a version that is not known here.',
  })
}

class TextReader {
  readonly #text: string
  readonly #maxDepth: number
  #at = 0

  constructor(text: string, maxDepth: number) {
    this.#text = text
    this.#maxDepth = maxDepth
  }

  /** A full stop may end it, as in a file. */
  mustBeAtEnd(): void {
    this.#skip()
    this.#take('.')
    this.#skip()
    if (this.#at < this.#text.length) throw this.#problem('something follows its end')
  }

  term(depth: number): Term {
    if (depth > this.#maxDepth) throw bad('it is nested too deeply')
    this.#skip()
    const next = this.#text[this.#at]
    if (next === undefined) throw bad('it ends too early')
    if (next === '"') return this.#strings()
    if (next === "'") return this.#atomOf(this.#quoted("'"))
    if (next === '[') return this.#list(depth)
    if (next === '{') return this.#tuple(depth)
    if (next === '$') return this.#character()
    if (this.#take('#{')) return this.#map(depth)
    if (this.#take('<<')) return this.#binary()
    const opaque = this.#match(/#(?:Fun|Ref|Port)<[^<>]{0,200}>|<\d+(?:\.\d+)*>/y)
    if (opaque !== null) return opaqueOf(opaque)
    const number = this.#match(/[+-]?\d[\d_]*(?:#[0-9a-zA-Z_]+|\.\d[\d_]*(?:[eE][+-]?\d+)?)?/y)
    if (number !== null) return this.#number(number)
    const name = this.#match(/[a-zß-öø-ÿ][\w@À-ÖØ-öø-ÿ]*/y)
    if (name !== null) return this.#atomOf(name)
    throw this.#problem('something stands where a value belongs')
  }

  #atomOf(name: string): Term {
    if (name === 'true') return true
    if (name === 'false') return false
    return atom(name)
  }

  #list(depth: number): Term {
    this.#take('[')
    const items = this.#items(']', depth)
    if (!this.#take('|')) {
      this.#close(']')
      return items
    }
    const tail = this.term(depth + 1)
    this.#close(']')
    if (items.length === 0) throw this.#problem('a list has a tail and nothing before it')
    return Array.isArray(tail) ? [...items, ...tail] : new ImproperList(items, tail)
  }

  #tuple(depth: number): Term {
    this.#take('{')
    const items = this.#items('}', depth)
    this.#close('}')
    return new Tuple(items)
  }

  #items(end: string, depth: number): Term[] {
    const items: Term[] = []
    this.#skip()
    if (this.#text[this.#at] === end) return items
    do items.push(this.term(depth + 1))
    while (this.#comma())
    return items
  }

  #map(depth: number): Term {
    const map = new Map<Term, Term>()
    this.#skip()
    if (this.#take('}')) return map
    do {
      const key = this.term(depth + 1)
      this.#skip()
      if (!this.#take('=>')) throw this.#problem('something stands where => belongs')
      map.set(key, this.term(depth + 1))
    } while (this.#comma())
    this.#close('}')
    return map
  }

  /** `<<"text">>`, `<<"text"/utf8>>`, `<<1,2,255>>`. Text without `/utf8` has one byte for each character. */
  #binary(): Term {
    const parts: Buffer[] = []
    this.#skip()
    if (this.#take('>>')) return ''
    do {
      this.#skip()
      if (this.#text[this.#at] === '"') {
        const text = this.#strings()
        if (this.#match(/\s*\/\s*utf8/y) !== null) parts.push(Buffer.from(text, 'utf8'))
        else if ([...text].every((character) => character <= 'ÿ')) parts.push(Buffer.from(text, 'latin1'))
        else throw this.#problem('a character of a binary is more than a byte')
      } else {
        const byte = Number(this.#match(/\d{1,3}/y) ?? Number.NaN)
        if (!(byte <= 255)) throw this.#problem('something in a binary is no byte')
        if (this.#match(/\s*:\s*\d+/y) !== null) return this.#bitString()
        parts.push(Buffer.of(byte))
      }
    } while (this.#comma())
    this.#close('>>')
    const bytes = Buffer.concat(parts)
    return isUtf8(bytes) ? bytes.toString('utf8') : new Uint8Array(bytes)
  }

  /** The last byte has some bits only: nothing that a setting is. */
  #bitString(): Term {
    this.#close('>>')
    return new Opaque('bit string', new Uint8Array())
  }

  /** Strings beside each other are one. */
  #strings(): string {
    let whole = ''
    while (this.#text[this.#at] === '"') {
      whole += this.#quoted('"')
      this.#skip()
    }
    return whole
  }

  #quoted(quote: string): string {
    const parts: string[] = []
    let from = this.#at + 1
    for (this.#at = from; this.#at < this.#text.length; ) {
      const next = this.#text[this.#at]
      if (next === quote) {
        parts.push(this.#text.slice(from, this.#at))
        this.#at += 1
        return parts.join('')
      }
      if (next === '\\') {
        parts.push(this.#text.slice(from, this.#at), this.#escape())
        from = this.#at
      } else this.#at += 1
    }
    throw bad('a text in quotes has no end')
  }

  #escape(): string {
    const found = this.#match(/\\(?:x\{[0-9a-fA-F]{1,6}\}|x[0-9a-fA-F]{2}|[0-7]{1,3}|\^[@-_a-z?]|[^x^])/suy)
    if (found === null) throw this.#problem('an escape is not known')
    const code = found.slice(1)
    if (/^[0-7]/.test(code)) return String.fromCodePoint(Number.parseInt(code, 8))
    if (code.startsWith('^')) return code === '^?' ? '\x7f' : String.fromCharCode(code.charCodeAt(1) & 31)
    if (!code.startsWith('x')) return ESCAPES[code] ?? code
    const point = Number.parseInt(code.replace(/[x{}]/g, ''), 16)
    if (point > 0x10ffff) throw this.#problem('an escape is no character')
    return String.fromCodePoint(point)
  }

  #character(): number {
    this.#at += 1
    if (this.#text[this.#at] === '\\') return this.#escape().codePointAt(0) ?? 0
    const point = this.#text.codePointAt(this.#at)
    if (point === undefined) throw bad('it ends too early')
    this.#at += point > 0xffff ? 2 : 1
    return point
  }

  #number(written: string): Term {
    const text = written.replaceAll('_', '')
    const [first = '', digits] = text.split('#')
    if (digits !== undefined) return this.#based(first, digits)
    if (text.includes('.')) return new Float(Number(text))
    return whole(BigInt(text.replace(/^\+/, '')))
  }

  #based(first: string, digits: string): Term {
    const isNegative = first.startsWith('-')
    const base = BigInt(first.replace(/^[+-]/, ''))
    if (base < 2n || base > 36n) throw this.#problem('a number has no base that there is')
    let value = 0n
    for (const digit of digits) {
      const worth = Number.parseInt(digit, 36)
      if (!(worth < Number(base))) throw this.#problem('a number has a digit that its base has not')
      value = value * base + BigInt(worth)
    }
    return whole(isNegative ? -value : value)
  }

  #comma(): boolean {
    this.#skip()
    return this.#take(',')
  }

  #close(bracket: string): void {
    this.#skip()
    if (!this.#take(bracket)) throw this.#problem(`a ${bracket} is missing`)
  }

  #take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false
    this.#at += text.length
    return true
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)
    if (!found) return null
    this.#at += found[0].length
    return found[0]
  }

  /** Blanks and comments. */
  #skip(): void {
    this.#match(/(?:\s+|%[^\n]*)+/y)
  }

  #problem(what: string): AppError {
    return bad(`${what}, in line ${this.#text.slice(0, this.#at).split('\n').length}`)
  }
}

function opaqueOf(text: string): Opaque {
  const kind = text.startsWith('#Fun') ? 'fun' : text.startsWith('#Ref') ? 'reference' : text.startsWith('#Port') ? 'port' : 'pid'
  return new Opaque(kind, Buffer.from(text, 'utf8'))
}

function whole(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

/** A term as plain text where it is one: of an atom, a number, a string; null: it is none. */
export function plainText(term: Term): string | null {
  if (typeof term === 'string') return term
  if (typeof term === 'number' || typeof term === 'bigint' || typeof term === 'boolean') return String(term)
  if (term instanceof Atom) return term.name
  if (term instanceof Float) return String(term.value)
  return null
}
