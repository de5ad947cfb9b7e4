import { execFileSync } from 'node:child_process'
import { chownSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { LoadRequest } from '#engine/features/restore/load.ts'
import { gunzip } from '#engine/foundation/content/gunzip.ts'
import { AppError } from '#shared/errors.ts'
import { fixture, hasFixtures } from '#test/support/fixtures.ts'
import { dumpOf, KEPT, load } from '#test/support/load.ts'
import { type Postgres15, startPostgres15 } from '#test/support/postgres.ts'
import { startTcpProxy, type TcpProxy } from '#test/support/tcp-proxy.ts'

if (!hasFixtures) console.error('SKIPPED test/integration/load-faults.test.ts: the fixtures of a real server are missing')

const packed = hasFixtures ? readFileSync(fixture('testsite-full.sql.gz')) : Buffer.alloc(0)
const good = hasFixtures ? gunzipSync(packed) : Buffer.alloc(0)
const FIRST_COPY = '\nCOPY '
const PIECE = 'a row that is long enough to be felt on its way\n'.repeat(20_000)
const PIECES = 24
/** Statements of the tests run for a minute, and a network that is silent tells the server nothing for hours. */
const FREED_MS = 20_000

/** The dump with a large table in it; `during` is called between two pieces of its rows. */
async function* large(during: () => Promise<unknown>): AsyncGenerator<Buffer> {
  const at = good.indexOf(FIRST_COPY)
  yield good.subarray(0, at)
  yield Buffer.from('\nCREATE TABLE testsite.large (t text);\nCOPY testsite.large (t) FROM stdin;\n')
  for (let piece = 0; piece < PIECES; piece += 1) {
    if (piece === PIECES / 3) await during()
    yield Buffer.from(PIECE)
  }
  yield Buffer.from('\\.\n')
  yield good.subarray(at)
}

const fails = async (loading: Promise<unknown>): Promise<AppError | null> =>
  loading.then(
    () => null,
    (error: unknown) => error as AppError,
  )

describe.skipIf(!hasFixtures)('a load that goes wrong', () => {
  let postgres: Postgres15
  let proxy: TcpProxy
  let before: string

  beforeAll(async () => {
    postgres = await startPostgres15()
    await postgres.createDatabase('live')
    await postgres.psql('live', { file: fixture('revert', 'A-edges-all-options-before.sql.gz') }, 'zotonic')
    before = await dumpOf(postgres, 'live')
  })
  afterAll(() => postgres?.stop())
  afterEach(async () => {
    await proxy?.close()
    await postgres.psql(
      'live',
      "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'Backup Desk' AND datname = 'live'",
    )
    expect((await dumpOf(postgres, 'live')) === before, 'the live database is byte for byte as before').toBe(true)
  })

  /** Loads over a network that can be cut. */
  async function overProxy(script: AsyncIterable<Buffer>, more: Partial<LoadRequest> = {}) {
    return load(postgres, 'live', script, {
      connection: { ...postgres.connection('live', 'zotonic'), port: proxy.port },
      silenceMs: 200,
      ...more,
    })
  }

  /** Resolves once no session of ours holds anything. */
  async function untilFree(): Promise<number> {
    const start = Date.now()
    const count = () =>
      postgres.psql(
        'live',
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'Backup Desk' AND xact_start IS NOT NULL",
      )
    while ((await count()) !== '0\n') await sleep(50)
    return Date.now() - start
  }

  it('because the file is cut, at 20 places', async () => {
    for (let part = 1; part <= 20; part += 1) {
      const cut = packed.subarray(0, Math.floor((packed.length * part) / 21))
      const error = await fails(load(postgres, 'live', gunzip(Readable.from([cut]))))
      expect(error?.code, `cut at ${cut.length}`).toBe('gzip-damaged')
      expect(error?.message).toContain('exactly as before')
    }
  })

  it('because the script is cut before it was packed, at 20 places', async () => {
    for (let part = 1; part <= 20; part += 1) {
      const at = Math.floor((good.length * part) / 21)
      // every second one where nothing is open: only the line at the very end of a dump tells
      const cut = good.subarray(0, part % 2 === 0 ? at : good.indexOf('\n\n--\n-- ', at))
      const error = await fails(load(postgres, 'live', Readable.from([cut])))
      expect(error?.code, `cut at ${cut.length}`).toBe('dump-cut')
    }
  })

  it('because of a flipped bit, at 20 places', async () => {
    for (let part = 0; part < 20; part += 1) {
      const flipped = Buffer.from(packed)
      // behind the head, which may hold anything; the last one is in the CRC
      const at = 64 + Math.floor(((packed.length - 70) * part) / 19)
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (part % 8))
      const error = await fails(load(postgres, 'live', gunzip(Readable.from([flipped]))))
      expect(error?.code, `bit at ${at}`).toMatch(/^(gzip-damaged|dump-cut|script-.*|statement-.*|other-schema|rows-lost)$/)
    }
  })

  it('because the file can’t be read any further', async () => {
    async function* broken() {
      yield good.subarray(0, good.indexOf(FIRST_COPY) + 400)
      throw new AppError('unreachable', 'The folder is gone.')
    }
    expect(await fails(load(postgres, 'live', broken()))).toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining('as before'),
    })
    async function* brokenBySystem() {
      yield good.subarray(0, good.indexOf(FIRST_COPY) + 400)
      throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' })
    }
    expect((await fails(load(postgres, 'live', brokenBySystem())))?.code).not.toBe('connection-lost')
  })

  it('because its server process is ended in the middle of rows', async () => {
    const end = () =>
      postgres.psql('live', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'Backup Desk'")
    const error = await fails(load(postgres, 'live', large(end)))
    expect(error).toMatchObject({ code: 'connection-lost', message: expect.stringContaining('exactly as before') })
  })

  it('because the network breaks off in the middle of rows', async () => {
    proxy = await startTcpProxy(postgres.port)
    const error = await fails(overProxy(large(async () => proxy.cut())))
    expect(error).toMatchObject({ code: 'connection-lost' })
    expect(await untilFree()).toBeLessThan(FREED_MS)
  })

  it('because the network swallows everything in the middle of rows, and frees the live tables', async () => {
    proxy = await startTcpProxy(postgres.port)
    const error = await fails(overProxy(large(async () => proxy.setWeather('swallowed'))))
    expect(error).toMatchObject({ code: 'connection-lost', message: expect.stringContaining('nothing comes through') })
    expect(await untilFree()).toBeLessThan(FREED_MS)
  })

  it('because the server cannot be reached any more', async () => {
    proxy = await startTcpProxy(postgres.port)
    const error = await fails(
      overProxy(
        large(async () => {
          proxy.setWeather('swallowed')
          proxy.refuse()
        }),
      ),
    )
    expect(error).toMatchObject({ code: 'connection-lost', message: expect.stringContaining('cannot be reached') })
  })

  it('because COMMIT never gets to the server: then nothing was restored', async () => {
    proxy = await startTcpProxy(postgres.port)
    const error = await fails(overProxy(Readable.from([good]), { beforeCommit: async () => proxy.setWeather('swallowed') }))
    expect(error).toMatchObject({ code: 'connection-lost', message: expect.stringContaining('exactly as before') })
    expect(await untilFree()).toBeLessThan(FREED_MS)
  })

  it('only seemingly, because the answer to COMMIT is lost: then it was restored', async () => {
    proxy = await startTcpProxy(postgres.port)
    const result = await overProxy(Readable.from([good]), { beforeCommit: async () => proxy.setWeather('answers-swallowed') })
    expect(result.tables).toContain('rsc')
    expect(await postgres.psql('live', 'SELECT count(*) FROM testsite.rsc')).toBe('126\n')
    await postgres.psql('live', `DROP SCHEMA testsite CASCADE; ALTER SCHEMA ${KEPT} RENAME TO testsite`, 'zotonic')
  })

  it('and it cannot be known whether COMMIT took place, while nothing can be reached', async () => {
    proxy = await startTcpProxy(postgres.port)
    const error = await fails(
      overProxy(Readable.from([good]), {
        beforeCommit: async () => {
          proxy.setWeather('swallowed')
          proxy.refuse()
        },
      }),
    )
    expect(error).toMatchObject({ code: 'commit-unknown', message: expect.not.stringContaining('as before') })
  })

  it('because it is cancelled while the server computes, and frees the live tables at once', async () => {
    const slow = good
      .toString('latin1')
      .replace(
        FIRST_COPY,
        "\nCREATE FUNCTION testsite.slow(integer) RETURNS boolean LANGUAGE sql AS 'select pg_sleep(60) is null';\nCREATE TABLE testsite.slow_table (a integer CHECK (testsite.slow(a)));\nCOPY testsite.slow_table (a) FROM stdin;\n1\n\\.\n\nCOPY ",
      )
    const abort = new AbortController()
    const loading = load(postgres, 'live', slow, { signal: abort.signal })
    const isSlow = () => postgres.psql('live', "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
    while ((await isSlow()) !== '1\n') await sleep(50)
    abort.abort()
    expect(await fails(loading)).toMatchObject({ code: 'cancelled' })
    expect(await untilFree()).toBeLessThan(FREED_MS)
  })

  it('because the disk is full', async ({ skip }) => {
    const place = mkdtempSync(join(tmpdir(), 'backup-desk-small-'))
    const unmount = mountSmall(place)
    if (!unmount) {
      rmSync(place, { recursive: true })
      console.error('SKIPPED the test of a full disk: it needs root, and the right to mount a tmpfs')
      return skip()
    }
    try {
      await postgres.psql('postgres', `CREATE TABLESPACE small LOCATION '${place}'`)
      await postgres.psql('postgres', 'CREATE DATABASE tiny OWNER zotonic TEMPLATE template0 TABLESPACE small')
      await postgres.psql(
        'tiny',
        'CREATE SCHEMA testsite; CREATE TABLE testsite.rsc (a integer); INSERT INTO testsite.rsc VALUES (7)',
        'zotonic',
      )
      const tiny = await dumpOf(postgres, 'tiny')
      const error = await fails(
        load(
          postgres,
          'tiny',
          large(async () => {}),
        ),
      )
      expect(error).toMatchObject({ code: 'statement-failed', hint: expect.stringContaining('no space left') })
      expect(error?.message).toMatch(/COPY "large" failed \(line \d+ of the dump, row \d+ of the table\)/)
      expect(await dumpOf(postgres, 'tiny')).toBe(tiny)
    } finally {
      await postgres.psql('postgres', 'DROP DATABASE IF EXISTS tiny')
      await postgres.psql('postgres', 'DROP TABLESPACE IF EXISTS small')
      unmount()
      rmSync(place, { recursive: true })
    }
  })

  const LACKS: [string, string, string, RegExp, RegExp][] = [
    [
      'an extension is missing',
      'CREATE TABLE testsite.x (a public.citext);',
      '42704',
      /type "public.citext" does not exist/,
      /lacks something/,
    ],
    [
      'a role is missing',
      'ALTER TABLE testsite.rsc OWNER TO nobody_here;',
      '42704',
      /role "nobody_here" does not exist/,
      /a role/,
    ],
    [
      'a right is missing',
      'ALTER TABLE testsite.rsc OWNER TO postgres;',
      '42501',
      /must be member of role "postgres"/,
      /lacks a right/,
    ],
    [
      'the server is older than the dump',
      'ALTER TABLE ONLY testsite.rsc ADD CONSTRAINT rsc_id_not_null NOT NULL id NOT VALID;',
      '42601',
      /syntax error at or near "NOT"/,
      /newer PostgreSQL/,
    ],
    [
      'the server is older than the dump (a setting of a table)',
      "CREATE VIEW testsite.v WITH (of_the_future='true') AS SELECT 1;",
      '22023',
      /unrecognized parameter "of_the_future"/,
      /newer PostgreSQL/,
    ],
  ]
  it.each(LACKS)('because %s', async (_, sql, system, message, hint) => {
    const script = good.toString('latin1').replace(FIRST_COPY, `\n${sql}\n\nCOPY `)
    const line = script.slice(0, script.indexOf(sql)).split('\n').length
    const error = await fails(load(postgres, 'live', Readable.from([Buffer.from(script, 'latin1')])))
    expect(error).toMatchObject({ code: 'statement-failed', details: { system, line, statement: sql.slice(0, -1) } })
    expect(error?.message).toMatch(message)
    expect(error?.message).toContain(`line ${line} of the dump`)
    expect(error?.hint).toMatch(hint)
  })

  it('because of a row, and tells which one but nothing of what is in it', async () => {
    const cases = [
      ['COPY testsite.x (a) FROM stdin;\n1\ntopsecret\n\\.', 2],
      ['COPY testsite.x (m) FROM stdin;\ngood\ngood\ntopsecret\n\\.', 3],
      ['COPY testsite.x (v) FROM stdin;\nok\ntopsecret0123456789\n\\.', 2],
      ['COPY testsite.x (a, t) FROM stdin;\n1\ta\n1\ttopsecret\n\\.', 2],
      ['COPY testsite.x (t) FROM stdin;\nx\ttopsecret\n\\.', 1],
      ['COPY testsite.x (c) FROM stdin;\ntopsecret\n\\.', 1],
      ["INSERT INTO testsite.x (a) VALUES ('topsecret');", undefined],
      ["INSERT INTO testsite.x (v) VALUES ('topsecret0123456789');", undefined],
    ] as const
    for (const [rows, row] of cases) {
      const script = good.toString('latin1').replace(
        FIRST_COPY,
        () => `
CREATE FUNCTION testsite.never(text) RETURNS boolean LANGUAGE plpgsql AS $$ begin raise exception 'not %', $1; end $$;
CREATE TYPE testsite.mood AS ENUM ('good');
CREATE TABLE testsite.x (a integer UNIQUE, m testsite.mood, v varchar(5), t text, c text CHECK (c IS NULL OR testsite.never(c)));
${rows}

COPY `,
      )
      const error = await fails(load(postgres, 'live', Readable.from([Buffer.from(script, 'latin1')])))
      expect(error?.code, rows).toBe('statement-failed')
      expect(error?.details?.row, `${rows} ${error?.message}`).toBe(row)
      expect(error?.message, rows).toContain('"x"')
      const told = [
        error?.message,
        error?.hint,
        JSON.stringify(error?.details),
        String(error?.cause),
        JSON.stringify(error?.cause),
      ]
      expect(told.join(' '), rows).not.toContain('topsecret')
    }
  })
})

/** A file system of 24 MB for PostgreSQL; null: it can't be had here. */
function mountSmall(place: string): (() => void) | null {
  if (process.getuid?.() !== 0 || process.platform !== 'linux') return null
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', place], { stdio: 'ignore' })
    const [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' })))
    chownSync(place, uid ?? 0, gid ?? 0)
  } catch {
    return null
  }
  return () => execFileSync('umount', ['-l', place], { stdio: 'ignore' })
}
