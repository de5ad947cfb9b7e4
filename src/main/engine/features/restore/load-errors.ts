import { AppError, cancelledError, isCancelled, toAppError } from '#shared/errors.ts'
import type { StatementFacts } from './allow-list/facts.ts'
import type { ScriptPlace } from './script/errors.ts'

const SHOWN = 200
const AROUND = 60

/** Closes every error text of the loader: it rolls back whatever it did. */
export const UNCHANGED = 'The live database is exactly as before.'

/** What failed. */
export interface FailedStatement {
  facts?: StatementFacts
  text: string
  /** null: it is none of the dump's. */
  place: ScriptPlace | null
}

/** A statement that the server refused. Values of rows are left out: they may be secret. */
export function statementFailed(error: unknown, { facts, text, place }: FailedStatement): AppError {
  const answer = error as { message: string; code?: string; where?: string; position?: string; severity?: string }
  if (answer.severity === undefined || answer.severity === 'FATAL') return connectionLost(answer, place)
  const row = /^COPY [^\n]*?, line (\d+)/m.exec(answer.where ?? '')?.[1]
  const what = facts ? `${facts.name}${facts.table === undefined ? '' : ` "${facts.table}"`}` : 'A constraint at the end'
  const message = withoutValues(answer.message, answer.code ?? '')
  const where = place ? ` (line ${place.line} of the dump${row ? `, row ${row} of the table` : ''})` : ''
  return new AppError('statement-failed', `${what} failed${where}: ${message}.`, {
    hint: hintFor(answer.code ?? ''),
    details: {
      ...(place ? { line: place.line } : {}),
      kind: facts?.name ?? null,
      statement: shownStatement(text, facts, Number(answer.position ?? 0)),
      system: answer.code ?? null,
      server: message,
      ...(row ? { row: Number(row) } : {}),
    },
  })
}

/** Sentences for what an operator can do something about. By SQLSTATE. */
function hintFor(code: string): string {
  if (code === '53100') return 'The database server has no space left: make some, then run it again.'
  if (code === '42501') return 'The database user lacks a right: give it, or connect as another user.'
  if (code === '42704' || code === '3F000' || code === '42883' || code === '42P01') {
    return 'The database lacks something that the dump needs: a role, an extension, a type. The plan’s checks tell what.'
  }
  if (code.startsWith('42') || code === '0A000' || code === '22023') {
    return 'Was the dump made by a newer PostgreSQL? Then a server of that version can load it.'
  }
  if (code.startsWith('22') || code.startsWith('23')) return 'The backup’s data break its own rules. Choose another backup.'
  return 'The plan’s checks tell what the database lacks: a role, an extension, a right.'
}

/** Words before a quoted name in messages of PostgreSQL; whatever else is quoted may be a value. */
const NAMED = /(?:column|relation|table|constraint|type|encoding|index|domain|enum|role|schema|function|trigger|parameter) $/

/** A server's message without values of rows, which are in those of data and of functions. */
function withoutValues(message: string, code: string): string {
  if (code.startsWith('P0')) return 'a function of the dump raised an error'
  if (!/^(?:22|23|XX)/.test(code)) return message
  let shown = ''
  let at = 0
  for (const { index, 0: quoted } of message.matchAll(/"(?:[^"]|"")*"?/gs)) {
    shown += message.slice(at, index) + (NAMED.test(message.slice(0, index)) ? quoted : '"…"')
    at = index + quoted.length
  }
  return shown + message.slice(at)
}

/** The part of a statement that tells what it is, without the values of rows. */
function shownStatement(text: string, facts: StatementFacts | undefined, position: number): string {
  if (facts?.name === 'INSERT') return text.slice(0, Math.max(0, text.search(/\bvalues\b/i))).slice(0, SHOWN)
  const one = (part: string) => part.replace(/\s+/g, ' ').trim()
  if (position <= SHOWN) return one(text.slice(0, SHOWN))
  return `${one(text.slice(0, AROUND))} … ${one(text.slice(position - 1 - AROUND, position - 1 + AROUND))}`
}

/** The connection to the database ended, or the server ended it. @param place what it was at; null: none of the dump */
export function connectionLost({ message, code }: { message: string; code?: string }, place: ScriptPlace | null): AppError {
  const where = place ? ` at line ${place.line} of the dump` : ''
  return new AppError('connection-lost', `The connection to the database was lost${where}: ${message.replace(/\.$/, '')}.`, {
    hint: 'See whether the database server runs and can be reached, then run it again.',
    details: { system: code ?? null, ...(place ? { line: place.line } : {}) },
  })
}

/** The server is not where a load keeps it. @param after a line of the dump, or what was done */
export function transactionEnded(after: string | number): AppError {
  const what = typeof after === 'number' ? `line ${after} of the dump` : after
  return new AppError('transaction-ended', `The server left the transaction after ${what}; the load was stopped at once.`, {
    hint: 'Such a dump must not be loaded. Choose another backup.',
    details: { after },
  })
}

/** Functions of a dump would run with all rights. @param runs one of them */
export function runsAsSuperuser(runs: string, user: string, { line }: ScriptPlace): AppError {
  const what = `Line ${line} of the dump makes the database run ${runs} while it is loaded`
  return new AppError('superuser-functions', `${what}, and "${user}" may do anything on the database server.`, {
    hint: 'Connect as a role without superuser rights that owns the site’s schema, or which may create one.',
    details: { line, function: runs },
  })
}

/** Any error of a load, with what stays intact. */
export function asLoadError(error: unknown, signal: AbortSignal): AppError {
  // a cancel in the moment of COMMIT is no cancel when the server may have committed
  if (error instanceof AppError && error.code === 'commit-unknown') return error
  if (signal.aborted || isCancelled(error)) return cancelledError()
  const known = toAppError(error)
  if (known.message.includes(UNCHANGED)) return known
  const message = /[.!]$/.test(known.message) ? known.message : `${known.message}.`
  return new AppError(known.code === 'internal' ? 'load-failed' : known.code, `${message} ${UNCHANGED}`, {
    hint: known.hint,
    details: known.details,
    cause: error,
  })
}
