import { describe, expect, it } from 'vitest'
import { checkStatement } from '#engine/features/restore/allow-list/index.ts'
import { codeOf } from '#test/support/repository-contract.ts'

const check = (text: string) => checkStatement(text, 'site', { line: 7, offset: 100 })

describe('the list of what a dump may do', () => {
  it.each([
    "SET client_encoding = 'UTF8'",
    'SET transaction_timeout = 0',
    "SELECT pg_catalog.set_config('search_path', '', false)",
    `SELECT pg_catalog.setval('"site"."odd.""name"""', -5, true)`,
    'CREATE SCHEMA "site"',
    'ALTER SCHEMA site OWNER TO zotonic',
    'CREATE UNLOGGED TABLE site.t (id integer DEFAULT public.f(1) NOT NULL, x public.citext)',
    'CREATE TABLE site.p PARTITION OF site.t FOR VALUES FROM (1) TO (2)',
    'CREATE TABLE site.t (a integer, b integer GENERATED ALWAYS AS (a * 2) STORED)',
    'CREATE TABLE site.t (sequence name, inherits text)',
    'ALTER TABLE ONLY site.t ADD CONSTRAINT f FOREIGN KEY (a, b) REFERENCES site.u(a, b), ALTER COLUMN a SET DEFAULT 1',
    'ALTER TABLE site.t ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME site.s START WITH 1)',
    'ALTER TABLE site.t DISABLE TRIGGER x',
    'CREATE INDEX i ON ONLY site.t USING btree (lower(a)) WHERE (b IS NOT NULL)',
    'CREATE TRIGGER t AFTER INSERT OR UPDATE OF "on" ON site.t FOR EACH ROW EXECUTE FUNCTION site.f()',
    'CREATE OR REPLACE VIEW site.v AS SELECT a.b FROM other.a',
    'CREATE FUNCTION site.f(language text DEFAULT $$;$$) RETURNS text LANGUAGE sql AS $$ select 1; select 2 $$',
    'CREATE FUNCTION site.f() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT language FROM site.t; SELECT 2; END',
    'CREATE FUNCTION site.f(language text) RETURNS text RETURN language',
    'GRANT SELECT(a),UPDATE(b) ON TABLE site.t TO reader WITH GRANT OPTION',
    'REVOKE ALL ON FUNCTION site.f(a integer, b text) FROM PUBLIC',
    'ALTER DEFAULT PRIVILEGES FOR ROLE zotonic IN SCHEMA site GRANT SELECT ON TABLES  TO reader',
    "COMMENT ON CONSTRAINT c ON DOMAIN site.d IS 'x'",
    "COMMENT ON COLUMN site.t.a IS E'a\\'b'",
    'COPY site.t (program, "to") FROM stdin',
    "INSERT INTO site.t (a, b) OVERRIDING SYSTEM VALUE VALUES (1, 'x'), (-1e+16, E'\\\\'), (NULL, B'101') ON CONFLICT DO NOTHING",
    'REFRESH MATERIALIZED VIEW site.m',
  ])('has %s', async (text) => {
    expect(await codeOf(check(text))).toBe('no error')
  })

  it.each([
    ['BEGIN', 'statement-refused'],
    ['ABORT', 'statement-refused'],
    ['VACUUM site.t', 'statement-refused'],
    ['LOCK TABLE site.t', 'statement-refused'],
    ["LOAD 'x'", 'statement-refused'],
    ['LISTEN x', 'statement-refused'],
    ['EXECUTE x', 'statement-refused'],
    ['TRUNCATE site.t', 'statement-refused'],
    ['UPDATE site.t SET a = 1', 'statement-refused'],
    ['WITH x AS (SELECT 1) SELECT 1', 'statement-refused'],
    ['"commit"', 'statement-refused'],
    ["SECURITY LABEL ON TABLE site.t IS 'x'", 'statement-refused'],
    ['SET LOCAL lock_timeout = 0', 'statement-refused'],
    ['SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY', 'statement-refused'],
    ["SET client_encoding = 'SJIS'", 'statement-refused'],
    ['SET row_security = on', 'statement-refused'],
    ['CREATE SCHEMA site CREATE TABLE x (a integer)', 'statement-refused'],
    ['CREATE SCHEMA other', 'other-schema'],
    ['CREATE TEMP TABLE x (a integer)', 'statement-refused'],
    ['CREATE TABLE IF NOT EXISTS site.t (a integer)', 'other-schema'],
    ['CREATE TABLE other.site.t (a integer)', 'other-schema'],
    ['CREATE TABLE site.t (a integer) INHERITS (other.p)', 'other-schema'],
    ['CREATE TABLE site.p PARTITION OF other.t DEFAULT', 'other-schema'],
    ['CREATE TABLE site.t (a integer, FOREIGN KEY (a) REFERENCES "other"."t")', 'other-schema'],
    ['CREATE TABLE site.t WITH (fillfactor = 10) AS SELECT 1', 'statement-refused'],
    ['CREATE INDEX CONCURRENTLY i ON site.t (a)', 'statement-refused'],
    ['CREATE INDEX i ON other.t (a)', 'other-schema'],
    ['CREATE TYPE site.t (INPUT = x, OUTPUT = y)', 'statement-refused'],
    ['CREATE OPERATOR site.+ (FUNCTION = site.f)', 'statement-refused'],
    ['CREATE CAST (text AS integer) WITH INOUT', 'statement-refused'],
    ['CREATE SERVER s FOREIGN DATA WRAPPER w', 'statement-refused'],
    ['CREATE PUBLICATION p', 'statement-refused'],
    ["CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p", 'statement-refused'],
    ['CREATE LANGUAGE plpython3u', 'statement-refused'],
    ['CREATE USER x', 'statement-refused'],
    ["CREATE TABLESPACE t LOCATION '/tmp'", 'statement-refused'],
    ["CREATE FUNCTION site.f() RETURNS integer AS 'x' LANGUAGE 'C'", 'statement-refused'],
    ["CREATE FUNCTION site.f() RETURNS integer AS 'x'", 'statement-refused'],
    ['CREATE FUNCTION site.f() RETURNS integer LANGUAGE sql SET role = postgres AS $$ select 1 $$', 'statement-refused'],
    ['CREATE FUNCTION other.f() RETURNS integer LANGUAGE sql AS $$ select 1 $$', 'other-schema'],
    ['ALTER TABLE site.t SET SCHEMA other', 'statement-refused'],
    ['ALTER TABLE site.t RENAME TO u', 'statement-refused'],
    ['ALTER TABLE site.t OWNER TO zotonic, DROP COLUMN a', 'statement-refused'],
    ['ALTER TABLE site.t ENABLE TRIGGER x, DROP COLUMN a', 'statement-refused'],
    ['ALTER TABLE site.t ATTACH PARTITION other.p DEFAULT', 'other-schema'],
    ['ALTER TABLE site.t INHERIT other.p', 'other-schema'],
    ['ALTER TABLE site.t ALTER COLUMN a TYPE text USING other.f(a)', 'statement-refused'],
    ['ALTER TABLE site.t ALTER COLUMN a ADD GENERATED ALWAYS AS IDENTITY (START 1 SEQUENCE NAME other.s)', 'other-schema'],
    ['ALTER SEQUENCE site.s OWNED BY other.t.a', 'other-schema'],
    ['ALTER SEQUENCE site.s RESTART', 'statement-refused'],
    ['ALTER SCHEMA site RENAME TO x', 'statement-refused'],
    ['ALTER ROLE zotonic SUPERUSER', 'statement-refused'],
    ['ALTER DATABASE x SET role = y', 'statement-refused'],
    ['ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC', 'statement-refused'],
    ['ALTER DEFAULT PRIVILEGES IN SCHEMA site, other GRANT ALL ON TABLES TO PUBLIC', 'statement-refused'],
    ['GRANT a TO b', 'statement-refused'],
    ['GRANT ALL ON SCHEMA site, other TO b', 'statement-refused'],
    ['GRANT ALL ON ALL TABLES IN SCHEMA other TO b', 'statement-refused'],
    ['GRANT ALL ON TABLE other.t TO b', 'other-schema'],
    ['GRANT CREATE ON DATABASE x TO b', 'statement-refused'],
    ["COMMENT ON DATABASE x IS 'y'", 'statement-refused'],
    ["COMMENT ON TABLE other.t IS 'y'", 'other-schema'],
    ['COPY site.t FROM stdin WITH CSV', 'statement-refused'],
    ['COPY site.t TO stdout', 'statement-refused'],
    ['INSERT INTO site.t VALUES (1) RETURNING 1', 'statement-refused'],
    ['INSERT INTO site.t VALUES ((SELECT 1))', 'statement-refused'],
    ['INSERT INTO site.t VALUES (now())', 'statement-refused'],
    ["INSERT INTO site.t VALUES ('a'::regclass)", 'statement-refused'],
    ['INSERT INTO site.t VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 2', 'statement-refused'],
    ['REFRESH MATERIALIZED VIEW other.m', 'other-schema'],
    ['CREATE TABLE site.t (a integer); COMMIT', 'statement-refused'],
    ["COMMENT ON SCHEMA site IS U&'x'", 'script-token'],
    [`CREATE TABLE site."${'x'.repeat(64)}" (a integer)`, 'statement-refused'],
  ])('has not %s', async (text, code) => {
    expect(await codeOf(check(text))).toBe(code)
  })

  it('tells where, what, and nothing of the values', async () => {
    await expect(check("/* x */ Create  Role secret PASSWORD 'hidden'")).rejects.toMatchObject({
      message: expect.stringMatching(/^Line 7 of the dump: CREATE ROLE .*is not allowed/),
      details: { line: 7, offset: 100 },
    })
    await expect(check("Create Role x PASSWORD 'hidden'")).rejects.not.toMatchObject({
      message: expect.stringContaining('hidden'),
    })
  })

  it('tells what a dump needs from outside', async () => {
    expect(await check('ALTER TABLE site.t OWNER TO "Odd Role"')).toMatchObject({ owners: ['Odd Role'] })
    expect(await check('GRANT ALL ON TABLE site.t TO a, PUBLIC, b')).toMatchObject({ roles: ['a', 'b'] })
    expect(await check('CREATE TABLE site.t (a public.citext, b pg_catalog.int4, c site.own)')).toMatchObject({
      table: 't',
      references: ['public.citext'],
    })
  })
})
