import { isWord } from '../script/sql-tokens.ts'
import { type Cursor, findOuterWord, refused } from './cursor.ts'
import { factsOf, type StatementFacts } from './facts.ts'
import { NAMED_KINDS } from './kinds.ts'

const GRANTED_KINDS = ['table', 'sequence', 'function', 'procedure', 'routine', 'type', 'domain']

/** `GRANT … ON … TO …`, `REVOKE … ON … FROM …`. Granting a role to a role is refused. */
export function checkGrant(cursor: Cursor, verb: 'GRANT' | 'REVOKE'): StatementFacts {
  const on = findOuterWord(cursor.tokens, cursor.at, 'on')
  const to = findOuterWord(cursor.tokens, cursor.at, 'to', 'from')
  if (on < 0 || to < on) throw refused(`${verb} of a role is not allowed`)
  cursor.at = on + 1
  if (cursor.words('schema')) {
    const [schema, ...more] = cursor.path()
    if (schema !== cursor.schema || more.length > 0) {
      throw Object.assign(refused(`it changes rights on the schema "${(schema ?? '').slice(0, 63)}"`), { code: 'other-schema' })
    }
  } else {
    const kind = cursor.oneOf(...GRANTED_KINDS)
    if (kind === null && isWord(cursor.peek(), 'all', 'database', 'foreign', 'language', 'large', 'parameter', 'tablespace')) {
      throw refused(`${verb} on ${(cursor.peek()?.value ?? '').toUpperCase()} is not allowed`)
    }
    cursor.ownName()
    cursor.parentheses()
  }
  return factsOf(verb, { about: 'grant', roles: grantees(cursor) })
}

/** `TO role [, …] [WITH GRANT OPTION] [GRANTED BY role]`, likewise FROM. */
function grantees(cursor: Cursor): string[] {
  if (cursor.oneOf('to', 'from') === null) throw refused('rights on more than one object')
  const roles: string[] = []
  do {
    cursor.words('group')
    const isQuoted = cursor.peek()?.kind === 'name'
    const role = cursor.name()
    if (role === null) throw refused('a role that can’t be read')
    if (isQuoted || role !== 'public') roles.push(role)
  } while (cursor.symbol(','))
  cursor.words('with', 'grant', 'option')
  if (cursor.words('granted', 'by')) roles.push(cursor.name() ?? '')
  cursor.oneOf('cascade', 'restrict')
  cursor.end()
  return roles
}

/** `ALTER DEFAULT PRIVILEGES FOR ROLE role IN SCHEMA schema GRANT|REVOKE …`, after its first three words. */
export function checkDefaultPrivileges(cursor: Cursor): StatementFacts {
  const roles: string[] = []
  if (cursor.words('for', 'role') || cursor.words('for', 'user')) roles.push(cursor.name() ?? '')
  if (!cursor.words('in', 'schema')) throw refused('default privileges of more than the site’s schema')
  const [schema, ...more] = cursor.path()
  if (schema !== cursor.schema || more.length > 0) {
    throw Object.assign(refused('default privileges of another schema'), { code: 'other-schema' })
  }
  const verb = cursor.oneOf('grant', 'revoke')
  const on = findOuterWord(cursor.tokens, cursor.at, 'on')
  if (verb === null || on < 0) throw refused('default privileges that can’t be read')
  cursor.at = on + 1
  if (cursor.oneOf('tables', 'sequences', 'functions', 'routines', 'types') === null) {
    throw refused('default privileges on this kind of object')
  }
  return factsOf('ALTER DEFAULT PRIVILEGES', { about: 'grant', owners: roles, roles: grantees(cursor) })
}

/** `COMMENT ON …`. */
export function checkComment(cursor: Cursor): StatementFacts {
  if (!cursor.words('on')) throw refused('COMMENT without an object')
  if (cursor.words('schema')) {
    const path = cursor.path()
    if (path.length !== 1 || path[0] !== cursor.schema) {
      throw Object.assign(refused('a comment on another schema'), { code: 'other-schema' })
    }
  } else if (cursor.words('column')) cursor.ownColumn()
  else if (cursor.oneOf('constraint', 'trigger', 'policy') !== null) {
    if (cursor.name() === null || !cursor.words('on')) throw refused('COMMENT that can’t be read')
    // "domain" is a keyword here only when a name follows
    if (isWord(cursor.peek(), 'domain') && cursor.peek(1)?.value !== '.') cursor.at += 1
    cursor.ownName()
  } else if (NAMED_KINDS.some((kind) => cursor.words(...kind))) {
    cursor.ownName()
    cursor.parentheses()
  } else throw refused(`COMMENT ON ${(cursor.peek()?.value ?? '').toUpperCase().slice(0, 30)} is not allowed`)
  const isText = cursor.words('is') && (cursor.peek()?.kind === 'string' || isWord(cursor.peek(), 'null'))
  if (!isText) throw refused('COMMENT that can’t be read')
  cursor.at += 1
  cursor.end()
  return factsOf('COMMENT')
}
