import { AppError } from '#shared/errors.ts'

/** Where in a script something stands. */
export interface ScriptPlace {
  /** From 1. */
  line: number
  /** Bytes from the start of the plain script. */
  offset: number
}

/** Something in a script that no dump of pg_dump has. */
export function scriptError(code: string, what: string, place: ScriptPlace): AppError {
  return new AppError(code, `Line ${place.line} of the dump: ${what}. The dump was not taken further.`, {
    hint: 'Choose another backup. If this one was changed by hand, make a fresh one on the server.',
    details: { line: place.line, offset: place.offset },
  })
}

/** The script ends where no whole dump ends. */
export function cutError(where: string, place: ScriptPlace): AppError {
  return new AppError('dump-cut', `The dump is cut: it ends ${where} (line ${place.line}).`, {
    hint: 'Choose another backup, or another copy of this one.',
    details: { line: place.line, offset: place.offset },
  })
}
