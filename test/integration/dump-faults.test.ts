import { connect, createServer } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { dumpSchema } from '#engine/features/backup/dump/index.ts'
import { connectPostgres } from '#engine/foundation/connections/postgres.ts'
import { AppError } from '#shared/errors.ts'
import { allowed } from '#test/support/patience.ts'
import { runSql } from '../support/dump.ts'
import { type Postgres15, startPostgres15 } from '../support/postgres.ts'

const LONG = 120_000
const COMPLETION = 'PostgreSQL database dump complete'
let server: Postgres15
/** Looks at the backends; never in a transaction, which would see them as they were at its start. */
let watcher: pg.Client
/** Holds locks. */
let rival: pg.Client

beforeAll(async () => {
  server = await startPostgres15()
  await server.createDatabase('site')
  await server.psql(
    'site',
    `CREATE SCHEMA s; CREATE TABLE s.first (a integer); CREATE TABLE s.rows (id integer, t text);
     INSERT INTO s.rows SELECT n, repeat(md5(n::text), 10) FROM generate_series(1, 120000) n`,
  )
  watcher = await connectPostgres(server.connection('site'))
  rival = await connectPostgres(server.connection('site'))
  for (const client of [watcher, rival]) await client.query(`SET application_name = 'the test'`)
}, LONG)

afterAll(async () => {
  await watcher?.end()
  await rival?.end()
  await server?.stop()
})

async function backends(): Promise<number[]> {
  const { rows } = await watcher.query<{ pid: number }>(`SELECT pid FROM pg_stat_activity WHERE application_name = 'Backup Desk'`)
  return rows.map((row) => row.pid)
}

async function expectNoBackends(): Promise<void> {
  for (let waited = 0; waited < 30_000 && (await backends()).length > 0; waited += 50) await sleep(50)
  expect(await backends()).toEqual([])
}

/** Reads until COPY is well under way, does the harm, reads on: what came, and how it ended. */
async function harmDuringCopy(
  harm: (stream: NodeJS.ReadableStream & { destroy(): void }) => unknown,
  options: { signal?: AbortSignal; port?: number } = {},
): Promise<{ text: string; error: unknown }> {
  const connection = { ...server.connection('site'), port: options.port ?? server.port }
  const { stream } = await dumpSchema({ connection, schema: 's', signal: options.signal })
  let text = ''
  try {
    for await (const chunk of stream) {
      const before = text.length
      text += chunk.toString()
      if (before < 2_000_000 && text.length >= 2_000_000) await harm(stream)
    }
    return { text, error: null }
  } catch (error) {
    return { text, error }
  }
}

test('without harm it ends with the completion', async () => {
  const { text, error } = await harmDuringCopy(() => {})
  expect(error).toBeNull()
  expect(text.slice(-60)).toContain(COMPLETION)
  expect(text.length).toBeGreaterThan(38_000_000)
  await expectNoBackends()
})

test('a backend that is terminated in the middle of COPY fails the stream', async () => {
  const { text, error } = await harmDuringCopy(async () => {
    for (const pid of await backends()) await watcher.query('SELECT pg_terminate_backend($1)', [pid])
  })
  expect(error).toBeInstanceOf(AppError)
  expect(error).toMatchObject({ code: 'database-lost', message: expect.stringContaining('table "s"."rows"') })
  expect(text).not.toContain(COMPLETION)
})

test('a statement that is cancelled in the middle of COPY fails the stream', async () => {
  const { text, error } = await harmDuringCopy(async () => {
    for (const pid of await backends()) await watcher.query('SELECT pg_cancel_backend($1)', [pid])
  })
  expect(error).toMatchObject({ code: 'dump-failed' })
  expect(text).not.toContain(COMPLETION)
  await expectNoBackends()
})

