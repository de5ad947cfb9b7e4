import { isSymbol, isWord } from '../script/sql-tokens.ts'
import { type Cursor, findOuterWord, refused } from './cursor.ts'
import { factsOf, type StatementFacts } from './facts.ts'

/** `COPY schema.table (columns) FROM stdin`, without options. */
export function checkCopy(cursor: Cursor): StatementFacts {
  const label = copyLabel(cursor)
  if (label !== null) throw refused(`${label} is not allowed`)
  const table = cursor.ownName()
  const columns = columnList(cursor)
  if (!cursor.words('from', 'stdin')) throw refused('COPY is allowed from the dump itself only')
  cursor.end()
  return factsOf('COPY', { action: 'copy', table, ...(columns ? { columns } : {}) })
}

/** Names the kinds of COPY that read or write elsewhere. */
function copyLabel({ tokens }: Cursor): string | null {
  const has = (word: string) => findOuterWord(tokens, 0, word) >= 0
  if (has('program')) return `COPY … ${has('to') ? 'TO' : 'FROM'} PROGRAM`
  if (has('to')) return 'COPY … TO'
  return isSymbol(tokens[1], '(') ? 'COPY of a query' : null
}

function columnList(cursor: Cursor): string[] | null {
  if (!cursor.symbol('(')) return null
  const columns: string[] = []
  do {
    const name = cursor.name()
    if (name === null) throw refused('a list of columns that can’t be read')
    columns.push(name)
  } while (cursor.symbol(','))
  if (!cursor.symbol(')')) throw refused('a list of columns that can’t be read')
  return columns
}

/** `INSERT INTO schema.table VALUES (literals), …`: what pg_dump --inserts writes; nothing in it is computed. */
export function checkInsert(cursor: Cursor): StatementFacts {
  if (!cursor.words('into')) throw refused('INSERT without INTO')
  const table = cursor.ownName()
  const columns = columnList(cursor)
  if (cursor.words('default', 'values')) {
    cursor.end()
    return factsOf('INSERT', { table, rows: 1 })
  }
  cursor.words('overriding', 'system', 'value')
  if (!cursor.words('values')) throw refused('INSERT of anything but values')
  let rows = 0
  do {
    row(cursor)
    rows += 1
  } while (cursor.symbol(','))
  cursor.words('on', 'conflict', 'do', 'nothing')
  cursor.end()
  return factsOf('INSERT', { table, rows, ...(columns ? { columns } : {}) })
}

function row(cursor: Cursor): void {
  if (!cursor.symbol('(')) throw refused('INSERT of anything but values')
  do {
    cursor.symbol('-')
    const token = cursor.peek()
    const isLiteral = token?.kind === 'string' || token?.kind === 'number' || isWord(token, 'null', 'true', 'false', 'default')
    if (!isLiteral) throw refused('INSERT of a value that is computed')
    cursor.at += 1
  } while (cursor.symbol(','))
  if (!cursor.symbol(')')) throw refused('INSERT of a value that is computed')
}
