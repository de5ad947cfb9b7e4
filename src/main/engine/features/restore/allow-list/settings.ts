import { isSymbol, isWord, tokenize } from '../script/sql-tokens.ts'
import { type Cursor, otherSchema, refused } from './cursor.ts'
import { factsOf, type StatementFacts } from './facts.ts'

/** The settings that pg_dump 13 to 18 sets, with the values that they may have. */
const SETTINGS: Record<string, RegExp> = {
  client_encoding: /^utf-?8$/i,
  standard_conforming_strings: /^on$/i,
  check_function_bodies: /^(false|off|true|on)$/i,
  xmloption: /^(content|document)$/i,
  client_min_messages: /^(warning|error|notice)$/i,
  row_security: /^off$/i,
  escape_string_warning: /^(on|off)$/i,
  default_with_oids: /^(false|off)$/i,
  default_tablespace: /^.{0,63}$/,
  default_table_access_method: /^\w{1,63}$/,
}

/** Time limits are the loader's own: those of a dump are not run, and not all servers know them. */
const TIME_LIMITS = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout']

/** `SET name = value`. */
export function checkSet(cursor: Cursor): StatementFacts {
  const name = cursor.oneOf(...Object.keys(SETTINGS), ...TIME_LIMITS)
  if (name === null || !(cursor.symbol('=') || cursor.words('to'))) throw refused(`SET ${describeSetting(cursor)} is not allowed`)
  const value = cursor.peek()
  cursor.at += 1
  cursor.end()
  if (TIME_LIMITS.includes(name)) return factsOf(`SET ${name}`, { action: 'skip' })
  if (!value || value.kind === 'body' || value.kind === 'symbol' || !SETTINGS[name]?.test(value.value)) {
    throw refused(`SET ${name} to a value that dumps do not set`)
  }
  return factsOf('SET')
}

function describeSetting(cursor: Cursor): string {
  const words = cursor.tokens.slice(1, 3).filter((token) => token.kind === 'word')
  return words.map((token) => token.value.toUpperCase().slice(0, 40)).join(' ') || 'of this kind'
}

/** `SELECT pg_catalog.set_config('search_path', '', false)` and `SELECT pg_catalog.setval('schema.sequence', 7, true)`. */
export function checkSelect(cursor: Cursor): StatementFacts {
  const [catalogue, name, ...more] = cursor.path()
  if (catalogue !== 'pg_catalog' || more.length > 0 || (name !== 'set_config' && name !== 'setval')) throw selectRefused()
  if (!cursor.symbol('(')) throw selectRefused()
  const first = text(cursor)
  if (!cursor.symbol(',')) throw selectRefused()
  if (name === 'set_config') {
    if (first.toLowerCase() !== 'search_path' || text(cursor) !== '') throw refused('a search path other than an empty one')
    if (!(cursor.symbol(',') && cursor.words('false') && cursor.symbol(')'))) throw selectRefused()
  } else {
    checkSequence(first, cursor.schema)
    cursor.symbol('-')
    if (cursor.peek()?.kind !== 'number' || !/^\d+$/.test(cursor.peek()?.value ?? '')) throw selectRefused()
    cursor.at += 1
    if (!cursor.symbol(',') || cursor.oneOf('true', 'false') === null || !cursor.symbol(')')) throw selectRefused()
  }
  cursor.end()
  return factsOf(name === 'setval' ? 'SELECT setval' : 'SELECT set_config')
}

function selectRefused() {
  return refused('SELECT is allowed for setval and an empty search path only')
}

function text(cursor: Cursor): string {
  const token = cursor.peek()
  if (token?.kind !== 'string') throw selectRefused()
  cursor.at += 1
  return token.value
}

/** The sequence that a string names, read as the server reads it. @throws AppError `statement-refused`, `other-schema` */
export function checkSequence(value: string, schema: string): void {
  const tokens = tokenize(value)
  const [first, dot, second] = tokens
  const isName = (token: typeof first) => token?.kind === 'name' || (token?.kind === 'word' && !isWord(token, ''))
  if (tokens.length !== 3 || !isName(first) || !isSymbol(dot, '.') || !isName(second))
    throw refused('a sequence that can’t be read')
  if (first?.value !== schema) throw otherSchema([first?.value ?? '', second?.value ?? ''], schema)
}
