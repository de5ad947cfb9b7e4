import type { RunResult } from '#engine/foundation/connections/ssh/types.ts'
import { AppError } from '#shared/errors.ts'

const SHOWN = 500

/** `psql:/dev/fd/3:17: ERROR:  23505: duplicate key value …`, in whatever language the server speaks. */
const ANSWER = /^(?:psql:(.*?):(\d+): )?[^\s:]+:\s+([0-9A-Z]{5}): ([^\n]*)$/m
/** What psql, gzip and the shell say of themselves; all else may have values of rows. */
const OWN = /^(?:psql|gzip|sh|\/\S+)(?::| \d+:)/

/** What the database server answered to something that psql sent; the fields are those of an error of `pg`. */
export class PsqlAnswer extends Error {
  /** SQLSTATE. */
  readonly code: string
  readonly severity: 'ERROR' | 'FATAL'
  /** Its first line: `COPY rsc, line 12, column id: …`. */
  readonly where: string
  /** Line of the dump that psql was at; null: it was none of the dump's. */
  readonly line: number | null

  constructor(message: string, facts: { code: string; where: string; line: number | null }) {
    super(message)
    this.code = facts.code
    this.severity = /^(?:57P|08)/.test(facts.code) ? 'FATAL' : 'ERROR'
    this.where = facts.where
    this.line = facts.line
  }
}

/**
 * Why a psql ended before it was told to: an answer of the database server, else AppError `dump-cut` or `psql-failed`.
 * @param dump the name under which psql reads the dump
 */
export function psqlEnded({ code, stderr }: Pick<RunResult, 'code' | 'stderr'>, place: string, dump: string): Error {
  const unpacking = /^gzip: .*/m.exec(stderr)?.[0]
  // psql has run what it had of a statement by then
  if (unpacking !== undefined) return dumpCutThere(unpacking)
  const found = ANSWER.exec(stderr)
  if (found) {
    const [, file, line, sqlstate = '', message = ''] = found
    const where = /^\S+:\s+(COPY [^\n]*)$/m.exec(stderr.slice(found.index + found[0].length))?.[1] ?? ''
    return new PsqlAnswer(message, { code: sqlstate, where, line: file === dump ? Number(line) : null })
  }
  const own = stderr.split('\n').filter((line) => OWN.test(line))
  const said = own.join(' ').slice(-SHOWN)
  const how = code === null ? 'was ended' : `ended with code ${code}`
  return new AppError('psql-failed', `psql on ${place} ${how}.${said ? ` It said: ${said}` : ''}`, {
    hint: 'Load the database from this computer instead.',
    details: { exitCode: code, place },
  })
}

/** The dump was not unpacked to its end. @param said what the unpacking program said */
export function dumpCutThere(said?: string): AppError {
  return new AppError('dump-cut', `The dump could not be unpacked to its end on the server.${said ? ` It said: ${said}` : ''}`, {
    hint: 'Is the server’s disk full or damaged? Try again, or load the database from this computer instead.',
  })
}
