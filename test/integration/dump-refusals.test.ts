import { afterAll, beforeAll, expect, test } from 'vitest'
import { dumpSchema } from '#engine/features/backup/dump/index.ts'
import { AppError } from '#shared/errors.ts'
import { refusedKinds, unsortedCatalogues } from '../support/catalogues.ts'
import { runSql } from '../support/dump.ts'
import { type Postgres15, startPostgres15 } from '../support/postgres.ts'

const LONG = 120_000
let server: Postgres15

beforeAll(async () => {
  server = await startPostgres15()
  await server.createDatabase('refusals')
  await server.psql('refusals', 'CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER away FOREIGN DATA WRAPPER nowhere')
}, LONG)

afterAll(async () => {
  await server?.stop()
})

async function refusal(schema: string, database = 'refusals', user = 'postgres'): Promise<AppError> {
  const dump = dumpSchema({ connection: server.connection(database, user), schema })
  const error = await dump.then(
    ({ stream }) => {
      stream.destroy()
      return null
    },
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof AppError)) throw new Error(`${schema} was not refused: ${String(error)}`)
  return error
}

/** Kind, name as the refusal gives it, SQL with the schema's name in place of `@`. */
const CASES: [kind: string, name: string, sql: string][] = [
  ['partitioned table', '@.parts', 'CREATE TABLE @.parts (a integer) PARTITION BY RANGE (a)'],
  [
    'partition',
    '@.part',
    'CREATE TABLE @.parts (a integer) PARTITION BY LIST (a); CREATE TABLE @.part PARTITION OF @.parts DEFAULT',
  ],
  ['partitioned index', '@.parts_pkey', 'CREATE TABLE @.parts (a integer PRIMARY KEY) PARTITION BY HASH (a)'],
  ['inheriting table', '@.child', 'CREATE TABLE @.parent (a integer); CREATE TABLE @.child (b integer) INHERITS (@.parent)'],
  ['inherited table', '@.parent', 'CREATE TABLE @.parent (a integer); CREATE TABLE public.child_of_@ () INHERITS (@.parent)'],
  ['typed table', '@.typed', 'CREATE TYPE @.row AS (a integer); CREATE TABLE @.typed OF @.row'],
  ['foreign table', '@.far', 'CREATE FOREIGN TABLE @.far (a integer) SERVER away'],
  [
    'table with access method other_heap',
    '@.t',
    'CREATE ACCESS METHOD other_heap TYPE TABLE HANDLER heap_tableam_handler; CREATE TABLE @.t (a integer) USING other_heap',
  ],
  ['rule', 'nothing on @.t', 'CREATE TABLE @.t (a integer); CREATE RULE nothing AS ON DELETE TO @.t DO INSTEAD NOTHING'],
  ['row security policy', 'mine on @.t', 'CREATE TABLE @.t (a integer); CREATE POLICY mine ON @.t USING (true)'],
  ['table with row security', '@.t', 'CREATE TABLE @.t (a integer); ALTER TABLE @.t ENABLE ROW LEVEL SECURITY'],
  ['aggregate', '@.total(integer)', 'CREATE AGGREGATE @.total(integer) (SFUNC = int4pl, STYPE = integer)'],
  ['window function', '@.rank()', `CREATE FUNCTION @.rank() RETURNS bigint LANGUAGE internal WINDOW AS 'window_rank'`],
  ['operator', '@.===(integer,integer)', 'CREATE OPERATOR @.=== (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4eq)'],
  [
    'operator class',
    '@.ops USING btree',
    'CREATE OPERATOR CLASS @.ops FOR TYPE integer USING btree AS OPERATOR 3 =, FUNCTION 1 btint4cmp(integer, integer)',
  ],
  ['operator family', '@.fam USING btree', 'CREATE OPERATOR FAMILY @.fam USING btree'],
  ['collation', '@.coll', `CREATE COLLATION @.coll (LOCALE = 'C')`],
  ['conversion', '@.conv', `CREATE CONVERSION @.conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8`],
  ['text search dictionary', '@.dict', 'CREATE TEXT SEARCH DICTIONARY @.dict (TEMPLATE = simple)'],
  ['text search configuration', '@.conf', 'CREATE TEXT SEARCH CONFIGURATION @.conf (COPY = simple)'],
  [
    'text search parser',
    '@.pars',
    'CREATE TEXT SEARCH PARSER @.pars (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype)',
  ],
  ['text search template', '@.temp', 'CREATE TEXT SEARCH TEMPLATE @.temp (LEXIZE = dsimple_lexize)'],
  ['range type', '@.span', 'CREATE TYPE @.span AS RANGE (SUBTYPE = float8)'],
  [
    'multirange type',
    '@.span_multirange',
    'CREATE TYPE @.span_range AS RANGE (SUBTYPE = float8, MULTIRANGE_TYPE_NAME = @.span_multirange)',
  ],
  ['unfinished type', '@.shell', 'CREATE TYPE @.shell'],
  [
    'base type',
    '@.number',
    `CREATE TYPE @.number; CREATE FUNCTION @.num_in(cstring) RETURNS @.number LANGUAGE internal STRICT IMMUTABLE AS 'int4in';
     CREATE FUNCTION @.num_out(@.number) RETURNS cstring LANGUAGE internal STRICT IMMUTABLE AS 'int4out';
     CREATE TYPE @.number (INPUT = @.num_in, OUTPUT = @.num_out, LIKE = integer)`,
  ],
  [
    'cast',
    '(@.mood AS integer)',
    `CREATE TYPE @.mood AS ENUM ('a'); CREATE FUNCTION @.to_int(@.mood) RETURNS integer LANGUAGE sql AS 'select 1'; CREATE CAST (@.mood AS integer) WITH FUNCTION @.to_int(@.mood)`,
  ],
  [
    'transform',
    'for @.mood on language sql',
    `CREATE TYPE @.mood AS ENUM ('a'); CREATE FUNCTION @.from_it(internal) RETURNS @.mood LANGUAGE internal IMMUTABLE AS 'enum_recv';
     CREATE TRANSFORM FOR @.mood LANGUAGE sql (FROM SQL WITH FUNCTION prsd_lextype(internal), TO SQL WITH FUNCTION @.from_it(internal))`,
  ],
  [
    'language',
    'lang_@',
    `CREATE FUNCTION @.handler() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler'; CREATE LANGUAGE lang_@ HANDLER @.handler`,
  ],
  ['extension', 'citext', 'CREATE EXTENSION citext SCHEMA @'],
  [
    'object that depends on extension fuzzystrmatch',
    'function @.f()',
    `CREATE EXTENSION IF NOT EXISTS fuzzystrmatch SCHEMA public; CREATE FUNCTION @.f() RETURNS integer LANGUAGE sql AS 'select 1';
     ALTER FUNCTION @.f() DEPENDS ON EXTENSION fuzzystrmatch`,
  ],
  [
    'object of extension fuzzystrmatch',
    'table @.member',
    `CREATE EXTENSION IF NOT EXISTS fuzzystrmatch SCHEMA public; CREATE TABLE @.member (a integer); ALTER EXTENSION fuzzystrmatch ADD TABLE @.member`,
  ],
  [
    'large objects in column',
    '@.t.picture',
    `CREATE DOMAIN @.lo AS oid; CREATE DOMAIN @.picture AS @.lo; CREATE TABLE @.t (a oid, picture @.picture); INSERT INTO @.t VALUES (1, lo_create(0))`,
  ],
  [
    'security label on table',
    '@.t',
    `CREATE TABLE @.t (a integer); SET allow_system_table_mods = on;
     INSERT INTO pg_seclabel (objoid, classoid, objsubid, provider, label) VALUES ('@.t'::regclass, 'pg_class'::regclass, 0, 'nobody', 'x')`,
  ],
  [
    'table with access method other_heap_2',
    '@.v',
    'CREATE ACCESS METHOD other_heap_2 TYPE TABLE HANDLER heap_tableam_handler; CREATE MATERIALIZED VIEW @.v USING other_heap_2 AS SELECT 1 AS a',
  ],
  ['rule', 'also on @.v', 'CREATE VIEW @.v AS SELECT 1 AS a; CREATE RULE also AS ON INSERT TO @.v DO INSTEAD NOTHING'],
  [
    'access method',
    'method_of_@',
    `CREATE FUNCTION @.handler(internal) RETURNS index_am_handler LANGUAGE internal AS 'bthandler'; CREATE ACCESS METHOD method_of_@ TYPE INDEX HANDLER @.handler`,
  ],
  [
    'foreign-data wrapper',
    'wrapper_of_@',
    `CREATE FUNCTION @.validate(text[], oid) RETURNS boolean LANGUAGE internal AS 'postgresql_fdw_validator'; CREATE FOREIGN DATA WRAPPER wrapper_of_@ VALIDATOR @.validate`,
  ],
]

