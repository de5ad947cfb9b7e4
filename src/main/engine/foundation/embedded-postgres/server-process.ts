import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '#shared/errors.ts'
import { isAlive, type ProcessIdentity } from '../process-identity.ts'
import type { UsableBinaries } from './binaries.ts'
import type { Identity } from './unprivileged.ts'

const START_MS = 60_000
const FAST_STOP_MS = 20_000
const POLL_MS = 25

/** A port of 127.0.0.1 that nothing listens on right now. */
export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new AppError('no-port', 'This computer gives out no free port.')
  return address.port
}

/** Only what the programs need: the app's own environment may hold a passphrase. */
export function cleanEnvironment(extra: Record<string, string>): Record<string, string> {
  const kept = ['PATH', 'SystemRoot', 'SystemDrive', 'TEMP', 'TMP', 'TMPDIR'].flatMap((name): [string, string][] => {
    const value = process.env[name]
    return value === undefined ? [] : [[name, value]]
  })
  return { ...Object.fromEntries(kept), LC_ALL: 'C', TZ: 'UTC', ...extra }
}

/**
 * Makes an empty cluster in `data`. The locale is PostgreSQL's own C.UTF-8, which is the same on every system.
 * @param passwordFile holds the superuser's password; readable for `identity`
 * @throws AppError `embedded-init`
 */
export async function runInitdb(
  binaries: UsableBinaries,
  options: { data: string; superuser: string; passwordFile: string; identity: Identity | null; signal?: AbortSignal },
): Promise<void> {
  const args = ['-D', options.data, '-U', options.superuser, '-A', 'scram-sha-256', `--pwfile=${options.passwordFile}`]
  args.push('-E', 'UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--no-sync')
  const child = spawn(binaries.initdb, args, {
    ...options.identity,
    cwd: join(options.data, '..'),
    env: cleanEnvironment(binaries.env),
    stdio: ['ignore', 'ignore', 'pipe'],
    signal: options.signal,
    windowsHide: true,
  })
  let messages = ''
  child.stderr.on('data', (chunk: Buffer) => {
    messages = (messages + chunk.toString()).slice(-4000)
  })
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) {
    throw new AppError('embedded-init', `The embedded PostgreSQL could not make its database folder: ${lastLines(messages)}`, {
      hint: 'Is there enough room on the disk, and is the folder writable?',
      details: { folder: options.data, exitCode: code },
    })
  }
}

/** Settings of every cluster of ours: loopback only, no socket in a shared folder, small, silent about statements. */
function serverArguments(data: string, port: number, isScratch: boolean): string[] {
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '30',
    shared_buffers: '32MB',
    wal_level: 'minimal',
    max_wal_senders: '0',
    synchronous_commit: 'off',
    logging_collector: 'off',
    // a failing statement may hold a password
    log_min_error_statement: 'panic',
    log_statement: 'none',
    io_method: 'sync',
    timezone: 'UTC',
    ...(isScratch ? { fsync: 'off', full_page_writes: 'off' } : {}),
  }
  return ['-D', data, '-p', String(port), ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
}

/** A started server, still on its way up. */
export interface StartedServer {
  pid: number
  /** Resolves when it takes connections. @throws AppError `embedded-port` (taken meanwhile), `embedded-start` */
  ready(isReady: () => Promise<boolean>): Promise<void>
}

/** Starts the server detached: it outlives this program, and a Ctrl-C in the terminal does not reach it. */
export async function spawnServer(
  binaries: UsableBinaries,
  options: { data: string; log: string; port: number; isScratch: boolean; identity: Identity | null; signal?: AbortSignal },
): Promise<StartedServer> {
  const log = await open(options.log, 'w', 0o600)
  try {
    const child = spawn(binaries.postgres, serverArguments(options.data, options.port, options.isScratch), {
      ...options.identity,
      cwd: options.data,
      env: cleanEnvironment(binaries.env),
      stdio: ['ignore', log.fd, log.fd],
      detached: true,
      windowsHide: true,
    })
    let hasEnded = false
    child.once('exit', () => {
      hasEnded = true
    })
    await once(child, 'spawn')
    child.unref()
    const pid = child.pid
    if (pid === undefined) throw new AppError('embedded-start', 'The embedded PostgreSQL did not start.')
    return {
      pid,
      async ready(isReady) {
        for (const until = Date.now() + START_MS; Date.now() < until; await sleep(POLL_MS)) {
          options.signal?.throwIfAborted()
          if (await isReady()) return
          if (hasEnded) break
        }
        const messages = await readFile(options.log, 'utf8').catch(() => '')
        const isTaken = /could not bind|could not create any TCP/.test(messages)
        throw new AppError(
          isTaken ? 'embedded-port' : 'embedded-start',
          `The embedded PostgreSQL did not start: ${lastLines(messages)}`,
          {
            hint: 'The log named in the details says more.',
            details: { log: options.log },
          },
        )
      },
    }
  } finally {
    await log.close()
  }
}

/**
 * Stops a server: open connections are ended and the data is written ("fast"); when that takes too long, at once.
 * @param isThrownAway skips writing the data
 */
export async function stopServer(postmaster: ProcessIdentity, isThrownAway: boolean): Promise<void> {
  const attempts: [NodeJS.Signals, number][] = isThrownAway ? [] : [['SIGINT', FAST_STOP_MS]]
  attempts.push(['SIGQUIT', 5000], ['SIGKILL', 5000])
  for (const [signal, patience] of attempts) {
    if (!isAlive(postmaster)) return
    try {
      // Windows knows no such signals: there each of them ends the process, and the next start recovers from the log
      process.kill(postmaster.pid, process.platform === 'win32' ? 'SIGTERM' : signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
    for (const until = Date.now() + patience; Date.now() < until; await sleep(POLL_MS)) {
      if (!isAlive(postmaster)) return
    }
  }
  throw new AppError('embedded-stop', `The embedded PostgreSQL (process ${postmaster.pid}) could not be stopped.`, {
    hint: 'End it by hand, then try again.',
    details: { pid: postmaster.pid },
  })
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-3).join(' ').slice(-600) || 'it gave no reason.'
}
