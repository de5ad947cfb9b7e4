import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDatabaseDump } from '#engine/features/backup/database-dump.ts'
import { findPgDumps, type PgDumpOptions, type PgDumpTool, pgDumpSchema } from '#engine/features/backup/pg-dump/index.ts'
import { connectPostgres, type PostgresConnection } from '#engine/foundation/connections/postgres.ts'
import { AppError } from '#shared/errors.ts'
import { expectRoundTrip } from '../support/dump.ts'
import { type Postgres15, startPostgres15 } from '../support/postgres.ts'

const LONG = 120_000
const COMPLETION = '-- PostgreSQL database dump complete'
const ODD = 'Odd "schema".*?|$x ü'
let server: Postgres15
let folder: string
let scratch: string
let watcher: pg.Client

beforeAll(async () => {
  server = await startPostgres15()
  folder = await mkdtemp(join(tmpdir(), 'backup-desk-pg-dump-'))
  scratch = join(folder, 'scratch')
  await mkdir(scratch)
  await server.createDatabase('site')
  await server.psql(
    'site',
    `CREATE SCHEMA s; CREATE TABLE s.rows (id integer, t text); CREATE VIEW s.v AS SELECT * FROM s.rows;
     INSERT INTO s.rows SELECT n, repeat(md5(n::text), 10) FROM generate_series(1, 60000) n;
     CREATE SCHEMA sx; CREATE TABLE sx.other (a integer);
     CREATE SCHEMA "Odd ""schema"".*?|$x ü"; CREATE TABLE "Odd ""schema"".*?|$x ü".t AS SELECT 1 AS a;
     CREATE SCHEMA rules; CREATE TABLE rules.t (a integer); CREATE RULE nothing AS ON DELETE TO rules.t DO INSTEAD NOTHING;
     CREATE AGGREGATE rules.total(integer) (SFUNC = int4pl, STYPE = integer)`,
  )
  watcher = await connectPostgres(server.connection('site'))
  await watcher.query(`SET application_name = 'the test'`)
}, LONG)

afterAll(async () => {
  await watcher?.end()
  await server?.stop()
  if (folder) await rm(folder, { recursive: true, force: true })
})

const dump = (options: Partial<PgDumpOptions> = {}) =>
  pgDumpSchema({ connection: server.connection('site'), schema: 's', scratch, ...options })

const textOf = async (options: Partial<PgDumpOptions> = {}) => (await buffer((await dump(options)).stream)).toString()

async function failure(promise: Promise<unknown>): Promise<AppError> {
  const error = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof AppError)) throw new Error(`no AppError but ${String(error)}`)
  return error
}

async function backends(): Promise<number[]> {
  const { rows } = await watcher.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'Backup Desk%'`,
  )
  return rows.map((row) => row.pid)
}

async function expectNothingLeft(): Promise<void> {
  for (let waited = 0; waited < 30_000 && ((await backends()).length > 0 || (await readdir(scratch)).length > 0); waited += 50)
    await sleep(50)
  expect(await backends()).toEqual([])
  expect(await readdir(scratch)).toEqual([])
}

/** A program that calls itself pg_dump and does as told. */
async function fakeTool(name: string, script: string): Promise<PgDumpTool> {
  const path = join(folder, name)
  await writeFile(path, `#!/bin/sh\n${script}\n`)
  await chmod(path, 0o755)
  return { path, version: '15.0', major: 15, minor: 0 }
}

