import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { connectPostgres } from '#engine/foundation/connections/postgres.ts'
import { gunzip } from '#engine/foundation/content/gunzip.ts'
import type { AppError } from '#shared/errors.ts'
import { dumpOf, KEPT, load } from '#test/support/load.ts'
import { type Postgres15, startPostgres15 } from '#test/support/postgres.ts'
import { startTcpProxy, type TcpProxy } from '#test/support/tcp-proxy.ts'

const COMPLETION = '-- PostgreSQL database dump complete'
const HEAD = `SET statement_timeout = 0;
SET lock_timeout = 0;
CREATE SCHEMA testsite;
CREATE TABLE testsite.rsc (id integer);
`
const REST = `COPY testsite.rsc (id) FROM stdin;
7
8
\\.
--
${COMPLETION}
--
`
const DUMP = HEAD + REST
const PACKED = gzipSync(DUMP)
/** CRC and length: the last 8 bytes of gzip. */
const TRAILER = PACKED.subarray(-8)

const flipped = (bytes: Buffer, at: number) => Buffer.from(bytes.map((byte, index) => (index === at ? byte ^ 1 : byte)))

const fails = async (loading: Promise<unknown>): Promise<AppError | null> =>
  loading.then(
    () => null,
    (error: unknown) => error as AppError,
  )

