import { isWord } from '../script/sql-tokens.ts'
import { type Cursor, findOuterWord, refused } from './cursor.ts'
import { factsOf, type StatementFacts } from './facts.ts'
import { NAMED_KINDS } from './kinds.ts'

/*
 * What pg_dump writes and a restore does without: nothing of it is run.
 */

/** `DROP …` of `pg_dump --clean`: the old schema is kept under another name, so that there is nothing to drop. */
export function checkDrop(cursor: Cursor): StatementFacts {
  if (cursor.words('schema')) {
    cursor.words('if', 'exists')
    if (cursor.name() !== cursor.schema) throw Object.assign(refused('it drops another schema'), { code: 'other-schema' })
    cursor.end()
    return dropped('SCHEMA')
  }
  const onTable = cursor.oneOf('trigger', 'policy')
  const kind = onTable ? null : NAMED_KINDS.find((words) => cursor.words(...words))
  if (!onTable && !kind) throw refused(`DROP ${(cursor.peek()?.value ?? '').toUpperCase().slice(0, 30)} is not allowed`)
  cursor.words('if', 'exists')
  if (onTable && (cursor.name() === null || !cursor.words('on'))) throw refused('DROP of this form')
  cursor.ownName()
  cursor.parentheses()
  cursor.end()
  return dropped((kind?.join(' ') ?? onTable ?? '').toUpperCase())
}

/** `ALTER TABLE … DROP CONSTRAINT name`, `ALTER TABLE … ALTER COLUMN name DROP DEFAULT`; null: it is none of them. */
export function dropOfPart(cursor: Cursor): StatementFacts | null {
  const at = findOuterWord(cursor.tokens, cursor.at, 'drop')
  const isDrop = at === cursor.at || (at === cursor.at + 3 && isWord(cursor.peek(), 'alter') && isWord(cursor.peek(1), 'column'))
  if (!isDrop) return null
  const isDefault = at > cursor.at
  cursor.at = at + 1
  if (isDefault ? !cursor.words('default') : !cursor.words('constraint')) return null
  cursor.words('if', 'exists')
  if (!isDefault && cursor.name() === null) return null
  cursor.end()
  return dropped(isDefault ? 'DEFAULT' : 'CONSTRAINT')
}

function dropped(what: string): StatementFacts {
  return factsOf(`DROP ${what}`, { action: 'skip' })
}

/** Functions by which PostgreSQL 18 and later bring the planner's statistics along: a restore makes its own by ANALYZE. */
const STATISTICS = ['pg_restore_relation_stats', 'pg_restore_attribute_stats', 'pg_restore_extended_stats']

/** `SELECT * FROM pg_catalog.pg_restore_relation_stats(…)`; null: it is something else. */
export function statisticsOf(cursor: Cursor): StatementFacts | null {
  if (!cursor.symbol('*') || !cursor.words('from')) return null
  const [catalogue, name, ...more] = cursor.path()
  if (catalogue !== 'pg_catalog' || more.length > 0 || !STATISTICS.includes(name ?? '')) return null
  cursor.parentheses()
  cursor.end()
  return factsOf(`SELECT ${name}`, { action: 'skip' })
}

/** `[RE]SET SESSION AUTHORIZATION`, around rights that somebody else than the owner gave; null: it is something else. */
export function sessionRole(cursor: Cursor): StatementFacts | null {
  if (!cursor.words('session', 'authorization')) return null
  const name = 'SET SESSION AUTHORIZATION'
  return factsOf(name, {
    about: 'grant',
    action: 'skip',
    unlessLeftOut: `${name} is not allowed (without rights it is left out)`,
  })
}