describe('the pg_dump engine', () => {
  test('writes what pg_dump writes, with progress and what is known of it', async () => {
    let told = 0
    const made = await dump({
      onProgress: (bytes) => {
        told += bytes
      },
    })
    expect(made.tool.major).toBe(15)
    const text = (await buffer(made.stream)).toString()
    expect(told).toBe(Buffer.byteLength(text))
    expect(made.estimate).toBeGreaterThan(text.length / 2)
    expect(made.estimate).toBeLessThan(text.length * 2)
    const plain = await server.pgDump('site', ['-n', 's', '--quote-all-identifiers'])
    // newer editions write a key of chance
    const withoutKeys = (script: string) => script.replace(/^\\(un)?restrict .*$/gm, '')
    expect(withoutKeys(text)).toBe(withoutKeys(plain))
    await expectNothingLeft()
  })

  test('takes a schema’s name as a name and never as a pattern', async () => {
    const text = await textOf({ schema: ODD })
    expect(text).toContain('CREATE SCHEMA "Odd ""schema"".*?|$x ü";')
    expect(text).toContain(COMPLETION)
    expect(await textOf({ schema: 's' })).not.toContain('"sx"')
    expect((await failure(dump({ schema: 's*' }))).code).toBe('schema-unknown')
  })

  test(
    'what it wrote loads and equals the original',
    () => expectRoundTrip(server, { database: 'site', schema: 's', user: 'postgres', file: join(folder, 's.sql') }, textOf),
    LONG,
  )

  test('gives the program the password and nothing of the operator’s own settings', async () => {
    const spy = await fakeTool('spy', `env | sort; echo "args: $*"; echo; echo '--'; echo '${COMPLETION}'; echo '--'`)
    const before = { ...process.env }
    Object.assign(process.env, {
      PGSERVICE: 'evil',
      PGSERVICEFILE: '/evil',
      PGSSLMODE: 'disable',
      BACKUP_DESK_PASSPHRASE: 'secret',
    })
    try {
      const connection: PostgresConnection = { ...server.connection('site'), tls: 'disable' }
      const text = await textOf({ tools: [spy], connection })
      expect(text).toContain(`PGPASSWORD=${connection.password}\n`)
      expect(text).toMatch(/PGSSLMODE=disable\n/)
      expect(text).toMatch(/LC_ALL=C\n/)
      expect(text).toMatch(/PGCLIENTENCODING=UTF8\n/)
      expect(text).toMatch(/PGCONNECT_TIMEOUT=10\n/)
      expect(text).not.toMatch(/PGSERVICE|BACKUP_DESK|secret/)
      const args = /^args: (.*)$/m.exec(text)?.[1]
      expect(args).toBe('--format=plain --quote-all-identifiers --no-password --lock-wait-timeout=30000 --schema="s"')
    } finally {
      for (const name of ['PGSERVICE', 'PGSERVICEFILE', 'PGSSLMODE', 'BACKUP_DESK_PASSPHRASE']) delete process.env[name]
      Object.assign(process.env, before)
    }
  })

  test('says what is missing when none fits', async () => {
    const old = { path: '/old/pg_dump', version: '13.9', major: 13, minor: 9 }
    const error = await failure(dump({ tools: [old] }))
    expect(error).toMatchObject({ code: 'pg-dump-missing', details: { serverMajor: 15 } })
    expect(error.message).toContain('13.9 (/old/pg_dump)')
    expect(error.hint).toContain('postgresql-client-15')
    expect((await failure(dump({ tools: [] }))).message).toContain('None was found')
  })
})

