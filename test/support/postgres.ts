import { execFile, spawn } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { chmod, chown, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { createGunzip } from 'node:zlib'
import pg from 'pg'
import type { PostgresConnection } from '#engine/foundation/connections/postgres.ts'

/** A throw-away PostgreSQL 15 with Debian's `psql` and `pg_dump`, as a Zotonic server has it. */
export interface Postgres15 {
  readonly host: string
  readonly port: number
  /** The superuser. */
  readonly user: string
  readonly password: string
  /** The folder of its Unix socket, when it was asked for one. */
  readonly socketFolder: string
  /** As the superuser; `user: 'zotonic'` for the role that a site has (password the same). */
  connection(database?: string, user?: string): PostgresConnection
  /** Made fresh, empty, owned by `zotonic`. */
  createDatabase(name: string): Promise<void>
  /**
   * `psql -X -v ON_ERROR_STOP=1` with the given SQL on its standard input, or of a file when it is `{ file }`
   * (`.gz` is unpacked). Resolves with what psql prints; rejects with its messages.
   */
  psql(database: string, script: string | { file: string }, user?: string): Promise<string>
  /** `pg_dump` with these arguments; resolves with its standard output. */
  pgDump(database: string, args?: string[], user?: string): Promise<string>
  stop(): Promise<void>
}

/** Names the folder that the clusters of a run have in common; see `postgres-template.ts`. */
export const POSTGRES_TEMPLATE = 'BACKUP_DESK_TEST_POSTGRES'

const BIN = process.env.POSTGRES15_BIN ?? '/usr/lib/postgresql/15/bin'
const run = promisify(execFile)

/**
 * Starts a cluster of its own in a temporary folder, on a free port of 127.0.0.1. PostgreSQL refuses to run as
 * root, so root hands it to the user `postgres`. Call `stop()` when done.
 * @param options.hasSocket it listens on a Unix socket too, in `socketFolder`
 */
export async function startPostgres15(options: { hasSocket?: boolean } = {}): Promise<Postgres15> {
  if (!existsSync(join(BIN, 'initdb'))) {
    throw new Error(
      `These tests need PostgreSQL 15 (no ${BIN}/initdb here). On Debian 12: apt-get install postgresql-15 postgresql-client-15`,
    )
  }
  const identity = await unprivileged()
  const folder = await mkdtemp(join(tmpdir(), 'backup-desk-pg15-'))
  await chmod(folder, 0o700)
  if (identity) await chown(folder, identity.uid, identity.gid)
  const data = join(folder, 'data')
  const surroundings: Surroundings = { ...identity, cwd: folder, env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8' } }
  const password = await makeData(data, surroundings)
  const port = await freePort()
  const server = spawn(
    join(BIN, 'postgres'),
    [
      '-D',
      data,
      '-p',
      String(port),
      '-c',
      'listen_addresses=127.0.0.1',
      '-c',
      `unix_socket_directories=${options.hasSocket ? folder : ''}`,
    ]
      .concat(['-c', 'fsync=off', '-c', 'full_page_writes=off', '-c', 'shared_buffers=32MB', '-c', 'max_connections=40'])
      .concat(['-c', 'logging_collector=off', '-c', 'timezone=UTC']),
    { ...surroundings, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let messages = ''
  server.stderr.on('data', (chunk: Buffer) => {
    messages = (messages + chunk.toString()).slice(-20_000)
  })
  const exited = new Promise<void>((resolve) => server.once('exit', () => resolve()))
  const stop = async () => {
    if (server.exitCode === null && server.signalCode === null) {
      // immediate: the data is thrown away anyway
      server.kill('SIGQUIT')
      await exited
    }
    await rm(folder, { recursive: true, force: true })
  }
  // a test run that ends early takes its server along
  process.once('exit', () => server.kill('SIGQUIT'))

  const connection = (database = 'postgres', user = 'postgres'): PostgresConnection => ({
    host: '127.0.0.1',
    port,
    database,
    user,
    password,
    tls: 'disable',
  })
  const query = async (sql: string, attempts = 1): Promise<void> => {
    for (let attempt = 1; ; attempt++) {
      const client = new pg.Client({ host: '127.0.0.1', port, user: 'postgres', password, database: 'postgres' })
      client.on('error', () => {})
      try {
        await client.connect()
        await client.query(sql)
        return
      } catch (error) {
        if (attempt >= attempts || server.exitCode !== null) throw new Error(`${String(error)}\n${messages}`)
        await new Promise((resolve) => setTimeout(resolve, 100))
      } finally {
        await client.end().catch(() => {})
      }
    }
  }
  try {
    await query(`CREATE ROLE zotonic LOGIN CREATEDB PASSWORD '${password}'`, 600)
  } catch (error) {
    await stop()
    throw error
  }
  const clientEnv = (user: string) => ({
    ...process.env,
    PGHOST: '127.0.0.1',
    PGPORT: String(port),
    PGUSER: user,
    PGPASSWORD: password,
    PGCLIENTENCODING: 'UTF8',
  })
  return {
    host: '127.0.0.1',
    port,
    user: 'postgres',
    password,
    socketFolder: folder,
    connection,
    async createDatabase(name) {
      await query(`CREATE DATABASE "${name}" OWNER zotonic TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'`)
    },
    psql(database, script, user = 'postgres') {
      return new Promise((resolve, reject) => {
        const psql = spawn(join(BIN, 'psql'), ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d', database], {
          env: clientEnv(user),
          stdio: ['pipe', 'pipe', 'pipe'],
        })
        let out = ''
        let errors = ''
        psql.stdout.on('data', (chunk: Buffer) => {
          out += chunk.toString()
        })
        psql.stderr.on('data', (chunk: Buffer) => {
          errors += chunk.toString()
        })
        psql.once('error', reject)
        psql.once('close', (code) => (code === 0 ? resolve(out) : reject(new Error(`psql ended with ${code}: ${errors}`))))
        // psql that stops at an error closes its input early; its exit code tells
        psql.stdin.on('error', () => {})
        if (typeof script === 'string') psql.stdin.end(script)
        else feedFile(script.file, psql.stdin, reject)
      })
    },
    async pgDump(database, args = [], user = 'postgres') {
      const { stdout } = await run(join(BIN, 'pg_dump'), ['-d', database, ...args], {
        env: clientEnv(user),
        maxBuffer: 512 * 1024 * 1024,
      })
      return stdout
    },
    stop,
  }
}

interface Surroundings {
  uid?: number
  gid?: number
  cwd: string
  env: Record<string, string | undefined>
}

/**
 * Makes the data folder of a cluster and returns the superuser's password. Within a run of tests initdb makes one, of which
 * the others are copies: that takes a third of the time.
 */
async function makeData(data: string, surroundings: Surroundings): Promise<string> {
  const shared = process.env[POSTGRES_TEMPLATE]
  if (shared === undefined) return initialize(data, surroundings)
  const template = join(shared, 'cluster')
  if (!existsSync(template)) {
    const own = await mkdtemp(join(shared, 'making-'))
    if (surroundings.uid !== undefined && surroundings.gid !== undefined) await chown(own, surroundings.uid, surroundings.gid)
    const password = await initialize(join(own, 'data'), surroundings)
    await writeFile(join(own, 'password'), password, { mode: 0o600 })
    // two at once: the first one counts
    await rename(own, template).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
    })
  }
  await run('cp', ['-a', join(template, 'data'), data])
  return readFile(join(template, 'password'), 'utf8')
}

async function initialize(data: string, surroundings: Surroundings): Promise<string> {
  const password = randomBytes(12).toString('base64url')
  const passwordFile = `${data}-password`
  await writeFile(passwordFile, password, { mode: 0o600 })
  if (surroundings.uid !== undefined && surroundings.gid !== undefined) {
    await chown(passwordFile, surroundings.uid, surroundings.gid)
  }
  const access = ['-U', 'postgres', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`]
  await run(join(BIN, 'initdb'), ['-D', data, ...access, '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'], surroundings)
  return password
}

function feedFile(file: string, into: NodeJS.WritableStream, reject: (error: Error) => void): void {
  const source = createReadStream(file)
  const fed = file.endsWith('.gz') ? pipeline(source, createGunzip(), into) : pipeline(source, into)
  fed.catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_PREMATURE_CLOSE') reject(error)
  })
}

/** When root: uid and gid of the user `postgres` (or `nobody`); else nothing. */
async function unprivileged(): Promise<{ uid: number; gid: number } | null> {
  if (process.getuid?.() !== 0) return null
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'))
  const user = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody')
  if (!user) throw new Error('As root, the tests need a user "postgres" or "nobody" to run PostgreSQL as.')
  return { uid: Number(user[2]), gid: Number(user[3]) }
}

/**
 * A port of 127.0.0.1 that nothing listens on right now, below those that Linux gives out by itself: no connection of another test
 * takes it before the server that it is for listens, or while that starts anew.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(12_000, 32_000)
    const server = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => resolve(true))
    })
    if (!isFree) continue
    await new Promise<void>((resolve) => server.close(() => resolve()))
    return port
  }
}
