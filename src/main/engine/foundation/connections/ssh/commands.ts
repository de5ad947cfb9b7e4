import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ClientChannel } from 'ssh2'
import { AppError, cancelledError, throwIfCancelled, toAppError } from '#shared/errors.ts'
import { readableOf, writableOf } from './channels.ts'
import { connectionLost } from './errors.ts'
import type { Link } from './link.ts'
import { openChannel } from './open-channel.ts'
import { endByPid, pidTold, tellingPid, withoutPid } from './process-id.ts'
import { quoteCommand } from './quote.ts'
import type { RemoteProcess, RunOptions, RunResult } from './types.ts'

const MAX_OUTPUT = 1024 * 1024
const MAX_MESSAGES = 16 * 1024
const RUN_MS = 60_000

/** A command that can be ended for a reason, which its streams are told. */
export interface Running extends RemoteProcess {
  end(reason: AppError): void
}

/** Starts a command whose output is a stream. */
export async function startCommand(
  link: Link,
  place: string,
  command: readonly string[],
  signal?: AbortSignal,
): Promise<Running> {
  const line = quoteCommand(tellingPid(command))
  throwIfCancelled(signal)
  const { channel, exit } = await execute(link, place, line, signal)
  const pid = pidTold(channel)
  let reason: AppError | null = null
  const end = (error: AppError) => {
    if (reason) return
    reason = error
    void giveUp(link, channel, pid)
    settle()
  }
  let settle = () => {}
  let messages: Buffer = Buffer.alloc(0)
  channel.stderr.on('data', (chunk: Buffer) => {
    messages = Buffer.concat([messages, chunk]).subarray(-MAX_MESSAGES)
  })
  const ended = new Promise<RunResult>((resolve, reject) => {
    settle = () => {
      stop()
      signal?.removeEventListener('abort', abort)
      if (reason) reject(reason)
      else if (link.lost) reject(link.lost)
      else if (exit.code === undefined) reject(connectionLost(place, new Error('the server closed the channel')))
      else resolve({ code: exit.code, stdout: '', stderr: withoutPid(messages.toString('utf8')) })
    }
    const abort = () => end(cancelledError())
    const stop = link.onLost(() => settle())
    channel.once('close', () => settle())
    signal?.addEventListener('abort', abort, { once: true })
    if (signal?.aborted) abort()
  })
  // it is told to whoever asks for it, and to the streams
  ended.catch(() => {})
  const stdout = readableOf(channel, ended)
  stdout.once('close', () => {
    if (stdout.readableEnded) return
    // nobody reads the rest: the command must not wait for that, nor the end of one that has ended
    if (exit.code === undefined) end(cancelledError())
    else channel.resume()
  })
  return { stdout, stdin: writableOf(channel, ended), ended, end }
}

/** Runs a command to its end and hands back what it said. */
export async function runCommand(
  link: Link,
  place: string,
  command: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const { input, maxOutput = MAX_OUTPUT, timeoutMs = RUN_MS } = options
  const running = await startCommand(link, place, command, options.signal)
  const program = command[0] ?? ''
  const timer = timeoutMs === null ? undefined : setTimeout(() => running.end(tookTooLong(program, place, timeoutMs)), timeoutMs)
  try {
    const fed = feed(running, input)
    // it is waited for below, when what the command said was read
    fed.catch(() => {})
    const stdout = await readAll(running, maxOutput, () => outputTooLong(program, place, maxOutput))
    const result = await running.ended
    await fed
    return { ...result, stdout }
  } finally {
    clearTimeout(timer)
  }
}

async function feed(running: Running, input: Readable | string | undefined): Promise<void> {
  if (input === undefined || typeof input === 'string') {
    running.stdin.end(input ?? '')
    return
  }
  try {
    await pipeline(input, running.stdin)
  } catch (error) {
    // a command may end without reading all; what became of it is told by its code
    if ((error as NodeJS.ErrnoException).code === 'ERR_STREAM_PREMATURE_CLOSE') return
    // half of an input must not be taken for the whole
    running.end(toAppError(error))
    throw error
  }
}

async function readAll(running: Running, limit: number, tooLong: () => AppError): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of running.stdout as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > limit) {
      const error = tooLong()
      running.end(error)
      throw error
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** How a command ended; undefined: not yet. */
interface Exit {
  code: number | null | undefined
}

async function execute(
  link: Link,
  place: string,
  line: string,
  signal: AbortSignal | undefined,
): Promise<{ channel: ClientChannel; exit: Exit }> {
  const exit: Exit = { code: undefined }
  const channel = await openChannel<ClientChannel>(link, place, {
    ask(done) {
      link.client.exec(line, (error, opened) => {
        // a quick command may have ended in the very packet that says that it began: nothing waits for a promise then
        opened?.once('exit', (code: number | null) => {
          exit.code = code
        })
        done(error, opened)
      })
    },
    refused: (error) =>
      new AppError('command-refused', `${place} did not let a command be run: ${error.message}.`, {
        hint: 'The account may be limited to file transfers. Use one that may run commands.',
        details: { place },
        cause: error,
      }),
    discard: (late) => void giveUp(link, late, pidTold(late)),
    signal,
  })
  return { channel, exit }
}

/** Ends a command whose output nobody wants any more. */
async function giveUp(link: Link, channel: ClientChannel, pid: Promise<number | null>): Promise<void> {
  await endByPid(link, await pid)
  channel.close()
}

function tookTooLong(program: string, place: string, ms: number): AppError {
  return new AppError('command-timeout', `"${program}" on ${place} did not end within ${ms / 1000} s and was stopped.`, {
    hint: 'Look on the server at what holds it up.',
    details: { program, place, milliseconds: ms },
  })
}

function outputTooLong(program: string, place: string, bytes: number): AppError {
  return new AppError('output-too-long', `"${program}" on ${place} wrote more than ${bytes} bytes and was stopped.`, {
    details: { program, place, bytes },
  })
}
