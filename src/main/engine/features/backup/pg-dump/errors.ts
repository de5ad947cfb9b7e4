import type { LockHolder } from '#engine/foundation/connections/lock-holders.ts'
import { AppError } from '#shared/errors.ts'
import { lockedError, permissionError } from '../dump/errors.ts'
import type { PgDumpTool } from './find.ts'

/** `pg-dump-missing`: none of this computer, or all too old. */
export function missingError(serverMajor: number, found: readonly PgDumpTool[]): AppError {
  const seen =
    found.length > 0
      ? `Too old for it: ${found.map(({ version, path }) => `${version} (${path})`).join(', ')}.`
      : 'None was found on PATH and where installers put it.'
  return new AppError(
    'pg-dump-missing',
    `Dumping this database with pg_dump needs version ${serverMajor} or later on this computer. ${seen} Nothing was written.`,
    {
      hint: `${installHint(serverMajor)} Or choose "auto" as the site’s dump engine.`,
      details: { serverMajor, found: found.map((tool) => ({ ...tool })) },
    },
  )
}

/** Where to get a pg_dump of that version. */
export function installHint(serverMajor: number): string {
  return `Install the PostgreSQL ${serverMajor} client programs (Debian and Ubuntu: apt-get install postgresql-client-${serverMajor}; macOS: brew install postgresql@${serverMajor}; Windows: the installer of postgresql.org), then run it again.`
}

/** How pg_dump ended, when it did not end well. */
export interface Ending {
  code: number | null
  signal: string | null
  /** What it wrote to standard error, cut. */
  messages: string
  /** Set when it could not be started at all. */
  spawnError?: Error
}

/** What pg_dump's ending means: `database-locked`, `dump-permission`, `database-lost`, `dump-failed`. */
export function endingError(
  tool: PgDumpTool,
  ending: Ending,
  about: { schema: string; user: string; lockWaitMs: number; holders: LockHolder[] },
): AppError {
  const { code, signal, messages, spawnError } = ending
  if (/canceling statement due to (lock|statement) timeout/.test(messages)) {
    return lockedError(`schema "${about.schema}"`, about.lockWaitMs, about.holders)
  }
  const denied = [...messages.matchAll(/(permission denied for [^\n]+)/g)].map((match) => match[1] ?? '')
  if (denied.length > 0) return permissionError(about.user, [...new Set(denied)])
  const details = { tool: tool.path, version: tool.version, exitCode: code, signal, messages }
  const quoted = messages ? ` It said: ${messages}` : ''
  if (spawnError) {
    return new AppError('dump-failed', `${tool.path} could not be started: ${spawnError.message}. Nothing was written.`, {
      hint: 'Check the program, or choose "auto" as the site’s dump engine.',
      details,
      cause: spawnError,
    })
  }
  if (
    /server closed the connection|terminating connection|could not (connect|receive|send)|connection to server .* (failed|was lost)|SSL SYSCALL/.test(
      messages,
    )
  ) {
    return new AppError('database-lost', `pg_dump lost the connection to PostgreSQL.${quoted}`, {
      hint: 'The backup was not finished; earlier backups are unchanged. Try again when the server is back.',
      details,
    })
  }
  const how = signal ? `was ended by ${signal}` : code === 0 ? 'ended without its completion line' : `ended with code ${code}`
  return new AppError('dump-failed', `pg_dump ${tool.version} ${how}.${quoted}`, {
    hint: 'The backup was not finished; earlier backups are unchanged.',
    details,
  })
}
