import { AppError, cancelledError, isCancelled, toAppError } from '#shared/errors.ts'
import type { ScriptPlace } from './script/errors.ts'

const SHOWN = 200

/** Closes every error text of the loader: it rolls back whatever it did. */
export const UNCHANGED = 'The live database is exactly as before.'

/** A statement that the server refused. Values of rows are left out: they may be secret. */
export function statementFailed(error: unknown, text: string, place: ScriptPlace): AppError {
  const { message, code, where } = error as { message: string; code?: string; where?: string }
  const row = /^COPY [^\n]*?, line (\d+)/.exec(where ?? '')?.[1]
  return new AppError(
    'statement-failed',
    `Line ${place.line} of the dump failed: ${message}${row ? ` (row ${row} of the table)` : ''}.`,
    {
      hint: 'The plan’s checks tell what the database lacks: a role, an extension, a right.',
      details: {
        line: place.line,
        statement: shownStatement(text),
        system: code ?? null,
        server: message,
        ...(row ? { row: Number(row) } : {}),
      },
      cause: error,
    },
  )
}

/** The beginning of a statement, without the values of rows. */
export function shownStatement(text: string): string {
  const values = /^insert\b/i.test(text) ? text.search(/\bvalues\b/i) : -1
  return (values >= 0 ? text.slice(0, values) : text).replace(/\s+/g, ' ').slice(0, SHOWN)
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
