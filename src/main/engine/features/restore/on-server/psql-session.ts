import { randomBytes } from 'node:crypto'
import { StringDecoder } from 'node:string_decoder'
import { setTimeout as sleep } from 'node:timers/promises'
import { type QuerySession, quoteLiteral } from '#engine/foundation/connections/postgres.ts'
import { databaseArgument, PASSWORD_AND_NAME } from '#engine/foundation/connections/ssh/postgres-programs.ts'
import type { RemoteProcess, SshConnection } from '#engine/foundation/connections/ssh/types.ts'
import { AppError, cancelledError } from '#shared/errors.ts'
import type { Site } from '#shared/model/site.ts'
import { psqlEnded } from './psql-messages.ts'
import { knowsRestrict, type PsqlProgram } from './psql-program.ts'

const MAX_ANSWER = 16 * 1024 * 1024
const END_MS = 5_000
/** The dump, as psql sees it. */
const DUMP = '/dev/fd/3'

/**
 * Starts psql, which is told on its standard input what to do, and has an unpacked dump ready for it at another descriptor. Only when the
 * whole file was unpacked without an error does a last line say so, which psql says on when it runs it: as a command of its own, not
 * inside of rows or of a text.
 */
const START = `${PASSWORD_AND_NAME}
dump=$1 mark=$2 key=$3
shift 3
[ -n "$dump" ] || exec "$@"
exec 4<&0
{
  exec 4<&-
  [ -z "$key" ] || printf '\\\\restrict %s\\n' "$key"
  sh -c 'echo "$$" >"$1.pid" && exec gzip -dc <"$1"' sh "$dump" || exit
  [ -z "$key" ] || printf '\\n\\\\unrestrict %s\\n' "$key"
  printf '\\n\\\\echo %s\\n' "$mark"
} | "$@" 3<&0 0<&4 4<&-`

export interface PsqlOptions {
  server: SshConnection
  psql: PsqlProgram
  /** As the site's settings have it: as the server sees it. */
  database: Site['database']
  password: string | undefined
  /** A gzip file on the server for `runDump`. */
  dump?: { path: string; isRestricted: boolean } | undefined
  signal: AbortSignal
}

/** A session of the database that psql leads on a server, told step by step what to do. Nothing but it ever sends COMMIT. */
export class PsqlSession implements QuerySession {
  readonly #child: RemoteProcess
  readonly #mark: string
  readonly #place: string
  readonly #ending: AbortController
  #count = 0
  #isUnpacked = false
  #waiting: { mark: string; lines: string[]; size: number; resolve(lines: string[]): void; reject(error: Error): void } | null =
    null
  #failure: Error | null = null

  private constructor(child: RemoteProcess, mark: string, place: string, ending: AbortController) {
    this.#child = child
    this.#mark = mark
    this.#place = place
    this.#ending = ending
    void this.#listen()
  }

  /** @throws AppError `cancelled`, those of SSH; what hinders psql shows at the first question */
  static async open({ server, psql, database, password, dump, signal }: PsqlOptions): Promise<PsqlSession> {
    const mark = `backup-desk-${randomBytes(12).toString('hex')}`
    const { host, port, user } = database
    const key = dump && !dump.isRestricted && knowsRestrict(psql) ? randomBytes(16).toString('hex') : ''
    const command = [
      ...[psql.path, '--no-psqlrc', '--quiet', '--no-align', '--tuples-only', '--no-password'],
      ...['--set=ON_ERROR_STOP=1', '--set=VERBOSITY=verbose'],
      ...[`--host=${host}`, `--port=${port}`, `--username=${user}`, databaseArgument(database.database)],
    ]
    const about = ['Backup Desk psql', database.tls, dump?.path ?? '', mark, key]
    const ending = new AbortController()
    const stop = () => ending.abort()
    if (signal.aborted) throw cancelledError()
    signal.addEventListener('abort', stop, { once: true })
    const child = await server.start(['sh', '-c', START, 'sh', ...about, ...command], ending.signal)
    child.ended.catch(() => {}).finally(() => signal.removeEventListener('abort', stop))
    child.stdin.on('error', () => {})
    child.stdin.write(`${password ?? ''}\n`)
    return new PsqlSession(child, mark, server.place, ending)
  }

  /** One at a time. @throws PsqlAnswer what the server refused; after that, and any other error, psql is gone */
  async query<R>(text: string, values: unknown[] = []): Promise<{ rows: R[] }> {
    const sql = text.replace(/\$(\d+)/g, (_, number) => literalOf(values[Number(number) - 1]))
    if (!/^\s*(?:SELECT|WITH)\b/i.test(sql)) {
      await this.#run(`${sql};`)
      return { rows: [] }
    }
    const lines = await this.#run(`SELECT pg_catalog.json_agg(pg_catalog.row_to_json(q)) FROM (\n${sql}\n) q;`)
    const answer = lines.join('\n')
    return { rows: answer.trim() === '' ? [] : (JSON.parse(answer) as R[]) }
  }

  /** Runs the whole dump. @returns false: it was not unpacked to its end */
  async runDump(): Promise<boolean> {
    await this.#run('\\o /dev/null')
    await this.#run(`\\i ${DUMP}`)
    await this.#run('\\o')
    return this.#isUnpacked
  }

  /** Ends psql, if need be after some seconds by force; without COMMIT that is a rollback. */
  async close(): Promise<void> {
    this.#child.stdin.end()
    const isOver = this.#child.ended.then(
      () => true,
      () => true,
    )
    if (!(await Promise.race([isOver, sleep(END_MS, false, { ref: false })]))) this.#ending.abort()
  }

  #run(command: string): Promise<string[]> {
    if (this.#failure) return Promise.reject(this.#failure)
    if (this.#waiting) return Promise.reject(new AppError('internal', 'A session was asked two things at once.'))
    this.#count += 1
    const mark = `${this.#mark}-${this.#count}`
    return new Promise((resolve, reject) => {
      this.#waiting = { mark, lines: [], size: 0, resolve, reject }
      this.#child.stdin.write(`${command}\n\\echo ${mark}\n`)
    })
  }

  async #listen(): Promise<void> {
    try {
      const decoder = new StringDecoder('utf8')
      let rest = ''
      for await (const chunk of this.#child.stdout as AsyncIterable<Buffer>) {
        const lines = (rest + decoder.write(chunk)).split('\n')
        rest = lines.pop() ?? ''
        if (rest.length > MAX_ANSWER) throw this.#tooMuch()
        for (const line of lines) this.#hear(line)
      }
      this.#fail(psqlEnded(await this.#child.ended, this.#place, DUMP))
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  #hear(line: string): void {
    const waiting = this.#waiting
    if (line === this.#mark) this.#isUnpacked = true
    else if (line === waiting?.mark) {
      this.#waiting = null
      waiting.resolve(waiting.lines)
    } else if (waiting) {
      waiting.size += line.length
      if (waiting.size > MAX_ANSWER) throw this.#tooMuch()
      waiting.lines.push(line)
    }
  }

  #tooMuch(): AppError {
    return new AppError('output-too-long', `psql on ${this.#place} said too much and was stopped.`)
  }

  #fail(error: Error): void {
    this.#failure = error
    this.#waiting?.reject(error)
    this.#waiting = null
  }
}

/** A value in the text form that the server reads as whatever type stands there. */
function literalOf(value: unknown): string {
  if (value === null || value === undefined) return 'NULL'
  if (!Array.isArray(value)) return quoteLiteral(String(value))
  const items = value.map((item) => `"${String(item).replace(/["\\]/g, '\\$&')}"`)
  return quoteLiteral(`{${items.join(',')}}`)
}
