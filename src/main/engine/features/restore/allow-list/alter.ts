import { isSymbol, isWord, type Token } from '../script/sql-tokens.ts'
import { callsOf } from './calls.ts'
import { checkReferences, checkSequences } from './create.ts'
import { Cursor, outerTokens, refused } from './cursor.ts'
import { factsOf, type StatementFacts } from './facts.ts'
import { NAMED_KINDS } from './kinds.ts'
import { dropOfPart } from './left-out.ts'

/** What a dump does to a table after making it: the first words of each action. */
const TABLE_ACTIONS: string[][] = [
  ['add', 'constraint'],
  ['add', 'primary', 'key'],
  ['add', 'unique'],
  ['add', 'check'],
  ['add', 'foreign', 'key'],
  ['add', 'not', 'null'],
  ['alter'],
  ['attach', 'partition'],
  ['cluster', 'on'],
  ['disable', 'trigger'],
  ['enable', 'trigger'],
  ['enable', 'always', 'trigger'],
  ['enable', 'replica', 'trigger'],
  ['enable', 'row', 'level', 'security'],
  ['disable', 'row', 'level', 'security'],
  ['force', 'row', 'level', 'security'],
  ['no', 'force', 'row', 'level', 'security'],
  ['inherit'],
  ['replica', 'identity'],
  ['set', 'logged'],
  ['set', 'unlogged'],
]

/** What a dump does to a column: the words after its name. */
const COLUMN_ACTIONS: string[][] = [
  ['set', 'default'],
  ['set', 'not', 'null'],
  ['set', 'statistics'],
  ['set', 'storage'],
  ['set', 'compression'],
  ['add', 'generated'],
]

/** `ALTER …`. @throws AppError `statement-refused`, `other-schema` */
export function checkAlter(cursor: Cursor): StatementFacts {
  if (cursor.words('schema')) return alterSchema(cursor)
  if (cursor.words('table')) return alterTable(cursor)
  if (cursor.words('index')) return alterIndex(cursor)
  for (const kind of NAMED_KINDS) if (cursor.words(...kind)) return alterOwned(cursor, kind.join(' '))
  const words = cursor.tokens.slice(1, 3).filter((token) => token.kind === 'word')
  throw refused(`ALTER ${words.map((token) => token.value.toUpperCase().slice(0, 30)).join(' ')} is not allowed`)
}

function alterSchema(cursor: Cursor): StatementFacts {
  const [schema, ...more] = cursor.path()
  if (schema !== cursor.schema || more.length > 0) {
    throw Object.assign(refused(`it changes the schema "${(schema ?? '').slice(0, 63)}"`), { code: 'other-schema' })
  }
  return ownerChange(cursor, 'ALTER SCHEMA')
}

function ownerChange(cursor: Cursor, name: string): StatementFacts {
  if (!cursor.words('owner', 'to')) throw refused(`${name} of anything but its owner is not allowed`)
  const owner = cursor.name()
  cursor.end()
  if (owner === null) throw refused(`${name}: an owner that can’t be read`)
  return factsOf(name, { about: 'owner', owners: [owner] })
}

function alterTable(cursor: Cursor): StatementFacts {
  const isClean = cursor.words('if', 'exists')
  cursor.words('only')
  cursor.ownName()
  const drop = dropOfPart(cursor)
  if (drop) return drop
  if (isClean) throw refused('ALTER TABLE IF EXISTS of anything but DROP')
  if (isWord(cursor.peek(), 'owner')) return ownerChange(cursor, 'ALTER TABLE')
  for (const action of splitActions(cursor)) checkTableAction(new Cursor(action, cursor.schema))
  checkReferences(cursor)
  checkSequences(cursor)
  return factsOf('ALTER TABLE', { runs: callsOf(cursor) })
}

function splitActions({ tokens, at: from }: Cursor): Token[][] {
  const commas = [...outerTokens(tokens, from)].filter(({ token }) => isSymbol(token, ',')).map(({ at }) => at)
  const starts = [from, ...commas.map((at) => at + 1)]
  return starts.map((start, index) => tokens.slice(start, commas[index] ?? tokens.length))
}

function checkTableAction(action: Cursor): void {
  const found = TABLE_ACTIONS.find((words) => action.words(...words))
  if (!found) {
    // storage parameters: SET (fillfactor = 70)
    if (action.words('set') && isSymbol(action.peek(), '(')) return
    throw actionRefused(action)
  }
  if (found[0] === 'attach' || found[0] === 'inherit') action.ownName()
  if (found[0] !== 'alter') return
  action.words('column')
  if (action.name() === null) throw actionRefused(action)
  if (COLUMN_ACTIONS.some((words) => action.words(...words))) return
  if (action.words('set') && isSymbol(action.peek(), '(')) return
  throw actionRefused(action)
}

function actionRefused(action: Cursor) {
  const words = action.tokens.slice(0, 3).filter((token) => token.kind === 'word')
  return refused(`ALTER TABLE … ${words.map((token) => token.value.toUpperCase().slice(0, 30)).join(' ')} is not allowed`)
}

function alterIndex(cursor: Cursor): StatementFacts {
  cursor.ownName()
  if (cursor.words('attach', 'partition')) cursor.ownName()
  else if (!(cursor.words('alter', 'column') && cursor.peek()?.kind === 'number')) throw refused('ALTER INDEX of this form')
  return factsOf('ALTER INDEX')
}

function alterOwned(cursor: Cursor, kind: string): StatementFacts {
  const name = `ALTER ${kind.toUpperCase()}`
  cursor.words('if', 'exists')
  cursor.ownName()
  const drop = kind === 'domain' ? dropOfPart(cursor) : null
  if (drop) return drop
  cursor.parentheses()
  if (kind === 'sequence' && cursor.words('owned', 'by')) {
    if (!cursor.words('none')) cursor.ownColumn()
    cursor.end()
    return factsOf(name)
  }
  if (kind === 'sequence' && (cursor.words('set', 'logged') || cursor.words('set', 'unlogged'))) return factsOf(name)
  if (kind === 'domain' && cursor.words('add', 'constraint')) return factsOf(name, { runs: callsOf(cursor) })
  if (kind === 'statistics' && cursor.words('set', 'statistics')) return factsOf(name)
  if (kind === 'text search configuration' && cursor.words('add', 'mapping', 'for')) return factsOf(name)
  if (kind.endsWith('view') && !isWord(cursor.peek(), 'owner')) {
    checkTableAction(new Cursor(cursor.tokens.slice(cursor.at), cursor.schema))
    return factsOf(name)
  }
  return ownerChange(cursor, name)
}
