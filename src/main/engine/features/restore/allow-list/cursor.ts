import { AppError } from '#shared/errors.ts'
import { isSymbol, isWord, type Token } from '../script/sql-tokens.ts'

const MAX_NAME_BYTES = 63

/** Walks over a statement's tokens. */
export class Cursor {
  at = 0
  readonly tokens: readonly Token[]
  readonly schema: string

  constructor(tokens: readonly Token[], schema: string) {
    this.tokens = tokens
    this.schema = schema
  }

  get isAtEnd(): boolean {
    return this.at >= this.tokens.length
  }

  peek(ahead = 0): Token | undefined {
    return this.tokens[this.at + ahead]
  }

  /** Takes these words, one after the other, if they come next. */
  words(...words: string[]): boolean {
    if (!words.every((word, ahead) => isWord(this.peek(ahead), word))) return false
    this.at += words.length
    return true
  }

  /** Takes one of these words if it comes next. */
  oneOf(...words: string[]): string | null {
    const token = this.peek()
    if (!token || !isWord(token, ...words)) return null
    this.at += 1
    return token.value
  }

  symbol(symbol: string): boolean {
    if (!isSymbol(this.peek(), symbol)) return false
    this.at += 1
    return true
  }

  /** An identifier, quoted or not. */
  name(): string | null {
    const token = this.peek()
    if (token?.kind !== 'word' && token?.kind !== 'name') return null
    this.at += 1
    // the server would cut it, and it would then name something else
    if (Buffer.byteLength(token.value) > MAX_NAME_BYTES) throw refused('a name of more than 63 bytes')
    return token.value
  }

  /** `a`, `a.b`, `a.b.c`. */
  path(): string[] {
    const path: string[] = []
    do {
      const name = this.name()
      if (name === null) throw refused('a name where none can be read')
      path.push(name)
    } while (this.symbol('.'))
    return path
  }

  /** `schema.object` of the site's own schema; returns the object's name. @throws AppError `other-schema` */
  ownName(): string {
    return this.#own(2)
  }

  /** `schema.table.column` of the site's own schema. @throws AppError `other-schema` */
  ownColumn(): void {
    this.#own(3)
  }

  /** Passes over `( … )` if it comes next. */
  parentheses(): void {
    if (!isSymbol(this.peek(), '(')) return
    let depth = 0
    do {
      if (isSymbol(this.peek(), '(')) depth += 1
      if (isSymbol(this.peek(), ')')) depth -= 1
      this.at += 1
    } while (depth > 0 && !this.isAtEnd)
  }

  /** @throws AppError `statement-refused` when something follows */
  end(): void {
    if (!this.isAtEnd) throw refused('more than such a statement has in a dump')
  }

  #own(length: number): string {
    const path = this.path()
    if (path.length !== length || path[0] !== this.schema) throw otherSchema(path, this.schema)
    return path[1] ?? ''
  }
}

/** A statement that no dump has, or that no dump may have. `what` completes "Line 7 of the dump: …". */
export function refused(what: string): AppError {
  return new AppError('statement-refused', what)
}

export function otherSchema(path: readonly string[], schema: string): AppError {
  const name = path.map((part) => `"${part.slice(0, 63)}"`).join('.')
  return new AppError('other-schema', `it touches ${name}, which is not in the site’s schema "${schema}"`)
}

/** The tokens outside of all parentheses, with their positions. */
export function* outerTokens(tokens: readonly Token[], from = 0): Generator<{ token: Token; at: number }> {
  let depth = 0
  for (let at = from; at < tokens.length; at += 1) {
    const token = tokens[at]
    if (!token) return
    if (isSymbol(token, ')')) depth -= 1
    if (depth === 0) yield { token, at }
    if (isSymbol(token, '(')) depth += 1
  }
}

/** Whether the tokens outside of all parentheses hold this word, not as part of a longer name. */
export function findOuterWord(tokens: readonly Token[], from: number, ...words: string[]): number {
  for (const { token, at } of outerTokens(tokens, from)) {
    if (isWord(token, ...words) && !isSymbol(tokens[at - 1], '.')) return at
  }
  return -1
}
