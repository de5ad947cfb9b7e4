import { setImmediate as nextTurn } from 'node:timers/promises'
import { AppError } from '#shared/errors.ts'

/** One token of a statement. Comments are none. */
export interface Token {
  /** `word`: unquoted, lower-cased; `name`: quoted identifier; `body`: dollar-quoted string. */
  kind: 'word' | 'name' | 'string' | 'body' | 'number' | 'symbol'
  /** The identifier or string without its quotes (empty for E'…'); of a symbol its one character. */
  value: string
  /** Where it stands in the statement, its quotes included. */
  start: number
  end: number
}

const MAX_TOKENS = 1_000_000
const STEP = 20_000
const SLOW_TEXT = 256 * 1024

const WORD = /[A-Za-z_\u0080-\uffff][A-Za-z0-9_$\u0080-\uffff]*/y
const NUMBER = /\d[0-9A-Za-z_.\u0080-\uffff]*/y
/** `1e+16`: one number, although a sign is in it. */
const SIGNED_EXPONENT = /\d+(?:\.\d*)?[eE][+-]\d+/y
const SPACE = /[ \t\n\r\f\v]+/y
const LINE_COMMENT = /--[^\n\r]*/y
const DOLLAR = /\$(?:[A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*)?\$/y
const SYMBOL = /[-(),.;:[\]+*/<>=~!@#%^&|`?{}]/

/**
 * Splits a statement into its tokens, by the same lexical rules as the server with standard_conforming_strings on.
 * @throws AppError `script-token` for what dumps never have, or what scanners may read in two ways
 */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = []
  for (const _ of scanTokens(text, tokens));
  return tokens
}

/** {@link tokenize} that gives way to others now and then, for large statements. */
export async function tokenizeGently(text: string): Promise<Token[]> {
  if (text.length < SLOW_TEXT) return tokenize(text)
  const tokens: Token[] = []
  for (const _ of scanTokens(text, tokens)) await nextTurn()
  return tokens
}

/** Whether a statement is a COPY whose rows follow in the script. */
export function isCopyFromStdin(text: string): boolean {
  if (!/^(?:copy\b|[-/])/i.test(text)) return false
  const tokens = tokenize(text)
  const [from, stdin] = tokens.slice(-2)
  return isWord(tokens[0], 'copy') && isWord(from, 'from') && isWord(stdin, 'stdin')
}

export function isWord(token: Token | undefined, ...words: string[]): boolean {
  return token?.kind === 'word' && words.includes(token.value)
}

export function isSymbol(token: Token | undefined, symbol: string): boolean {
  return token?.kind === 'symbol' && token.value === symbol
}

function* scanTokens(text: string, tokens: Token[]): Generator<void> {
  let at = 0
  let escapeEnded = false
  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = at
    return pattern.exec(text)?.[0] ?? null
  }
  while (at < text.length) {
    const char = text[at] ?? ''
    const skipped = match(SPACE) ?? match(LINE_COMMENT)
    if (skipped !== null) {
      at += skipped.length
      continue
    }
    if (char === '/' && text[at + 1] === '*') {
      at = endOfComment(text, at)
      continue
    }
    if (char === "'" && escapeEnded) throw tokenError('a string that goes on after its end')
    escapeEnded = false
    const start = at
    const take = (kind: Token['kind'], value: string, end: number) => {
      tokens.push({ kind, value, start, end })
      at = end
    }
    if (char === "'" || char === '"') {
      const { end, value } = quoted(text, at, char)
      take(char === "'" ? 'string' : 'name', value, end)
    } else if (char === '$' && match(DOLLAR) !== null) {
      const delimiter = match(DOLLAR) ?? ''
      const end = text.indexOf(delimiter, at + delimiter.length)
      if (end < 0) throw tokenError('a string without end')
      take('body', text.slice(at + delimiter.length, end), end + delimiter.length)
    } else if (char === '$' || /\d/.test(char)) {
      if (char === '$') at += 1
      const number = match(SIGNED_EXPONENT) ?? match(NUMBER)
      if (number === null) throw tokenError('a $ that begins nothing')
      take('number', number, at + number.length)
      if (text[at] === "'") throw tokenError('a quote right after a number')
    } else {
      const word = match(WORD)
      if (word === null) {
        if (!SYMBOL.test(char)) throw tokenError(`the character ${JSON.stringify(char)}`)
        take('symbol', char, at + 1)
      } else {
        at += word.length
        if (/^u$/i.test(word) && /^&['"]/.test(text.slice(at, at + 2))) throw tokenError('a string of the U& kind')
        if (text[at] !== "'") take('word', lower(word), at)
        else if (/^e$/i.test(word)) {
          take('string', '', endOfEscape(text, at))
          escapeEnded = true
        } else if (/^[bxn]$/i.test(word)) {
          const { end, value } = quoted(text, at, "'")
          take('string', value, end)
        } else throw tokenError('a quote right after a word')
      }
    }
    if (tokens.length > MAX_TOKENS) throw tokenError(`more than ${MAX_TOKENS} words and signs in one statement`)
    if (tokens.length % STEP === 0) yield
  }
}

/** Only ASCII is folded, as by the server in UTF-8. */
function lower(word: string): string {
  return word.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

function quoted(text: string, from: number, quote: string): { end: number; value: string } {
  let at = from + 1
  for (;;) {
    const end = text.indexOf(quote, at)
    if (end < 0) throw tokenError('a quote without end')
    if (text[end + 1] !== quote) {
      const value = text.slice(from + 1, end)
      return { end: end + 1, value: value.includes(quote) ? value.replaceAll(quote + quote, quote) : value }
    }
    at = end + 2
  }
}

/** Where an E'…' string ends whose quote is at `from`. */
function endOfEscape(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1
    else if (text[at] === "'") {
      if (text[at + 1] !== "'") return at + 1
      at += 1
    }
  }
  throw tokenError('a quote without end')
}

function endOfComment(text: string, from: number): number {
  let depth = 1
  for (let at = from + 2; at < text.length; at += 1) {
    if (text[at] === '*' && text[at + 1] === '/') {
      depth -= 1
      at += 1
      if (depth === 0) return at + 1
    } else if (text[at] === '/' && text[at + 1] === '*') {
      depth += 1
      at += 1
    }
  }
  throw tokenError('a comment without end')
}

function tokenError(what: string): AppError {
  return new AppError('script-token', `The dump has ${what}, which dumps of pg_dump never have.`)
}