describe('a load commits only', () => {
  let postgres: Postgres15
  let holder: pg.Client
  let pid: number
  let proxy: TcpProxy | null = null
  let before: string
  /** How often COMMIT was about to be sent. */
  let commits = 0
  const beforeCommit = async () => {
    commits += 1
  }

  beforeAll(async () => {
    postgres = await startPostgres15()
  })
  afterAll(() => postgres?.stop())

  beforeEach(async () => {
    commits = 0
    await postgres.createDatabase('live')
    await postgres.psql(
      'live',
      'CREATE SCHEMA testsite; CREATE TABLE testsite.rsc (id int); INSERT INTO testsite.rsc VALUES (1)',
      'zotonic',
    )
    before = await dumpOf(postgres, 'live')
    holder = await connectPostgres(postgres.connection('live', 'zotonic'))
    await holder.query("SET application_name = 'a page being saved'")
    pid = (await holder.query('SELECT pg_backend_pid() AS pid')).rows[0].pid
  })
  afterEach(async () => {
    await holder.end()
    await proxy?.close()
    proxy = null
    await postgres.psql('postgres', 'DROP DATABASE live WITH (FORCE)')
  })

  async function untilCommitted(): Promise<void> {
    const count = `SELECT count(*) FROM pg_namespace WHERE nspname = '${KEPT}'`
    while ((await postgres.psql('live', count)) !== '1\n') await sleep(50)
  }
  const overProxy = () => ({ connection: { ...postgres.connection('live', 'zotonic'), port: proxy?.port ?? 0 } })
  const isAsBefore = async () => expect(await dumpOf(postgres, 'live')).toBe(before)
  const rows = async (schema: string) =>
    (await postgres.psql('live', `SELECT id FROM ${schema}.rsc ORDER BY 1`)).trim().split('\n')

  /** The dump; somebody else begins to change a row of the live site while its rows are awaited. */
  async function* whileSomebodyWrites(): AsyncGenerator<Buffer> {
    yield Buffer.from(HEAD)
    // the dump is read only once the live tables were free
    await holder.query('BEGIN')
    await holder.query('INSERT INTO testsite.rsc VALUES (2)')
    yield Buffer.from(REST)
  }

  describe('when gzip ended well, not when the completion line was seen:', () => {
    /** The dump out of gzip whose last bytes come only after the completion line was handed on. */
    async function* endingWith(end: Buffer): AsyncGenerator<Buffer> {
      let handOn = () => {}
      const isHandedOn = new Promise<void>((resolve) => {
        handOn = resolve
      })
      async function* packed() {
        yield PACKED.subarray(0, -8)
        await isHandedOn
        yield end
      }
      for await (const chunk of gunzip(packed())) {
        if (chunk.includes(COMPLETION)) handOn()
        yield chunk
      }
    }

    it('as it does with the right end', async () => {
      expect(await fails(load(postgres, 'live', endingWith(TRAILER), { beforeCommit }))).toBeNull()
      expect(commits).toBe(1)
      expect(await rows('testsite')).toEqual(['7', '8'])
    })

    it.each([
      ['another CRC', 'crc', flipped(TRAILER, 2)],
      ['another length', 'crc', flipped(TRAILER, 4)],
      ['no CRC', 'cut', Buffer.alloc(0)],
      ['half of its CRC', 'cut', TRAILER.subarray(0, 6)],
      ['a further member that is cut', 'cut', Buffer.concat([TRAILER, PACKED.subarray(0, 12)])],
      ['zeros behind it', 'trailing', Buffer.concat([TRAILER, Buffer.alloc(100)])],
      ['something else behind it', 'trailing', Buffer.concat([TRAILER, Buffer.from('something else')])],
    ])('not with %s', async (_, fault, end) => {
      const error = await fails(load(postgres, 'live', endingWith(end), { beforeCommit }))
      expect(error).toMatchObject({ code: 'gzip-damaged', details: { fault }, message: expect.stringContaining('as before') })
      expect(commits).toBe(0)
      await isAsBefore()
    })
  })

  it('when the completion line was seen, not when gzip ended well', async () => {
    const whole = gzipSync(DUMP.replace(COMPLETION, '-- PostgreSQL database dump'))
    const error = await fails(load(postgres, 'live', gunzip(Readable.from([whole])), { beforeCommit }))
    expect(error).toMatchObject({ code: 'dump-cut', message: expect.stringContaining('as before') })
    expect(commits).toBe(0)
    await isAsBefore()
  })

  it('when nobody holds the live tables, and tells who does before it reads the dump', async () => {
    await holder.query('BEGIN; LOCK TABLE testsite.rsc IN ROW EXCLUSIVE MODE')
    let isRead = false
    async function* script() {
      isRead = true
      yield Buffer.from(DUMP)
    }
    const told: (string | null)[] = []
    const onLockWait = (text: string | null) => told.push(text)
    const error = await fails(load(postgres, 'live', script(), { lockWaitMs: 2000, onLockWait, beforeCommit }))
    expect(error).toMatchObject({ code: 'database-locked', details: { holders: [{ pid, program: 'a page being saved' }] } })
    expect(error?.message).toContain(
      `within 2 s: held by process ${pid} of user zotonic (a page being saved), idle in transaction`,
    )
    expect(told[0]).toBe(`Waiting for process ${pid} of user zotonic (a page being saved) to let go of tables of the live site`)
    expect(told.at(-1)).toBeNull()
    expect(isRead).toBe(false)
    await isAsBefore()
  })

  it('after those who began to write during the load: what they wrote is kept', async () => {
    const told: (string | null)[] = []
    const onLockWait = (text: string | null) => {
      told.push(text)
      if (told.length === 1) void holder.query('COMMIT')
    }
    expect(await fails(load(postgres, 'live', whileSomebodyWrites(), { onLockWait, beforeCommit }))).toBeNull()
    expect(told[0]).toContain(`Waiting for process ${pid} of user zotonic (a page being saved)`)
    expect(told.at(-1)).toBeNull()
    expect(await rows(KEPT)).toEqual(['1', '2'])
    expect(await rows('testsite')).toEqual(['7', '8'])
  })

  it('not when they go on writing for too long: it tells who they are', async () => {
    const error = await fails(load(postgres, 'live', whileSomebodyWrites(), { lockWaitMs: 2000, beforeCommit }))
    expect(error).toMatchObject({ code: 'database-locked', details: { holders: [{ pid }] } })
    expect(error?.message).toContain(
      `within 2 s: held by process ${pid} of user zotonic (a page being saved), idle in transaction`,
    )
    expect(commits).toBe(0)
    await holder.query('ROLLBACK')
    await isAsBefore()
  })

  it('not when it is cancelled while it waits for them, and holds nothing any more', async () => {
    const abort = new AbortController()
    const onLockWait = () => abort.abort()
    const options = { lockWaitMs: 60_000, signal: abort.signal, onLockWait, beforeCommit }
    expect(await fails(load(postgres, 'live', whileSomebodyWrites(), options))).toMatchObject({ code: 'cancelled' })
    expect(commits).toBe(0)
    await holder.query('ROLLBACK')
    await holder.query('BEGIN; LOCK TABLE testsite.rsc IN ACCESS EXCLUSIVE MODE NOWAIT; ROLLBACK')
    await isAsBefore()
  })

  it('not when it is cancelled between two statements, and begins none after that', async () => {
    const abort = new AbortController()
    const begun: (string | undefined)[] = []
    async function* script() {
      yield Buffer.from(HEAD)
      while (!begun.includes('rsc')) await sleep(20)
      abort.abort()
      yield Buffer.from(REST)
    }
    const beforeStatement = async ({ table }: { table?: string | undefined }) => {
      begun.push(table)
    }
    const error = await fails(load(postgres, 'live', script(), { signal: abort.signal, beforeStatement, beforeCommit }))
    expect(error).toMatchObject({ code: 'cancelled' })
    expect(begun.filter((table) => table === 'rsc')).toHaveLength(1)
    expect(commits).toBe(0)
    await isAsBefore()
  })

  it('not when it is cancelled right before COMMIT, and then that is all there is to tell', async () => {
    proxy = await startTcpProxy(postgres.port)
    const abort = new AbortController()
    const cancel = async () => {
      // whoever asked the server now what became of COMMIT would get no answer
      proxy?.refuse()
      abort.abort()
    }
    const error = await fails(load(postgres, 'live', DUMP, { ...overProxy(), signal: abort.signal, beforeCommit: cancel }))
    expect(error).toMatchObject({ code: 'cancelled' })
    await isAsBefore()
  })

  it.each([
    ['done', null, false],
    ['not known', 'commit-unknown', true],
  ])('once: when it is cancelled after COMMIT was sent, it is %s', async (_, code, isRefusing) => {
    proxy = await startTcpProxy(postgres.port)
    const abort = new AbortController()
    const cancelSoon = async () => {
      proxy?.setWeather('answers-swallowed')
      if (isRefusing) proxy?.refuse()
      void untilCommitted().then(() => abort.abort())
    }
    const error = await fails(load(postgres, 'live', DUMP, { ...overProxy(), signal: abort.signal, beforeCommit: cancelSoon }))
    expect(error?.code ?? null).toBe(code)
    expect(error?.message ?? '').not.toMatch(/as before|Cancelled/)
    expect(await rows('testsite')).toEqual(['7', '8'])
    expect(await rows(KEPT)).toEqual(['1'])
  })
})
