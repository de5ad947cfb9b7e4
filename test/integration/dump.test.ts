import { mkdtemp, open, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { countRows, dumpSchema, estimateDumpBytes } from '#engine/features/backup/dump/index.ts'
import { createSiteSchema } from '#engine/features/demo/schema/create.ts'
import { connectPostgres } from '#engine/foundation/connections/postgres.ts'
import { dumpToText, EVERYTHING_ROLES, expectRoundTrip, runSql } from '../support/dump.ts'
import { fixture, fixturesRoot, hasFixtures } from '../support/fixtures.ts'
import { type Postgres15, startPostgres15 } from '../support/postgres.ts'

const LONG = 120_000
const COMPLETION = '--\n-- PostgreSQL database dump complete\n--\n'
let server: Postgres15
let folder: string

beforeAll(async () => {
  server = await startPostgres15()
  folder = await mkdtemp(join(tmpdir(), 'backup-desk-dump-'))
  await server.psql('postgres', EVERYTHING_ROLES)
}, LONG)

afterAll(async () => {
  await server?.stop()
  if (folder) await rm(folder, { recursive: true, force: true })
})

/** By the built-in engine; returns the script's file. */
async function roundTrip(database: string, schema: string, user: string): Promise<string> {
  const file = join(folder, `${database}.sql`)
  await expectRoundTrip(server, { database, schema, user, file })
  return file
}

if (!hasFixtures) console.warn(`\n!!! No fixtures at ${fixturesRoot}: the dumps of a real server's databases are NOT tested.\n`)

describe.skipIf(!hasFixtures)('databases of a real server', () => {
  test.each([
    ['full', ['testsite-full.sql.gz'], 'zotonic'],
    ['plain', ['backups', '1-plain-full', 'testsite-1.sql.gz'], 'postgres'],
  ])(
    '%s: dumped, loaded with psql, and equal by pg_dump',
    async (database, file, user) => {
      await server.createDatabase(database)
      await server.psql(database, { file: fixture(...file) }, user)
      const dump = await roundTrip(database, 'testsite', user)

      // the server looks for the schema's name in the first 10,000 plain and 5,000 compressed bytes
      const text = await readFile(dump)
      expect(text.subarray(0, 10_000).toString()).toContain('CREATE SCHEMA "testsite";')
      expect(gzipSync(text, { level: 1 }).length).toBeGreaterThan(5_000)
      expect(gzipSync(text.subarray(0, 10_000), { level: 1 }).length).toBeLessThan(5_000)
      expect(text.subarray(-COMPLETION.length).toString()).toBe(COMPLETION)
      // 15.20 marks columns with it by itself; other servers refuse it
      expect(text.includes('pg_attver')).toBe(false)
    },
    LONG,
  )

  test('counts and estimates what is there', async () => {
    const counts = new Map((await countRows(server.connection('plain'), 'testsite')).map(({ table, rows }) => [table, rows]))
    expect(counts.get('rsc')).toBe(126)
    expect(counts.get('edge')).toBe(111)
    expect(counts.get('backup_revision')).toBe(211)
    const estimate = await estimateDumpBytes(server.connection('plain'), 'testsite')
    const { size } = await stat(join(folder, 'plain.sql'))
    expect(estimate).toBeGreaterThan(size / 2)
    expect(estimate).toBeLessThan(size * 2)
  })
})

test(
  'the demo site’s schema: dumped, loaded with psql, and equal by pg_dump',
  async () => {
    await server.createDatabase('demo')
    const client = await connectPostgres(server.connection('demo', 'zotonic'))
    await createSiteSchema(client, 'demo')
    await client.end()
    await roundTrip('demo', 'demo', 'zotonic')
  },
  LONG,
)

describe('a schema with everything', () => {
  test(
    'dumped, loaded with psql, and equal by pg_dump',
    async () => {
      await server.createDatabase('everything')
      const sql = resolve(import.meta.dirname, '../fixtures/sql/everything.sql')
      await server.psql('everything', { file: sql })
      const file = await roundTrip('everything', 'everything', 'postgres')
      const copy = await runSql(
        server.connection('everything_copy'),
        `SELECT length(t) AS text, length(b) AS bytes FROM everything.kinds WHERE name = '--'`,
      )
      expect(copy).toEqual([{ text: 20_000_000, bytes: 2_100_000 }])
      const handle = await open(file)
      const tail = await handle.read({ position: (await handle.stat()).size - COMPLETION.length, length: COMPLETION.length })
      await handle.close()
      expect(tail.buffer.subarray(0, tail.bytesRead).toString()).toBe(COMPLETION)
    },
    LONG,
  )

  test('says what a database needs before it can be loaded', async () => {
    const dump = await dumpSchema({ connection: server.connection('everything'), schema: 'everything' })
    dump.stream.destroy()
    expect(dump.facts).toMatchObject({ roles: ['Odd "Role"', 'postgres', 'reader', 'zotonic'], extensions: [] })
    expect(dump.facts.serverVersion).toMatch(/^15\./)
    expect(dump.facts.tableCount).toBe(18)
  })

  test('progress adds up to the bytes that came', async () => {
    let told = 0
    const dump = await dumpSchema({
      connection: server.connection('everything'),
      schema: 'everything',
      onProgress: (bytes) => {
        told += bytes
      },
    })
    let came = 0
    for await (const chunk of dump.stream) came += chunk.length
    expect(came).toBeGreaterThan(30_000_000)
    expect(told).toBe(came)
  })
})

test('estimates what comes of rows, of bytes inside and outside of them, and of indexes, which do not come', async () => {
  await server.createDatabase('sizes')
  await server.psql(
    'sizes',
    `CREATE SCHEMA s; CREATE FUNCTION s.noise(n integer, pieces integer) RETURNS bytea LANGUAGE sql AS $$
       SELECT string_agg(sha512(int4send(n) || int4send(p)), ''::bytea) FROM generate_series(1, pieces) p $$;
     CREATE TABLE s.inside (id integer PRIMARY KEY, b bytea); INSERT INTO s.inside SELECT n, s.noise(n, 8) FROM generate_series(1, 4000) n;
     CREATE TABLE s.outside (id integer, b bytea); INSERT INTO s.outside SELECT n, s.noise(n, 300) FROM generate_series(1, 100) n;
     CREATE TABLE s.words (t text); INSERT INTO s.words SELECT string_agg(md5((n % 50 + p)::text), ' ') FROM generate_series(1, 400) n, generate_series(1, 200) p GROUP BY n;
     CREATE TABLE s.numbers (a integer, b integer); INSERT INTO s.numbers SELECT n, n * 7 FROM generate_series(1, 60000) n;
     CREATE INDEX ON s.numbers (a); CREATE INDEX ON s.numbers (b); CREATE INDEX ON s.numbers (a, b);
     VACUUM ANALYZE`,
  )
  const dump = await dumpSchema({ connection: server.connection('sizes'), schema: 's' })
  const size = (await buffer(dump.stream)).length
  expect(dump.estimate / size).toBeGreaterThan(0.6)
  expect(dump.estimate / size).toBeLessThan(1.6)
})

describe('odd schemas', () => {
  test('an empty one, and one whose name needs quotes', async () => {
    const name = 'Odd "schema".\n-- x; ü'
    await server.createDatabase('odd')
    await server.psql(
      'odd',
      `CREATE SCHEMA "Odd ""schema"".\n-- x; ü"; CREATE SCHEMA empty; CREATE TABLE "Odd ""schema"".\n-- x; ü".t AS SELECT 1 AS a`,
    )
    expect(await dumpToText(server.connection('odd'), 'empty')).toContain('CREATE SCHEMA "empty";')
    const text = await dumpToText(server.connection('odd'), name)
    await server.createDatabase('odd_copy')
    await server.psql('odd_copy', text)
    expect(await countRows(server.connection('odd_copy'), name)).toEqual([{ table: 't', rows: 1 }])
  })

  test('the schema public, whose objects pg_depend does not tie to it', async () => {
    await server.createDatabase('public')
    await server.psql(
      'public',
      `CREATE TABLE t (id serial PRIMARY KEY, a text); INSERT INTO t (a) VALUES ('x'); CREATE VIEW v AS SELECT * FROM t`,
    )
    await server.createDatabase('public_copy')
    await server.psql('public_copy', 'DROP SCHEMA public')
    await server.psql('public_copy', await dumpToText(server.connection('public'), 'public'))
    expect(await runSql(server.connection('public_copy'), 'SELECT * FROM public.v')).toEqual([{ id: 1, a: 'x' }])
  })

  test('names what belongs to the database and stays behind', async () => {
    await server.createDatabase('notes')
    await server.psql(
      'notes',
      `CREATE SCHEMA s; CREATE TABLE s.t (id integer PRIMARY KEY, ref integer REFERENCES s.t); CREATE PUBLICATION pub FOR TABLE s.t; CREATE PUBLICATION whole FOR TABLES IN SCHEMA s;
       CREATE FUNCTION s.ev() RETURNS event_trigger LANGUAGE plpgsql AS 'begin end'; CREATE EVENT TRIGGER evt ON sql_drop EXECUTE FUNCTION s.ev();
       ALTER TABLE s.t DISABLE TRIGGER ALL; SELECT lo_create(0);
       SET allow_system_table_mods = on; INSERT INTO pg_subscription_rel (srsubid, srrelid, srsubstate) VALUES (1, 's.t'::regclass, 'r');
       CREATE FUNCTION s.order_of(integer, text) RETURNS integer LANGUAGE sql IMMUTABLE AS 'select 0';
       ALTER OPERATOR FAMILY integer_ops USING btree ADD FUNCTION 1 (integer, text) s.order_of(integer, text);
       CREATE FUNCTION s.trg() RETURNS trigger LANGUAGE plpgsql AS 'begin return new; end';
       CREATE CONSTRAINT TRIGGER in_the_end AFTER INSERT ON s.t FOR EACH ROW EXECUTE FUNCTION s.trg(); COMMENT ON CONSTRAINT in_the_end ON s.t IS 'lost';
       CREATE INDEX half_made ON s.t (ref); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 's.half_made'::regclass`,
    )
    const dump = await dumpSchema({ connection: server.connection('notes'), schema: 's' })
    dump.stream.destroy()
    expect(dump.facts.notes.join('\n')).toMatch(/Publication pub/)
    expect(dump.facts.notes.join('\n')).toMatch(/Publication whole names this schema/)
    expect(dump.facts.notes.join('\n')).toMatch(/Event trigger evt/)
    expect(dump.facts.notes.join('\n')).toMatch(/Foreign keys of table t/)
    expect(dump.facts.notes.join('\n')).toMatch(/large objects/)
    expect(dump.facts.notes.join('\n')).toMatch(/Index half_made on t is invalid/)
    expect(dump.facts.notes.join('\n')).toMatch(/Table t is filled by a subscription/)
    expect(dump.facts.notes.join('\n')).toMatch(
      /Function order_of serves an operator family outside of this schema \(function 1 .*integer_ops/,
    )
    expect(dump.facts.notes.join('\n')).toMatch(/The comment on constraint in_the_end on table "s"\."t" is left out/)
    expect(dump.facts.notes).toHaveLength(9)
  })
})
