import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { watchLockHolders } from '#engine/foundation/connections/lock-holders.ts'
import type { PostgresConnection } from '#engine/foundation/connections/postgres.ts'
import { cancelledError } from '#shared/errors.ts'
import { LOCK_WAIT_MS } from '../dump/errors.ts'
import { pgDumpEnvironment, type Surroundings } from './environment.ts'
import { type Ending, endingError } from './errors.ts'
import type { PgDumpTool } from './find.ts'

const COMPLETION_LINE = '\n-- PostgreSQL database dump complete'
/** The line stands within the last bytes; newer versions put `\unrestrict` after it. */
const TAIL_BYTES = 1024
/** The first messages name the cause. */
const MESSAGE_BYTES = 4096
/** How long a pg_dump that was asked to end may take. */
const GRACE_MS = 3000

export interface RunOptions {
  connection: PostgresConnection
  schema: string
  signal?: AbortSignal
  /** How long to wait for whoever changes the form of a table; default 30,000 ms. */
  lockWaitMs?: number
  /** Called for each piece with the bytes added by it. */
  onProgress?: (bytes: number) => void
}

/**
 * The output of pg_dump as a stream. It ends only when the program ended with code 0 and its completion line came; any
 * error destroys it with an AppError. Destroying it ends the program, and with it the server's backend.
 */
export function streamPgDump(tool: PgDumpTool, options: RunOptions, surroundings: Surroundings): Readable {
  const { connection, schema, signal, lockWaitMs = LOCK_WAIT_MS } = options
  const program = `Backup Desk pg_dump ${randomBytes(6).toString('hex')}`
  const child = spawn(tool.path, pgDumpArguments(schema, lockWaitMs), {
    env: pgDumpEnvironment(connection, program, surroundings),
    stdio: ['ignore', 'pipe', 'pipe'],
    windowsHide: true,
  })
  const ended = endingOf(child)
  const watch = watchLockHolders(connection, { program })
  const stream = Readable.from(read(), { objectMode: false, highWaterMark: 256 * 1024 })

  const stop = () => endChild(child)
  const cancel = () => {
    stop()
    stream.destroy(cancelledError())
  }
  signal?.addEventListener('abort', cancel, { once: true })
  stream.once('close', () => {
    signal?.removeEventListener('abort', cancel)
    stop()
    void watch.stop()
  })
  // an abort may come before anybody reads it
  stream.on('error', () => {})
  if (signal?.aborted) cancel()
  return stream

  async function* read(): AsyncGenerator<Buffer, void, void> {
    let tail: Buffer = Buffer.alloc(0)
    let isFirst = true
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      // its first bytes come when all tables are locked
      if (isFirst) void watch.stop()
      isFirst = false
      tail = chunk.length >= TAIL_BYTES ? chunk.subarray(-TAIL_BYTES) : Buffer.concat([tail, chunk]).subarray(-TAIL_BYTES)
      options.onProgress?.(chunk.length)
      yield chunk
    }
    const ending = await ended
    await watch.stop()
    if (signal?.aborted) throw cancelledError()
    if (ending.code === 0 && tail.toString('latin1').includes(COMPLETION_LINE)) return
    throw endingError(tool, ending, { schema, user: connection.user, lockWaitMs, holders: watch.holders() })
  }
}

/** The schema's name stands in double quotes, in which nothing is a pattern. Host, user and password are in the environment. */
function pgDumpArguments(schema: string, lockWaitMs: number): string[] {
  return [
    '--format=plain',
    '--quote-all-identifiers',
    '--no-password',
    `--lock-wait-timeout=${lockWaitMs}`,
    `--schema="${schema.replaceAll('"', '""')}"`,
  ]
}

type Child = ChildProcessByStdio<null, Readable, Readable>

/** Resolves when the program is gone and all that it wrote was read. */
function endingOf(child: Child): Promise<Ending> {
  let messages = ''
  let spawnError: Error | undefined
  child.stderr.setEncoding('utf8')
  child.stderr.on('data', (text: string) => {
    if (messages.length < MESSAGE_BYTES) messages = (messages + text).slice(0, MESSAGE_BYTES)
  })
  child.once('error', (error) => {
    spawnError ??= error
  })
  return new Promise((resolve) => {
    child.once('close', (code, signal) =>
      resolve({ code, signal, messages: messages.trim(), ...(spawnError ? { spawnError } : {}) }),
    )
  })
}

/** pg_dump asks the server to stop and ends when it gets the signal; one that does not is ended for it. */
function endChild(child: Child): void {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  child.kill('SIGTERM')
  // nobody reads any more, and it must not hang in writing
  child.stdout.destroy()
  const timer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS)
  child.once('exit', () => clearTimeout(timer))
}
