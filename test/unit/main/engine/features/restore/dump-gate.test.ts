import { describe, expect, it } from 'vitest'
import { DumpGate } from '#engine/features/restore/allow-list/dump-gate.ts'
import { readScript } from '#engine/features/restore/script/script-reader.ts'
import { codeOf } from '#test/support/repository-contract.ts'

const END = '\n--\n-- PostgreSQL database dump complete\n--\n'

/** Lets a dump through; resolves with the functions that would run while it is loaded. */
async function pass(...statements: string[]): Promise<string[]> {
  const gate = new DumpGate({ schema: 'site' })
  async function* source() {
    yield Buffer.from(`CREATE SCHEMA site;\n${statements.map((text) => `${text};\n`).join('')}${END}`)
  }
  for await (const item of readScript(source())) await gate.pass(item)
  return [...gate.runs]
}

const computes = (name: string, body = 'select $1 * 2') =>
  `CREATE FUNCTION site.${name}(integer) RETURNS integer LANGUAGE sql IMMUTABLE AS '${body}'`
const reaches = (name: string) => computes(name).replace('select $1 * 2', 'delete from site.t')

describe('what of a dump runs while it is loaded', () => {
  it.each([
    ['nothing', ['CREATE TABLE site.t (a integer DEFAULT 1 CHECK (a > 0 AND length(b) < pg_catalog.length(c)))'], []],
    ['a default', ['CREATE TABLE site.t (a integer DEFAULT site.f(1))'], ['site.f']],
    ['a default, quoted', ['CREATE TABLE "site"."t" ("a" integer DEFAULT "site"."f"(1))'], ['site.f']],
    ['a check', ['CREATE TABLE site.t (a integer, CONSTRAINT c CHECK ((site.f(a) > 1)))'], ['site.f']],
    ['a generated column', ['CREATE TABLE site.t (a integer GENERATED ALWAYS AS (site.f(1)) STORED)'], ['site.f']],
    ['a check that comes later', ['CREATE TABLE site.t (a integer)', 'ALTER TABLE site.t ADD CHECK (site.f(a) > 1)'], ['site.f']],
    [
      'a default that comes later',
      ['CREATE TABLE site.t (a integer)', 'ALTER TABLE site.t ALTER a SET DEFAULT site.f(1)'],
      ['site.f'],
    ],
    ['a domain', ['CREATE DOMAIN site.d AS text CHECK (site.f(VALUE))'], ['site.f']],
    [
      'a domain’s later check',
      ['CREATE DOMAIN site.d AS text', 'ALTER DOMAIN site.d ADD CONSTRAINT c CHECK (site.f(VALUE))'],
      ['site.f'],
    ],
    [
      'an index',
      ['CREATE TABLE site.t (a integer)', 'CREATE INDEX i ON site.t USING btree (site.f(a)) WHERE site.g(a)'],
      ['site.f', 'site.g'],
    ],
    ['statistics', ['CREATE STATISTICS site.s ON (site.f(a)), b FROM site.t'], ['site.f']],
    ['a range’s helper', ['CREATE TYPE site.r AS RANGE (SUBTYPE = integer, SUBTYPE_DIFF = site.f)'], ['site.f']],
    ['a materialised view', ['CREATE MATERIALIZED VIEW site.m AS SELECT site.f(1)'], ['site.f']],
    ['a view alone', ['CREATE VIEW site.v AS SELECT site.f(1)'], []],
    [
      'a view in a materialised one',
      ['CREATE VIEW site.v AS SELECT site.f(1)', 'CREATE MATERIALIZED VIEW site.m AS SELECT * FROM site.v'],
      ['site.f'],
    ],
    [
      'a view that is changed before a materialised one is filled',
      [
        'CREATE MATERIALIZED VIEW site.m AS SELECT 1 WITH NO DATA',
        'CREATE VIEW site.v AS SELECT site.f(1)',
        'REFRESH MATERIALIZED VIEW site.m',
      ],
      ['site.f'],
    ],
    ['a policy', ['CREATE POLICY p ON site.t USING (site.f(a))'], []],
    ['a foreign key', ['CREATE TABLE site.t (a integer REFERENCES site.u(a))'], []],
    [
      'a query in a default',
      [`CREATE TABLE site.t (a xml DEFAULT query_to_xml('select 1', true, true, ''))`],
      ['pg_catalog.query_to_xml'],
    ],
    [
      'a file that is read',
      [`CREATE TABLE site.t (a text DEFAULT pg_catalog.pg_read_file('/etc/passwd'))`],
      ['pg_catalog.pg_read_file'],
    ],
    ['a file that is written', ["CREATE TABLE site.t (a integer CHECK (lo_export(1, '/tmp/x') > 0))"], ['pg_catalog.lo_export']],
    ['a setting', [`CREATE TABLE site.t (a text DEFAULT set_config('role', 'postgres', false))`], ['pg_catalog.set_config']],
    ['another session', ['CREATE INDEX i ON site.t (pg_terminate_backend(a))'], ['pg_catalog.pg_terminate_backend']],
    ['another database', [`CREATE TABLE site.t (a text DEFAULT public.dblink_exec('dbname=x', 'y'))`], ['public.dblink_exec']],
  ])('%s', async (_, statements, runs) => {
    expect(await pass(...statements)).toEqual(runs)
  })

  const CHECK = 'CREATE TABLE site.t (a integer CHECK (site.f(a) > 1))'
  it.each([
    ['computes in SQL', [computes('f')], []],
    [
      'computes in PL/pgSQL',
      [computes('f', 'begin if $1 > 1 then return $1; end if; return length($1::text); end').replace('sql', 'plpgsql')],
      [],
    ],
    ['computes, as an expression', ['CREATE FUNCTION site.f(a integer) RETURNS integer LANGUAGE sql RETURN (a + 1)'], []],
    ['calls one that computes', [computes('g'), computes('f', 'select site.g($1)')], []],
    ['calls one that does more', [reaches('g'), computes('f', 'select site.g($1)')], ['site.g']],
    ['writes', [reaches('f')], ['site.f']],
    ['reads a table', [computes('f', 'with x as (select a from site.t) select max(a) from x')], []],
    [
      'reads a view that does more',
      ['CREATE VIEW site.v AS SELECT site.g(1)', reaches('g'), computes('f', 'select * from site.v')],
      ['site.g'],
    ],
    ['changes a table in passing', [computes('f', 'with x as (delete from site.t returning a) select a from x')], ['site.f']],
    ['keeps what it reads', [computes('f', 'select 1 into site.new')], ['site.f']],
    ['runs a text', [computes('f', 'begin execute $1; end')], ['site.f']],
    ['reaches out', [computes('f', 'select pg_backend_pid() + length(pg_read_file($1::text))')], ['pg_catalog.pg_read_file']],
    [
      'has a default that reaches out',
      ["CREATE FUNCTION site.f(integer, text DEFAULT pg_read_file('x')) RETURNS integer LANGUAGE sql AS 'select 1'"],
      ['pg_catalog.pg_read_file'],
    ],
    ['has a search path of its own', [computes('f').replace(' AS', ' SET search_path = site AS')], ['site.f']],
    ['hides in an E string', [computes('f').replace("AS '", "AS E'")], ['site.f']],
    ['has a namesake that does more', [computes('f'), reaches('f').replace('(integer)', '(text)')], ['site.f']],
    ['is not there yet', [], ['site.f']],
  ])('a function that %s', async (_, functions, runs) => {
    expect(await pass(...functions, CHECK)).toEqual(runs)
  })

  it('a function that is replaced by one that does more', async () => {
    const replaced = reaches('f').replace('CREATE', 'CREATE OR REPLACE')
    expect(await pass(computes('f'), CHECK, replaced)).toEqual(['site.f'])
    const below = reaches('g').replace('CREATE', 'CREATE OR REPLACE')
    expect(await pass(computes('g'), computes('f', 'select site.g($1)'), CHECK, below)).toEqual(['site.g'])
  })
})