describe('what goes wrong', () => {
  test.each([
    ['an exit code', 'echo half; echo "pg_dump: error: it broke" >&2; exit 3', 'dump-failed', 'it broke'],
    ['an end without the completion line', 'echo "CREATE SCHEMA s;"; exit 0', 'dump-failed', 'without its completion line'],
    ['a completion line, but an exit code', `printf '\\n${COMPLETION}\\n'; exit 1`, 'dump-failed', 'code 1'],
    ['a signal', 'echo half; kill -9 $$', 'dump-failed', 'SIGKILL'],
    [
      'no right',
      'echo "pg_dump: error: query failed: ERROR:  permission denied for table x" >&2; exit 1',
      'dump-permission',
      'permission denied for table x',
    ],
    [
      'a lost server',
      'echo "pg_dump: error: server closed the connection unexpectedly" >&2; exit 1',
      'database-lost',
      'closed the connection',
    ],
  ])('%s', async (name, script, code, words) => {
    const tool = await fakeTool(`wrong ${name}`, script)
    const error = await failure(textOf({ tools: [tool] }))
    expect(error.code).toBe(code)
    expect(error.message).toContain(words)
    await expectNothingLeft()
  })

  test('endless messages are cut, a program that is no program is told', async () => {
    const loud = await fakeTool(
      'loud',
      'i=0; while [ $i -lt 20000 ]; do echo "pg_dump: warning: line $i of many" >&2; i=$((i+1)); done; exit 2',
    )
    const error = await failure(textOf({ tools: [loud] }))
    expect(error.message).toContain('line 0 of many')
    expect(error.message.length).toBeLessThan(5000)
    const missing = { path: join(folder, 'nowhere'), version: '15.0', major: 15, minor: 0 }
    expect(await failure(textOf({ tools: [missing] }))).toMatchObject({
      code: 'dump-failed',
      message: expect.stringContaining('could not be started'),
    })
  })

  test('a backend that is terminated fails the stream', async () => {
    const made = await dump()
    let seen = 0
    const error = await failure(
      (async () => {
        for await (const chunk of made.stream) {
          if (seen === 0) for (const pid of await backends()) await watcher.query('SELECT pg_terminate_backend($1)', [pid])
          seen += chunk.length
        }
      })(),
    )
    expect(error.code).toBe('database-lost')
    await expectNothingLeft()
  })

  test('a cancel ends program and backend, also one that ignores the signal or was never read', async () => {
    const cancel = new AbortController()
    const made = await dump({ signal: cancel.signal })
    const error = await failure(
      (async () => {
        for await (const _chunk of made.stream) cancel.abort()
      })(),
    )
    expect(error.code).toBe('cancelled')
    await expectNothingLeft()

    const unread = await dump()
    unread.stream.destroy()
    await expectNothingLeft()

    const stubborn = await fakeTool(
      'stubborn',
      `trap '' TERM PIPE; echo $$ > ${folder}/stubborn.pid; while :; do sleep 0.1; done`,
    )
    const held = await dump({ tools: [stubborn] })
    const pidOf = async () => Number(await readFile(join(folder, 'stubborn.pid'), 'utf8').catch(() => ''))
    await expect.poll(pidOf).toBeGreaterThan(0)
    const pid = await pidOf()
    held.stream.destroy()
    await expect.poll(() => isAlive(pid)).toBe(false)
    await expectNothingLeft()
  })
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe('which engine', () => {
  const open = (options: { schema: string; engine: 'auto' | 'built-in' | 'pg_dump'; tools?: PgDumpTool[] }) =>
    openDatabaseDump({
      connection: server.connection('site'),
      scratch,
      signal: new AbortController().signal,
      onProgress: () => {},
      ...options,
    })

  test('auto is the built-in one, as long as it handles everything', async () => {
    const made = await open({ schema: 's', engine: 'auto', tools: [] })
    made.stream.destroy()
    expect(made.choice).toEqual({ engine: 'built-in', why: expect.stringContaining('every object') })
    expect(made.leftOut).toEqual([])
  })

  test('auto is pg_dump for what the built-in one refuses, and says so', async () => {
    const made = await open({ schema: 'rules', engine: 'auto' })
    expect(made.choice.engine).toBe('pg_dump')
    expect(made.choice.why).toContain('rule nothing on rules.t')
    expect(made.choice.why).toMatch(/pg_dump 15\.\d+ \(.*\) fits\.$/)
    const text = (await buffer(made.stream)).toString()
    expect(text).toContain('CREATE RULE "nothing"')
    expect(text).toContain('CREATE AGGREGATE')
  })

  test('auto without a fitting pg_dump refuses, names the objects and what to install', async () => {
    const error = await failure(open({ schema: 'rules', engine: 'auto', tools: [] }))
    expect(error.code).toBe('dump-unsupported')
    expect(error.message).toContain('rule nothing on rules.t')
    expect(error.message).toContain('none of this computer fits')
    expect(error.hint).toContain('postgresql-client-15')
    expect(error.details.objects).toHaveLength(2)
  })

  test('the built-in one by choice refuses and points to pg_dump', async () => {
    const error = await failure(open({ schema: 'rules', engine: 'built-in' }))
    expect(error.code).toBe('dump-unsupported')
    expect(error.hint).toContain('pg_dump')
  })

  test('what pg_dump leaves out of one schema’s dump is named', async () => {
    await server.psql(
      'site',
      `CREATE SCHEMA bound; CREATE TYPE bound.mood AS ENUM ('a');
       CREATE FUNCTION bound.to_int(bound.mood) RETURNS integer LANGUAGE sql AS 'select 1';
       CREATE CAST (bound.mood AS integer) WITH FUNCTION bound.to_int(bound.mood);
       CREATE EXTENSION citext SCHEMA bound`,
    )
    const made = await open({ schema: 'bound', engine: 'auto' })
    expect(made.choice.why).toContain('What it leaves out too is listed.')
    const text = (await buffer(made.stream)).toString()
    const named = made.leftOut.map(({ kind, name }) => `${kind} ${name}`)
    expect(named).toContain('cast (bound.mood AS integer)')
    expect(named).toContain('extension citext')
    // and so it is: none of them is in what pg_dump wrote
    expect(text).not.toMatch(/CREATE CAST|CREATE EXTENSION/)
    expect(text).toContain('CREATE TYPE "bound"."mood"')
  })

  test.each(['the survey', 'pg_dump'])('who holds a lock that %s waits for is told', async (who) => {
    const rival = await connectPostgres(server.connection('site'))
    const lock = `SET application_name = 'the rival'; BEGIN; LOCK TABLE s.rows IN ACCESS EXCLUSIVE MODE`
    try {
      const [tool] = await findPgDumps()
      const [begun, goOn] = [join(folder, 'late-begun'), join(folder, 'late-go-on')]
      const waits = `touch ${begun}; while [ ! -e ${goOn} ]; do sleep 0.05; done`
      const late = await fakeTool('late', `${waits}; exec ${tool?.path} "$@"`)
      if (who === 'the survey') await rival.query(lock)
      const made = textOf({ tools: [late], lockWaitMs: 1500 })
      made.catch(() => {})
      if (who === 'pg_dump') {
        await expect.poll(() => existsSync(begun)).toBe(true)
        await rival.query(lock)
        await writeFile(goOn, '')
      }
      const error = await failure(made)
      expect(error.code).toBe('database-locked')
      expect(error.message).toContain('within 1.5 s')
      expect(error.message).toContain('of user postgres (the rival), idle in transaction')
      expect(error.message).toMatch(/its latest statement at 20\d\d-\d\d-\d\dT/)
    } finally {
      await rival.end()
    }
    await expectNothingLeft()
  })
})
