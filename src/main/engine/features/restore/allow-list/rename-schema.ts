import { quoteIdentifier, quoteLiteral } from '#engine/foundation/connections/postgres.ts'
import { AppError } from '#shared/errors.ts'
import { isSymbol, isWord, type Token, tokenize, tokenizeGently } from '../script/sql-tokens.ts'
import type { StatementFacts } from './facts.ts'

/** Names that stand in texts as they are, without signs that have to be doubled. */
const PLAIN_NAME = /^[\p{L}\p{N}_$ .-]+$/u
/** Types whose values are names of objects: a text that becomes one names an object. */
const NAME_TYPES = ['regclass', 'regproc', 'regprocedure', 'regtype', 'regconfig', 'regdictionary', 'regcollation']
const SEQUENCE_FUNCTIONS = ['nextval', 'currval', 'setval']
/** Their tables may have names of their own in them, which look like a schema's. */
const WITH_QUERIES = ['CREATE VIEW', 'CREATE MATERIALIZED VIEW', 'CREATE FUNCTION', 'CREATE POLICY']
/** In these, texts are data or words for people. */
const TEXTS_STAY = ['COMMENT', 'INSERT', 'CREATE TYPE', 'SELECT set_config', 'SET']

/**
 * Puts another schema's name wherever a statement of a dump names the dump's own: qualified names, texts that the server
 * reads as such, search paths and bodies of functions. What can't be told for certain is refused by name.
 * @param facts of the statement as it stands, which names `from` only
 * @throws AppError `schema-in-text`, without the line
 */
export async function renameSchema(text: string, facts: StatementFacts, from: string, to: string): Promise<string> {
  if (!mentions(text, from)) return text
  if (!PLAIN_NAME.test(from)) {
    throw new AppError(
      'schema-in-text',
      `the schema "${from.slice(0, 63)}" has signs in its name that keep it from being renamed`,
    )
  }
  return new Renaming(text, await tokenizeGently(text), facts, from, to).run()
}

class Renaming {
  readonly #text: string
  readonly #tokens: Token[]
  readonly #facts: StatementFacts
  readonly #from: string
  readonly #to: string
  readonly #edits: { start: number; end: number; text: string }[] = []
  #renamed = 0
  #namesakes = 0

  constructor(text: string, tokens: Token[], facts: StatementFacts, from: string, to: string) {
    this.#text = text
    this.#tokens = tokens
    this.#facts = facts
    this.#from = from
    this.#to = to
  }

