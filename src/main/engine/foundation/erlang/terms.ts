/**
 * Erlang terms as values that keep apart what Erlang keeps apart (docs/formats.md, "Erlang terms").
 *
 * | Erlang | here |
 * |---|---|
 * | `true`, `false` | boolean |
 * | any other atom | {@link Atom}, interned: `atom('en') === atom('en')` |
 * | integer | number when it is safe, else bigint |
 * | float | {@link Float}, so that 1.0 stays a float |
 * | binary | string when it is valid UTF-8, else Uint8Array |
 * | tuple | {@link Tuple} |
 * | list (strings too) | array |
 * | improper list | {@link ImproperList} |
 * | map | Map |
 * | pid, port, reference, fun, bit string | {@link Opaque}: its bytes, written back as they were |
 */
export type Term =
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Atom
  | Float
  | Tuple
  | ImproperList
  | Opaque
  | Term[]
  | TermMap

export type TermMap = Map<Term, Term>

export class Atom {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

export class Float {
  readonly value: number
  constructor(value: number) {
    this.value = value
  }
}

export class Tuple {
  readonly items: readonly Term[]
  constructor(items: readonly Term[]) {
    this.items = items
  }
}

export class ImproperList {
  readonly items: readonly Term[]
  readonly tail: Term
  constructor(items: readonly Term[], tail: Term) {
    this.items = items
    this.tail = tail
  }
}

/** A term that has no meaning outside the node that wrote it; `bytes` are tag and content. */
export class Opaque {
  readonly kind: 'pid' | 'port' | 'reference' | 'fun' | 'bit string'
  readonly bytes: Uint8Array
  constructor(kind: Opaque['kind'], bytes: Uint8Array) {
    this.kind = kind
    this.bytes = bytes
  }
}

/** An atom lives as long as the program: more than these are not kept, so that hostile input can't fill the memory. */
const MAX_KEPT_ATOMS = 10_000
const known = new Map<string, Atom>()

/** The atom of a name; the same object each time for the first {@link MAX_KEPT_ATOMS} names. */
export function atom(name: string): Atom {
  const found = known.get(name)
  if (found) return found
  const made = new Atom(name)
  if (known.size < MAX_KEPT_ATOMS) known.set(name, made)
  return made
}

export const UNDEFINED = atom('undefined')

export function tuple(...items: Term[]): Tuple {
  return new Tuple(items)
}

/** `{{Y,M,D},{H,M,S}}` in UTC; parts of a second are cut. */
export function datetime(date: Date): Tuple {
  return tuple(
    tuple(date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()),
    tuple(date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()),
  )
}

/** `{trans, [{en, <<"..">>}, ..]}`: a text in several languages, in the order given. */
export function translated(texts: Record<string, string>): Tuple {
  return tuple(
    atom('trans'),
    Object.entries(texts).map(([language, text]) => tuple(atom(language), text)),
  )
}

/** A map with binary keys, as Zotonic writes properties today. */
export function termMap(entries: Record<string, Term>): TermMap {
  return new Map<Term, Term>(Object.entries(entries))
}