test.each(CASES.map((row, at) => [...row, `u${at}`] as const))('refuses a %s: %s', async (kind, name, sql, schema) => {
  const own = (text: string) => text.replaceAll('@', schema)
  await server.psql('refusals', `CREATE SCHEMA ${schema};\n${own(sql)}`)
  const error = await refusal(schema)
  expect(error.code).toBe('dump-unsupported')
  expect(error.details.objects).toContainEqual({ kind, name: own(name) })
  expect(error.message).toContain(`${kind} ${own(name)}`)
  expect(error.hint).toContain('pg_dump')
})

test('every catalogue of the server is written, refused, told or no part of a schema', async () => {
  expect(await unsortedCatalogues((sql) => runSql(server.connection('refusals'), sql))).toEqual([])
  // and those that are refused have a case above
  const kinds = CASES.map(([kind]) => kind).join('\n')
  for (const kind of refusedKinds()) expect(kinds).toMatch(new RegExp(`^${kind}`, 'm'))
})

test('names all of them at once', async () => {
  await server.psql(
    'refusals',
    `CREATE SCHEMA several; CREATE COLLATION several.c (LOCALE = 'C'); CREATE TABLE several.t (a integer); CREATE RULE r AS ON DELETE TO several.t DO INSTEAD NOTHING; CREATE AGGREGATE several.g(integer) (SFUNC = int4pl, STYPE = integer)`,
  )
  const { message } = await refusal('several')
  expect(message).toContain('collation several.c')
  expect(message).toContain('rule r on several.t')
  expect(message).toContain('aggregate several.g')
})