  run(): string {
    for (const [at, token] of this.#tokens.entries()) {
      if (token.kind === 'word' || token.kind === 'name') this.#identifier(at, token)
      else if (token.kind === 'string' || token.kind === 'body') this.#string(at, token)
    }
    if (this.#namesakes > 0 && this.#renamed > 0 && WITH_QUERIES.includes(this.#facts.name)) {
      throw this.#refused('uses that name for something else too')
    }
    return edited(this.#text, this.#edits)
  }

  #identifier(at: number, token: Token): void {
    if (token.value !== this.#from) return
    const before = this.#tokens[at - 1]
    const isQualifier = isSymbol(this.#tokens[at + 1], '.') && !isSymbol(before, '.')
    const isSchema = isWord(before, 'schema') || isInSearchPath(this.#tokens, at)
    if (isQualifier || isSchema) {
      this.#replace(token, quoteIdentifier(this.#to))
      this.#renamed += 1
    } else this.#namesakes += 1
  }

  #string(at: number, token: Token): void {
    if (TEXTS_STAY.includes(this.#facts.name)) return
    const written = this.#text.slice(token.start, token.end)
    if (!mentions(written, this.#from)) return
    if (this.#facts.name === 'CREATE FUNCTION') {
      if (isInSearchPath(this.#tokens, at)) {
        if (token.value === this.#from) this.#replace(token, quoteLiteral(this.#to))
        return
      }
      if (isBody(this.#tokens, at)) {
        this.#body(token, written)
        return
      }
    }
    const renamed = renamedName(token.value, this.#from, this.#to)
    if (renamed !== null && namesObject(this.#tokens, at)) this.#replace(token, quoteLiteral(renamed))
    else if (mentionsQualified(written, this.#from)) throw this.#refused('names it in a text')
  }

  #body(token: Token, written: string): void {
    const isDollars = token.kind === 'body'
    // what E'' hides is not looked into
    if (!isDollars && /^e/i.test(written)) throw this.#refused('names it in its body')
    const renamed = this.#renamedBody(token.value)
    if (isDollars) {
      const tag = written.slice(0, written.indexOf('$', 1) + 1)
      if (renamed.includes(tag)) throw this.#refused('names it in its body')
      this.#replace(token, `${tag}${renamed}${tag}`)
    } else this.#replace(token, `'${renamed.replaceAll("'", "''")}'`)
  }

  #renamedBody(body: string): string {
    const tokens = this.#tokensOfBody(body)
    const edits: { start: number; end: number; text: string }[] = []
    for (const [at, token] of tokens.entries()) {
      const isName = token.kind === 'word' || token.kind === 'name'
      if (isName && token.value === this.#from) {
        if (isSymbol(tokens[at - 1], '.')) this.#namesakes += 1
        else if (!isSymbol(tokens[at + 1], '.')) throw this.#refused('uses that name in its body')
        else {
          edits.push({ ...token, text: quoteIdentifier(this.#to) })
          this.#renamed += 1
        }
      } else if (!isName && mentions(body.slice(token.start, token.end), this.#from)) {
        const renamed = renamedName(token.value, this.#from, this.#to)
        if (token.kind !== 'string' || renamed === null || !namesObject(tokens, at)) {
          throw this.#refused('names it in a text in its body')
        }
        edits.push({ ...token, text: quoteLiteral(renamed) })
      }
    }
    return edited(body, edits)
  }

  #tokensOfBody(body: string): Token[] {
    try {
      return tokenize(body)
    } catch {
      throw this.#refused('names it in its body, which can’t be read for certain')
    }
  }

  #replace({ start, end }: Token, text: string): void {
    this.#edits.push({ start, end, text })
  }

  #refused(why: string): AppError {
    const own = this.#tokens.findIndex(
      ({ value }, at) => value === this.#from && isSymbol(this.#tokens[at + 1], '.') && !isSymbol(this.#tokens[at - 1], '.'),
    )
    const object = own < 0 ? '' : ` "${this.#tokens[own + 2]?.value.slice(0, 63) ?? ''}"`
    const what = `${this.#facts.name}${object} ${why}`
    return new AppError('schema-in-text', `the schema "${this.#from}" can’t become "${this.#to}": ${what}`)
  }
}

function edited(text: string, edits: { start: number; end: number; text: string }[]): string {
  let result = ''
  let at = 0
  for (const edit of edits) {
    result += text.slice(at, edit.start) + edit.text
    at = edit.end
  }
  return result + text.slice(at)
}

/** Whether a text has a name as a whole word, in letters of any size. */
function mentions(text: string, name: string): boolean {
  return new RegExp(`(?<![\\w$\\u0080-\\uffff])${escaped(name)}(?![\\w$\\u0080-\\uffff])`, 'i').test(text)
}

/** Whether a text may hold the name of something in the schema. */
function mentionsQualified(text: string, name: string): boolean {
  return new RegExp(`(?<![\\w$\\u0080-\\uffff])${escaped(name)}"*\\s*\\.`, 'i').test(text)
}

function escaped(name: string): string {
  return name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

/** `from.object` as `to.object`; null: the text is no such name. */
function renamedName(text: string, from: string, to: string): string | null {
  const tokens = tokensOf(text)
  const [schema, dot, object] = tokens
  const isName = (token: Token | undefined) => token?.kind === 'name' || token?.kind === 'word'
  if (!schema || !isName(schema) || schema.value !== from || !isSymbol(dot, '.') || !isName(object)) return null
  // a routine's signature may name the schema again
  if (tokens.slice(3).some(({ value }) => value === from)) return null
  return quoteIdentifier(to) + text.slice(schema.end)
}

function tokensOf(text: string): Token[] {
  try {
    return tokenize(text)
  } catch {
    return []
  }
}

/** Whether the server reads a text as an object's name: `'…'::regclass`, `('…'::text)::regclass`, `nextval('…')`. */
function namesObject(tokens: readonly Token[], at: number): boolean {
  if (isSymbol(tokens[at - 1], '(') && isWord(tokens[at - 2], ...SEQUENCE_FUNCTIONS)) {
    const before = tokens[at - 3]
    return !isSymbol(before, '.') || tokens[at - 4]?.value === 'pg_catalog'
  }
  let next = at + 1
  const cast = (...types: string[]): boolean => {
    if (!isSymbol(tokens[next], ':') || !isSymbol(tokens[next + 1], ':')) return false
    const type = tokens[next + 2]?.value === 'pg_catalog' && isSymbol(tokens[next + 3], '.') ? next + 4 : next + 2
    if (!types.includes(tokens[type]?.value ?? '')) return false
    next = type + 1
    return true
  }
  if (cast('text') && isSymbol(tokens[next], ')') && isSymbol(tokens[at - 1], '(')) next += 1
  return cast(...NAME_TYPES)
}

/** Whether a token is one of the names of `SET search_path TO …`. */
function isInSearchPath(tokens: readonly Token[], from: number): boolean {
  let at = from - 1
  while (isSymbol(tokens[at], ',') || tokens[at]?.kind === 'string' || tokens[at]?.kind === 'name') {
    if (tokens[at]?.value === 'search_path') break
    at -= 1
  }
  if (!isWord(tokens[at], 'to') && !isSymbol(tokens[at], '=')) return false
  return tokens[at - 1]?.value === 'search_path' && isWord(tokens[at - 2], 'set')
}

/** Whether a string is what follows AS in CREATE FUNCTION. */
function isBody(tokens: readonly Token[], at: number): boolean {
  return isWord(tokens[at - 1], 'as')
}
