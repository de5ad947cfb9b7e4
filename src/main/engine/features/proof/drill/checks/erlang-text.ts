import { ConfigProblem } from './config-problem.ts'

const MAX_DEPTH = 200

/** A scalar that may be told, or null for everything else. */
type Scalar = string | null

/**
 * Reads Erlang terms in text, as `file:consult` does: terms that each end with a full stop.
 * @param told the keys of `{key, value}` whose value is given back; no other value leaves this reader
 * @throws ConfigProblem naming the line
 */
export function readErlangText(text: string, told: ReadonlySet<string>): Map<string, string> {
  const reader = new ErlangText(text, told)
  reader.terms()
  return reader.found
}

class ErlangText {
  readonly found = new Map<string, string>()
  readonly #text: string
  readonly #told: ReadonlySet<string>
  #at = 0

  constructor(text: string, told: ReadonlySet<string>) {
    this.#text = text
    this.#told = told
  }

  terms(): void {
    let count = 0
    for (this.#skip(); this.#at < this.#text.length; this.#skip()) {
      this.#term(0)
      this.#skip()
      if (this.#at >= this.#text.length) throw this.#problem('it ends without a full stop')
      if (!this.#take('.')) throw this.#problem(`${this.#shown()} stands where a full stop or a comma belongs`)
      if (!/^(?:\s|%|$)/.test(this.#text.slice(this.#at, this.#at + 1)))
        throw this.#problem('a full stop stands inside of a term')
      count += 1
    }
    if (count === 0) throw this.#problem('it holds no term')
  }

  #term(depth: number): Scalar {
    if (depth > MAX_DEPTH) throw this.#problem('it is nested too deep')
    this.#skip()
    const next = this.#text[this.#at]
    if (next === undefined) throw this.#problem('it ends inside of a term')
    if (next === '"') return this.#strings()
    if (next === "'") return this.#quoted("'")
    if (next === '[') return this.#list(depth)
    if (next === '{') return this.#tuple(depth)
    if (this.#take('#{')) return this.#map(depth)
    if (this.#take('<<')) return this.#binary()
    if (next === '$') return this.#character()
    const [number] = this.#match(/[+-]?\s*\d[\d_]*(?:#[0-9a-zA-Z_]+|\.\d[\d_]*(?:[eE][+-]?\d+)?)?/y)
    if (number !== undefined) return number
    const [atom] = this.#match(/[a-zß-öø-ÿ][\w@À-ÖØ-öø-ÿ]*/y)
    if (atom !== undefined) return atom
    throw this.#problem(`${this.#shown()} stands where a value belongs`)
  }

  #list(depth: number): null {
    this.#take('[')
    this.#skip()
    if (this.#take(']')) return null
    do this.#term(depth + 1)
    while (this.#comma())
    if (this.#take('|')) this.#term(depth + 1)
    this.#close(']')
    return null
  }

  #tuple(depth: number): null {
    this.#take('{')
    this.#skip()
    if (this.#take('}')) return null
    const key = this.#term(depth + 1)
    if (!this.#comma()) {
      this.#close('}')
      return null
    }
    const value = this.#term(depth + 1)
    if (key !== null && value !== null && this.#told.has(key)) this.found.set(key, value)
    while (this.#comma()) this.#term(depth + 1)
    this.#close('}')
    return null
  }

  #map(depth: number): null {
    this.#skip()
    if (this.#take('}')) return null
    do {
      const key = this.#term(depth + 1)
      this.#skip()
      if (!this.#take('=>')) throw this.#problem(`${this.#shown()} stands where => belongs`)
      const value = this.#term(depth + 1)
      if (key !== null && value !== null && this.#told.has(key)) this.found.set(key, value)
    } while (this.#comma())
    this.#close('}')
    return null
  }

  /** `<<"text"/utf8>>`, `<<1, 2, 3:16>>`. */
  #binary(): Scalar {
    let value: Scalar = null
    this.#skip()
    if (this.#take('>>')) return ''
    do {
      this.#skip()
      if (this.#text[this.#at] === '"') value = this.#strings()
      else if (this.#match(/\d[\d_]*(?:#[0-9a-zA-Z]+)?/y)[0] === undefined) this.#character()
      this.#match(/(?:\s*:\s*\d+)?(?:\s*\/\s*[a-z0-9:-]+)?/y)
    } while (this.#comma())
    this.#close('>>')
    return value
  }

  /** Strings beside each other are one. */
  #strings(): string {
    let whole = ''
    for (; this.#text[this.#at] === '"'; this.#skip()) {
      whole += this.#text.startsWith('"""', this.#at) ? this.#tripleQuoted() : this.#quoted('"')
    }
    return whole
  }

  #quoted(quote: string): string {
    const from = this.#at
    for (this.#at += 1; this.#at < this.#text.length; this.#at += 1) {
      if (this.#text[this.#at] === '\\') this.#at += 1
      else if (this.#text[this.#at] === quote) {
        this.#at += 1
        return this.#text.slice(from + 1, this.#at - 1)
      }
    }
    this.#at = from
    throw this.#problem(`a text that begins with ${quote} has no end`)
  }

  #tripleQuoted(): string {
    const end = /\n[ \t]*"""/y
    for (let at = this.#text.indexOf('\n', this.#at); at >= 0; at = this.#text.indexOf('\n', at + 1)) {
      end.lastIndex = at
      const [found] = end.exec(this.#text) ?? []
      if (found === undefined) continue
      const inner = this.#text.slice(this.#at + 3, at)
      this.#at = at + found.length
      return inner
    }
    throw this.#problem('a text that begins with """ has no end')
  }

  #character(): null {
    if (this.#match(/\$(?:\\(?:x\{[0-9a-fA-F]+\}|x[0-9a-fA-F]{2}|\^.|[0-7]{1,3}|.)|[^\\])/suy)[0] === undefined) {
      throw this.#problem(`${this.#shown()} stands where a value belongs`)
    }
    return null
  }

  #comma(): boolean {
    this.#skip()
    return this.#take(',')
  }

  #close(bracket: string): void {
    this.#skip()
    if (this.#take(bracket)) return
    if (this.#at >= this.#text.length) throw this.#problem(`a ${bracket} is missing at its end`)
    throw this.#problem(`${this.#shown()} stands where ${bracket} or a comma belongs`)
  }

  #take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false
    this.#at += text.length
    return true
  }

  #match(pattern: RegExp): [string | undefined] {
    pattern.lastIndex = this.#at
    const [found] = pattern.exec(this.#text) ?? []
    if (found !== undefined) this.#at += found.length
    return [found]
  }

  /** Blanks and comments. */
  #skip(): void {
    this.#match(/(?:\s+|%[^\n]*)+/y)
  }

  /** A bracket or mark as it is; anything else could be part of a secret. */
  #shown(): string {
    const next = this.#text[this.#at] ?? ''
    return /[[\]{}(),.|:;=<>#/\\]/.test(next) ? `“${next}”` : 'something'
  }

  #problem(what: string): ConfigProblem {
    const line = this.#text.slice(0, this.#at).split('\n').length
    return new ConfigProblem(`line ${line}: ${what}`)
  }
}
