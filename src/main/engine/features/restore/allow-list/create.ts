import { isSymbol, isWord } from '../script/sql-tokens.ts'
import { callsOf, rangeFunctions } from './calls.ts'
import { Cursor, findOuterWord, refused } from './cursor.ts'
import { factsOf, type StatementFacts } from './facts.ts'
import { outsideReferences } from './references.ts'
import { createRoutine } from './routine.ts'
import { checkSequence } from './settings.ts'

/** Kinds whose name comes right after the kind, and that run nothing when they are made. */
const PLAIN_KINDS: string[][] = [
  ['aggregate'],
  ['collation'],
  ['domain'],
  ['statistics'],
  ['text', 'search', 'configuration'],
  ['text', 'search', 'dictionary'],
]

/** `CREATE …`. @throws AppError `statement-refused`, `other-schema` */
export function checkCreate(cursor: Cursor): StatementFacts {
  if (cursor.words('schema')) return createSchema(cursor)
  if (cursor.words('table') || cursor.words('unlogged', 'table')) return createTable(cursor)
  if (cursor.words('sequence') || cursor.words('unlogged', 'sequence')) return createSequence(cursor)
  if (cursor.words('index') || cursor.words('unique', 'index')) return createIndex(cursor)
  if (cursor.words('materialized', 'view')) return createView(cursor, 'CREATE MATERIALIZED VIEW')
  if (cursor.words('type')) return createType(cursor)
  if (cursor.words('policy')) return createOn(cursor, 'CREATE POLICY')
  for (const kind of PLAIN_KINDS) {
    if (!cursor.words(...kind)) continue
    cursor.ownName()
    const name = `CREATE ${kind.join(' ').toUpperCase()}`
    return factsOf(name, { references: outsideReferences(cursor), runs: kind[0] === 'aggregate' ? [] : callsOf(cursor) })
  }
  cursor.words('or', 'replace')
  if (cursor.words('view') || cursor.words('recursive', 'view')) return createView(cursor, 'CREATE VIEW')
  if (cursor.words('trigger') || cursor.words('constraint', 'trigger')) return createOn(cursor, 'CREATE TRIGGER')
  if (cursor.words('function') || cursor.words('procedure')) return createRoutine(cursor)
  throw refused(`${createLabel(cursor)} is not allowed`)
}

function createLabel({ tokens }: Cursor): string {
  const words = tokens.slice(0, 3).filter((token) => token.kind === 'word')
  return words.map((token) => token.value.toUpperCase().slice(0, 30)).join(' ')
}

function createSchema(cursor: Cursor): StatementFacts {
  const path = cursor.path()
  if (path.length !== 1) throw refused('CREATE SCHEMA with a name that can’t be read')
  cursor.end()
  if (path[0] !== cursor.schema) throw wrongSchema(path[0] ?? '', cursor.schema)
  return factsOf('CREATE SCHEMA')
}

/** The dump is one of another site. */
function wrongSchema(found: string, expected: string) {
  const error = refused(`it creates schema "${found}", but the site uses "${expected}"`)
  return Object.assign(error, { code: 'other-schema' })
}

function createTable(cursor: Cursor): StatementFacts {
  const table = cursor.ownName()
  if (cursor.words('partition', 'of')) cursor.ownName()
  if (findOuterWord(cursor.tokens, cursor.at, 'as', 'select', 'execute') >= 0) throw refused('CREATE TABLE AS is not allowed')
  const inherits = findOuterWord(cursor.tokens, cursor.at, 'inherits')
  if (inherits >= 0) {
    const parents = new Cursor(cursor.tokens, cursor.schema)
    parents.at = inherits + 1
    if (!parents.symbol('(')) throw refused('INHERITS that can’t be read')
    do parents.ownName()
    while (parents.symbol(','))
  }
  checkReferences(cursor)
  checkSequences(cursor)
  return factsOf('CREATE TABLE', { table, references: outsideReferences(cursor), runs: callsOf(cursor) })
}

/** Numbers that are taken from a sequence are gone, whatever becomes of the transaction: own ones only. */
export function checkSequences({ tokens, schema, at: from }: Cursor): void {
  for (let at = from; at + 2 < tokens.length; at += 1) {
    // LIKE would bring along what another table takes from
    const isLike = isWord(tokens[at], 'like') && (isSymbol(tokens[at - 1], '(') || isSymbol(tokens[at - 1], ','))
    if (isLike) throw refused('a table made like another one')
    if (!isWord(tokens[at], 'nextval') || !isSymbol(tokens[at + 1], '(')) continue
    const named = tokens[at + 2]?.kind === 'symbol' ? tokens[at + 3] : tokens[at + 2]
    checkSequence(named?.kind === 'string' ? named.value : '', schema)
  }
}

/** A foreign key puts triggers on the table that it refers to, an identity makes a sequence: both in this schema only. */
export function checkReferences({ tokens, schema, at: from }: Cursor): void {
  for (let at = from; at < tokens.length; at += 1) {
    const isSequenceName = isWord(tokens[at], 'sequence') && isWord(tokens[at + 1], 'name') && isInsideIdentity(tokens, at)
    if (!isSequenceName && !isWord(tokens[at], 'references')) continue
    const named = new Cursor(tokens, schema)
    named.at = at + (isSequenceName ? 2 : 1)
    named.ownName()
  }
}

/** Whether a position is inside the parentheses that follow IDENTITY. */
function isInsideIdentity(tokens: Cursor['tokens'], from: number): boolean {
  let depth = 0
  for (let at = from; at >= 0; at -= 1) {
    if (isSymbol(tokens[at], ')')) depth += 1
    if (isSymbol(tokens[at], '(')) {
      if (depth === 0) return isWord(tokens[at - 1], 'identity')
      depth -= 1
    }
  }
  return false
}

function createSequence(cursor: Cursor): StatementFacts {
  cursor.ownName()
  const owned = findOuterWord(cursor.tokens, cursor.at, 'owned')
  if (owned >= 0) throw refused('CREATE SEQUENCE with an owner')
  return factsOf('CREATE SEQUENCE')
}

function createIndex(cursor: Cursor): StatementFacts {
  if (cursor.name() === null || !cursor.words('on')) throw refused('CREATE INDEX of this form is not allowed')
  cursor.words('only')
  cursor.ownName()
  return factsOf('CREATE INDEX', { references: outsideReferences(cursor), runs: callsOf(cursor) })
}

function createView(cursor: Cursor, name: string): StatementFacts {
  cursor.ownName()
  return factsOf(name, { runs: callsOf(cursor) })
}

function createType(cursor: Cursor): StatementFacts {
  cursor.ownName()
  // a base type is made of functions in C
  if (!cursor.isAtEnd && !cursor.words('as')) throw refused('CREATE TYPE of a base type is not allowed')
  return factsOf('CREATE TYPE', { references: outsideReferences(cursor), runs: rangeFunctions(cursor) })
}

/** `CREATE TRIGGER name … ON table …`, `CREATE POLICY name ON table …`. */
function createOn(cursor: Cursor, name: string): StatementFacts {
  cursor.name()
  const on = findOuterWord(cursor.tokens, cursor.at, 'on')
  if (on < 0) throw refused(`${name} without a table`)
  cursor.at = on + 1
  cursor.ownName()
  return factsOf(name)
}