describe('what a whole dump is', () => {
  const TABLE = 'CREATE TABLE site.t (a integer)'
  const TRIGGER = 'CREATE TRIGGER x BEFORE INSERT ON site.t FOR EACH ROW EXECUTE FUNCTION site.f()'
  const ROW = 'INSERT INTO site.t VALUES (1)'
  it.each([
    ['rows for a table of the dump', [TABLE, ROW, TRIGGER], 'no error'],
    ['rows after a trigger', [TABLE, TRIGGER, ROW], 'statement-refused'],
    ['rows for a table that it did not make', [ROW], 'statement-refused'],
    ['rows for a view', ['CREATE VIEW site.t AS SELECT * FROM other.keep', ROW], 'statement-refused'],
    ['DROP once the schema is made', ['DROP TABLE site.t'], 'statement-refused'],
    ['a constraint dropped once the schema is made', [TABLE, 'ALTER TABLE site.t DROP CONSTRAINT c'], 'statement-refused'],
    ['a table made like another', ['CREATE TABLE site.t (LIKE other.keep INCLUDING ALL)'], 'statement-refused'],
    ['a column of that name', ['CREATE TABLE site.t ("like" integer, a integer)'], 'no error'],
    ['numbers of another’s sequence', [`CREATE TABLE site.t (a integer DEFAULT nextval('other.s'::regclass))`], 'other-schema'],
    [
      'numbers of another’s sequence, later',
      [TABLE, `ALTER TABLE site.t ALTER COLUMN a SET DEFAULT nextval(('other.s'::text)::regclass)`],
      'other-schema',
    ],
    ['numbers of who knows which sequence', [`CREATE TABLE site.t (a integer DEFAULT nextval(b))`], 'statement-refused'],
    [
      'a role in quotes',
      ["CREATE FUNCTION site.f() RETURNS integer LANGUAGE sql SET \"role\" TO 'postgres' AS 'select 1'"],
      'statement-refused',
    ],
    [
      'a session in quotes',
      ['CREATE FUNCTION site.f() RETURNS integer LANGUAGE sql SET "session_authorization" = x AS \'select 1\''],
      'statement-refused',
    ],
    ['names in Unicode escapes', ['CREATE TABLE U&"s\\0069te".t (a integer)'], 'script-token'],
    ['names in Unicode escapes, small', ['CREATE TABLE u&"site".t (a integer)'], 'script-token'],
    ['another encoding by NAMES', ["SET NAMES 'LATIN1'"], 'statement-refused'],
    ['another encoding', ["SET client_encoding TO 'SJIS'"], 'statement-refused'],
    ['a time zone', ["SET TIME ZONE 'x'"], 'statement-refused'],
    ['no triggers at all', ["SET session_replication_role = 'replica'"], 'statement-refused'],
    ['other rows than are there', ['SET row_security = on'], 'statement-refused'],
    ['a search path for one table', ["SELECT pg_catalog.set_config('search_path', 'other', true)"], 'statement-refused'],
    ['a role by set_config', ["SELECT set_config('session_authorization', 'postgres', false)"], 'statement-refused'],
  ])('%s', async (_, statements, code) => {
    expect(await codeOf(pass(...statements))).toBe(code)
  })
})
