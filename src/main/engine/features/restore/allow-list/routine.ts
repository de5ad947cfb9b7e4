import { isSymbol, isWord, type Token, tokenize } from '../script/sql-tokens.ts'
import { callsOf } from './calls.ts'
import { Cursor, outerTokens, refused } from './cursor.ts'
import { factsOf, type StatementFacts } from './facts.ts'
import { outsideReferences } from './references.ts'

/** Settings that a function may not come with, quoted or not. */
const ROLE_SETTINGS = ['role', 'session', 'session_authorization', 'local']

/** What does more than compute and read: the commands of SQL, and what keeps a result. */
const MORE_THAN_READING = new Set(
  `abort alter analyze call checkpoint cluster comment commit copy create deallocate delete discard do drop execute explain
  fetch for grant import insert into listen load lock merge move notify open perform prepare reassign refresh reindex
  release reset revoke rollback savepoint security set show start table truncate unlisten update vacuum`.split(/\s+/),
)

/** `CREATE FUNCTION …`, `CREATE PROCEDURE …`, in SQL and PL/pgSQL: making one does not run it. */
export function createRoutine(cursor: Cursor): StatementFacts {
  const name = cursor.ownName()
  if (!isSymbol(cursor.peek(), '(')) throw refused('a function without arguments list')
  const signature = new Cursor(cursor.tokens.slice(0, findBody(cursor)), cursor.schema)
  signature.at = cursor.at
  const languages: string[] = []
  let isSecurityDefiner = false
  let hasSettings = false
  let body: Token | undefined
  for (const { token, at } of outerTokens(signature.tokens, signature.at)) {
    if (isSymbol(signature.tokens[at - 1], '.')) continue
    const next = signature.tokens[at + 1]
    if (isWord(token, 'language') && next) languages.push(next.value.toLowerCase())
    if (isWord(token, 'security') && isWord(next, 'definer')) isSecurityDefiner = true
    if (isWord(token, 'as')) body = next
    if (!isWord(token, 'set')) continue
    hasSettings = true
    const isRole = ROLE_SETTINGS.includes(next?.value.toLowerCase() ?? '') && !isSymbol(signature.tokens[at + 2], '.')
    if (isRole) throw refused('a function that changes its role')
  }
  const foreign = languages.find((language) => language !== 'sql' && language !== 'plpgsql')
  if (foreign !== undefined)
    throw refused(`a function in the language "${foreign.slice(0, 63)}"; only sql and plpgsql are allowed`)
  const hasSqlBody = signature.tokens.length < cursor.tokens.length
  if (languages.length === 0 && !hasSqlBody) throw refused('a function without language')
  // with a search path of its own, a plain name may mean anything
  const inside = hasSettings ? null : bodyTokens(cursor, signature, body)
  const calls = inside && isHarmless(inside) ? callsOf(signature).concat(callsOf(new Cursor(inside, cursor.schema))) : null
  const reads = inside?.some((token) => isWord(token, 'from', 'join')) ?? false
  const routine = { name, calls, reads }
  return factsOf('CREATE FUNCTION', { routine, isSecurityDefiner, references: outsideReferences(signature) })
}

function bodyTokens(cursor: Cursor, signature: Cursor, body: Token | undefined): Token[] | null {
  if (signature.tokens.length < cursor.tokens.length) return cursor.tokens.slice(signature.tokens.length)
  try {
    return body && body.value !== '' ? tokenize(body.value) : null
  } catch {
    return null
  }
}

/** Whether a body only computes and reads: no command but SELECT. */
function isHarmless(tokens: readonly Token[]): boolean {
  return !tokens.some(({ kind, value }) => kind === 'word' && MORE_THAN_READING.has(value))
}

/** Where the body of an SQL-standard function begins; the end of the statement when it has none. */
function findBody({ tokens, at: from }: Cursor): number {
  for (const { token, at } of outerTokens(tokens, from)) {
    if (isSymbol(tokens[at - 1], '.') || isWord(tokens[at - 1], 'returns', 'setof')) continue
    if (isWord(token, 'begin') && isWord(tokens[at + 1], 'atomic')) return at
    if (isWord(token, 'return')) return at
  }
  return tokens.length
}
