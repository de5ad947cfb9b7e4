import { AppError } from '#shared/errors.ts'
import { type ScriptPlace, scriptError } from '../script/errors.ts'
import { type Token, tokenizeGently } from '../script/sql-tokens.ts'
import { checkAlter } from './alter.ts'
import { checkCreate } from './create.ts'
import { Cursor, refused } from './cursor.ts'
import { factsOf, type StatementFacts } from './facts.ts'
import { checkDrop, sessionRole, statisticsOf } from './left-out.ts'
import { checkComment, checkDefaultPrivileges, checkGrant } from './rights.ts'
import { checkCopy, checkInsert } from './rows.ts'
import { checkSelect, checkSet } from './settings.ts'

export type { StatementFacts } from './facts.ts'

/**
 * Whether a statement of a dump may run on a site's database: it is of a kind that pg_dump writes, and what it makes or
 * changes is in the site's schema. Everything else is refused by name. Source: docs/formats.md, "Loading a dump".
 * @param schema the site's schema
 * @throws AppError `statement-refused`, `other-schema`, `script-token`, with the line
 */
export async function checkStatement(text: string, schema: string, place: ScriptPlace): Promise<StatementFacts> {
  try {
    const tokens = await tokenizeGently(text)
    return tokens.length === 0 ? factsOf('nothing', { action: 'skip' }) : classify(new Cursor(tokens, schema))
  } catch (error) {
    if (error instanceof AppError) throw scriptError(error.code, error.message, place)
    throw error
  }
}

function classify(cursor: Cursor): StatementFacts {
  requireOneStatement(cursor.tokens)
  if (cursor.words('set')) return sessionRole(cursor) ?? checkSet(cursor)
  if (cursor.words('reset')) return sessionRole(cursor) ?? refuse(cursor)
  if (cursor.words('select')) return statisticsOf(cursor) ?? checkSelect(cursor)
  if (cursor.words('copy')) return checkCopy(cursor)
  if (cursor.words('insert')) return checkInsert(cursor)
  if (cursor.words('create')) return checkCreate(cursor)
  if (cursor.words('alter', 'default', 'privileges')) return checkDefaultPrivileges(cursor)
  if (cursor.words('alter')) return checkAlter(cursor)
  if (cursor.words('comment')) return checkComment(cursor)
  if (cursor.words('grant')) return checkGrant(cursor, 'GRANT')
  if (cursor.words('revoke')) return checkGrant(cursor, 'REVOKE')
  if (cursor.words('refresh', 'materialized', 'view')) {
    cursor.ownName()
    cursor.end()
    return factsOf('REFRESH MATERIALIZED VIEW')
  }
  if (cursor.words('drop')) return checkDrop(cursor)
  return refuse(cursor)
}

function refuse({ tokens }: Cursor): never {
  throw refused(`${label(tokens)} is not allowed`)
}

/** A semicolon stands only inside of what an SQL function does; the server is asked for one statement at a time besides. */
function requireOneStatement(tokens: readonly Token[]): void {
  const hasBody = tokens.some(({ kind, value }, at) => kind === 'word' && value === 'begin' && tokens[at + 1]?.value === 'atomic')
  if (!hasBody && tokens.some(({ kind, value }) => kind === 'symbol' && value === ';')) {
    throw refused('several statements in one')
  }
}

/** The words that a statement begins with, as its name. */
function label(tokens: readonly Token[]): string {
  const end = tokens.findIndex(({ kind }) => kind !== 'word')
  const words = tokens.slice(0, Math.min(3, end < 0 ? tokens.length : end)).map(({ value }) => value.toUpperCase().slice(0, 30))
  return words.join(' ') || 'This'
}