test('refuses a circle that can’t be opened', async () => {
  await server.psql(
    'refusals',
    `CREATE SCHEMA circle; CREATE FUNCTION circle.a() RETURNS integer LANGUAGE sql BEGIN ATOMIC SELECT 1; END;
     CREATE FUNCTION circle.b() RETURNS integer LANGUAGE sql BEGIN ATOMIC SELECT circle.a(); END;
     CREATE OR REPLACE FUNCTION circle.a() RETURNS integer LANGUAGE sql BEGIN ATOMIC SELECT circle.b(); END;`,
  )
  const error = await refusal('circle')
  expect(error.code).toBe('dump-unsupported')
  expect(error.message).toMatch(/circle of dependencies/)
})

test('refuses a database whose names have no known encoding', async () => {
  await server.psql('postgres', `CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'`)
  expect(await refusal('public', 'ascii')).toMatchObject({
    code: 'dump-unsupported',
    message: expect.stringContaining('SQL_ASCII'),
  })
})

test('an unknown schema and what may not be read are told before any byte', async () => {
  expect(await refusal('nowhere')).toMatchObject({ code: 'schema-unknown', details: { schema: 'nowhere' } })
  await server.psql(
    'refusals',
    `CREATE SCHEMA guarded; CREATE TABLE guarded.rsc_gone (a integer); CREATE TABLE guarded.open (a integer); CREATE SEQUENCE guarded.seq`,
  )
  expect(await refusal('guarded', 'refusals', 'zotonic')).toMatchObject({
    code: 'dump-permission',
    message: expect.stringContaining('permission denied for schema guarded'),
  })
  await server.psql('refusals', 'GRANT USAGE ON SCHEMA guarded TO zotonic; GRANT SELECT ON guarded.open TO zotonic')
  const error = await refusal('guarded', 'refusals', 'zotonic')
  expect(error.code).toBe('dump-permission')
  expect(error.message).toContain('permission denied for table rsc_gone')
  expect(error.message).toContain('permission denied for sequence seq')
  expect(error.message).not.toContain('open')
})