test('a network that is cut in the middle of COPY fails the stream', async () => {
  const proxy = createServer((client) => {
    const upstream = connect(server.port, '127.0.0.1')
    client.pipe(upstream).pipe(client)
    client.on('error', () => upstream.destroy())
    upstream.on('error', () => client.destroy())
    cut = () => {
      client.destroy()
      upstream.destroy()
    }
  })
  let cut = () => {}
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const address = proxy.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const { text, error } = await harmDuringCopy(() => cut(), { port })
  proxy.close()
  expect(error).toMatchObject({ code: 'database-lost' })
  expect(text).not.toContain(COMPLETION)
  await expectNoBackends()
})

test('cancelling destroys the stream and ends the backend', async () => {
  const controller = new AbortController()
  const { text, error } = await harmDuringCopy(() => controller.abort(), { signal: controller.signal })
  expect(error).toMatchObject({ code: 'cancelled' })
  expect(text).not.toContain(COMPLETION)
  await expectNoBackends()
})

test('a stream that its reader gives up takes the backend along, also before the first read', async () => {
  await harmDuringCopy((stream) => stream.destroy())
  await expectNoBackends()
  const { stream } = await dumpSchema({ connection: server.connection('site'), schema: 's' })
  expect(await backends()).toHaveLength(1)
  stream.destroy()
  await expectNoBackends()
})

test('cancelling while it waits for a lock ends at once', async () => {
  await rival.query('BEGIN; LOCK TABLE s.rows IN ACCESS EXCLUSIVE MODE')
  try {
    const controller = new AbortController()
    const started = Date.now()
    const dump = dumpSchema({ connection: server.connection('site'), schema: 's', signal: controller.signal })
    setTimeout(() => controller.abort(), 500)
    await expect(dump).rejects.toMatchObject({ code: 'cancelled' })
    expect(Date.now() - started).toBeLessThan(allowed(3000))
    await expectNoBackends()
  } finally {
    await rival.query('ROLLBACK')
  }
})

test('a lock that is not let go in time is told, with who holds it', async () => {
  await rival.query('BEGIN; LOCK TABLE s.rows IN ACCESS EXCLUSIVE MODE')
  try {
    const dump = dumpSchema({ connection: server.connection('site'), schema: 's', lockWaitMs: 1500 })
    await expect(dump).rejects.toMatchObject({
      code: 'database-locked',
      message: expect.stringMatching(
        /within 1.5 s: .*held by process \d+ of user postgres \(the test\), idle in transaction for \d+ s, its latest statement at 20/,
      ),
      details: { holders: [{ user: 'postgres', program: 'the test', pid: expect.any(Number) }] },
    })
    await expectNoBackends()
  } finally {
    await rival.query('ROLLBACK')
  }
})

test('a table that is dropped between listing and locking makes it begin anew', async () => {
  // the lock makes the dump wait in LOCK TABLE until the table is gone
  await rival.query('BEGIN; CREATE TABLE s.later (a integer); LOCK TABLE s.first IN ACCESS EXCLUSIVE MODE; DROP TABLE s.first')
  const dump = dumpSchema({ connection: server.connection('site'), schema: 's' })
  await sleep(500)
  await rival.query('COMMIT')
  const text = (await buffer((await dump).stream)).toString()
  expect(text).not.toContain('"first"')
  expect(text).toContain('CREATE TABLE "s"."later"')
})

test('a reader that stops for a while holds the server back, and gets everything', async () => {
  const { stream } = await dumpSchema({ connection: server.connection('site'), schema: 's' })
  let bytes = 0
  let paused = false
  for await (const chunk of stream) {
    bytes += chunk.length
    if (!paused && bytes > 1_000_000) {
      paused = true
      const waiting = () => runSql(server.connection('site'), `SELECT wait_event FROM pg_stat_activity WHERE query LIKE 'COPY%'`)
      await expect.poll(waiting).toContainEqual({ wait_event: 'ClientWrite' })
    }
  }
  expect(bytes).toBeGreaterThan(38_000_000)
})
