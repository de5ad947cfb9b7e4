import { AppError } from '#shared/errors.ts'

/**
 * An argument list as one command line of a POSIX shell, in which nothing of an argument means anything to the shell. This is
 * the one place where commands for a server are quoted.
 * @throws AppError `bad-command`: no program, or a NUL, which no argument can hold
 */
export function quoteCommand(command: readonly string[]): string {
  requireCommand(command)
  return command.map(quoteWord).join(' ')
}

/** @throws AppError `bad-command` */
export function requireCommand(command: readonly string[]): void {
  if (command.length === 0 || command[0] === '' || command.some((word) => word.includes('\0'))) {
    throw new AppError('bad-command', 'This is no command that a server could run. Nothing was run.')
  }
}

function quoteWord(word: string): string {
  // no = here: NAME=VALUE in front would be an assignment
  if (/^[\w@%+:,./-]+$/.test(word)) return word
  return `'${word.replaceAll("'", "'\\''")}'`
}
