import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EVERYTHING_ROLES, pgDumpEntries } from '#test/support/dump.ts'
import { fixture, hasFixtures } from '#test/support/fixtures.ts'
import { dumpOf, load, unpackedDump } from '#test/support/load.ts'
import { type Postgres15, startPostgres15 } from '#test/support/postgres.ts'

if (!hasFixtures) console.error('SKIPPED part of test/integration/load-copy.test.ts: the fixtures of a real server are missing')

const END = '--\n-- PostgreSQL database dump complete\n--\n'
const dump = (sql: string) => `CREATE SCHEMA site;\n${sql}\n${END}`

describe('loading a dump under another name', () => {
  let postgres: Postgres15
  beforeAll(async () => {
    postgres = await startPostgres15()
    await postgres.psql('postgres', EVERYTHING_ROLES)
  })
  afterAll(() => postgres?.stop())

  /** Entries of a schema with its name put in place of another's, as a person would with a text editor. */
  const entriesOf = async (database: string, schema: string, as = schema) =>
    (await pgDumpEntries(postgres, database, schema))
      .map((entry) => entry.replaceAll(`"${schema}"`, `"${as}"`).replaceAll(`Schema: ${schema};`, `Schema: ${as};`))
      .map((entry) => entry.replaceAll(`'${schema}', 'odd`, `'${as}', 'odd`).replaceAll(`${schema}.`, `${as}.`))
      .map((entry) =>
        entry.replace(/^Name: \w+; Type: SCHEMA/, 'Name: x; Type: SCHEMA').replace(/SCHEMA \w+; Type/, 'SCHEMA x; Type'),
      )
      .sort()

  it.skipIf(!hasFixtures)('makes a staging copy of a real site beside the live one, which stays as it is', async () => {
    await postgres.createDatabase('zotonic')
    await postgres.psql('zotonic', { file: fixture('testsite-full.sql.gz') }, 'zotonic')
    await postgres.psql('zotonic', 'CREATE SCHEMA staging; CREATE TABLE staging.old (a integer)', 'zotonic')
    const before = await entriesOf('zotonic', 'testsite')
    const result = await load(postgres, 'zotonic', unpackedDump(fixture('testsite-full.sql.gz')), {
      schema: 'staging',
      dumpSchema: 'testsite',
      keepLiveAs: 'staging_before_20261123094200',
    })
    expect(result.tables).toContain('rsc')
    expect(await entriesOf('zotonic', 'testsite')).toEqual(before)
    expect(await entriesOf('zotonic', 'staging', 'testsite')).toEqual(before)
    expect(await postgres.psql('zotonic', 'SELECT count(*) FROM staging_before_20261123094200.old')).toBe('0\n')
    // the copy's sequences are its own
    await postgres.psql(
      'zotonic',
      "SET search_path = staging; SELECT setval('staging.rsc_id_seq', 5000); DELETE FROM staging.edge; UPDATE staging.rsc SET version = version + 1",
    )
    expect(await entriesOf('zotonic', 'testsite')).toEqual(before)
  })

  it('gives what the original is, for every kind of object', async () => {
    const sql = (await readFile(join(import.meta.dirname, '..', 'fixtures', 'sql', 'everything.sql'), 'utf8'))
      .replace('4000000)', '400000)')
      .replace("LANGUAGE internal IMMUTABLE STRICT AS 'lower'", "LANGUAGE sql IMMUTABLE STRICT AS 'select pg_catalog.lower($1)'")
      .replace(/SET SESSION AUTHORIZATION "Odd[\s\S]*?RESET SESSION AUTHORIZATION;/, '')
    await postgres.createDatabase('everything')
    await postgres.psql('everything', sql)
    const wanted = await entriesOf('everything', 'everything')
    for (const args of [[], ['--quote-all-identifiers'], ['--inserts', '--rows-per-insert=50']]) {
      await postgres.createDatabase('copy')
      // with the original beside it, nothing may reach over
      await postgres.psql('copy', sql)
      await load(postgres, 'copy', await postgres.pgDump('everything', ['-n', 'everything', ...args]), {
        schema: 'Copy "2"',
        dumpSchema: 'everything',
        keepLiveAs: null,
        connection: postgres.connection('copy'),
      })
      expect(await entriesOf('copy', 'everything')).toEqual(wanted)
      await postgres.psql('copy', 'DROP SCHEMA everything CASCADE; ALTER SCHEMA "Copy ""2""" RENAME TO copied')
      const found = (await entriesOf('copy', 'copied', 'everything')).map((entry) =>
        // what is text stays as it was loaded
        entry.replaceAll('"Copy ""2""".', 'everything.').replaceAll(`'Copy "2"'`, "'everything'"),
      )
      const isByNumbers = args.includes('--inserts')
      expect(isByNumbers ? found.map((entry) => entry.replace('-Infinity\t0\t', '-Infinity\t-0\t')) : found).toEqual(wanted)
      await postgres.psql('postgres', 'DROP DATABASE copy')
    }
  })

  it('leaves out owners and rights, and counts them', async () => {
    await postgres.createDatabase('plain')
    const script = dump(`ALTER SCHEMA site OWNER TO nobody_here;
CREATE TABLE site.t (a integer);
ALTER TABLE site.t OWNER TO nobody_here;
COPY site.t (a) FROM stdin;
1
\\.
REVOKE ALL ON SCHEMA site FROM PUBLIC;
GRANT SELECT ON TABLE site.t TO nobody_here;
ALTER DEFAULT PRIVILEGES FOR ROLE nobody_here IN SCHEMA site GRANT SELECT ON TABLES TO PUBLIC;`)
    const options = { schema: 'site', keepLiveAs: null }
    await expect(load(postgres, 'plain', script, options)).rejects.toMatchObject({ code: 'statement-failed' })
    const result = await load(postgres, 'plain', script, { ...options, withoutOwners: true, withoutGrants: true })
    expect(result).toMatchObject({ rows: 1, leftOut: { owners: 2, grants: 3, others: [] } })
    const owner = await postgres.psql(
      'plain',
      "SELECT nspowner::regrole, nspacl IS NULL FROM pg_namespace WHERE nspname = 'site'",
    )
    expect(owner).toBe('zotonic|t\n')
  })

  const REFUSED: [string, string, RegExp][] = [
    [
      'a query in a text of a function',
      "CREATE FUNCTION site.f() RETURNS void LANGUAGE plpgsql AS $$ begin execute 'delete from site.t'; end $$;",
      /CREATE FUNCTION "f" names it in a text in its body/,
    ],
    [
      'a search path in a body',
      'CREATE FUNCTION site.f() RETURNS void LANGUAGE plpgsql AS $$ begin set local search_path = site; end $$;',
      /uses that name in its body/,
    ],
    [
      'a body with E strings',
      "CREATE FUNCTION site.f() RETURNS text LANGUAGE sql AS E'select site.g(''\\x41'')';",
      /CREATE FUNCTION "f" names it in its body/,
    ],
    [
      'an alias of that name',
      'CREATE VIEW site.v AS SELECT site.a FROM site.t site;',
      /CREATE VIEW "v" uses that name for something else/,
    ],
    [
      'a trigger’s argument',
      "CREATE TABLE site.t (a tsvector, b text);\nCREATE TRIGGER x BEFORE INSERT ON site.t FOR EACH ROW EXECUTE FUNCTION tsvector_update_trigger('a', 'site.conf', 'b');",
      /CREATE TRIGGER "t" names it in a text/,
    ],
    ['a default that is a text', "CREATE TABLE site.t (a text DEFAULT 'site.seq'::text);", /CREATE TABLE "t" names it in a text/],
  ]
  it.each(REFUSED)('refuses %s', async (_, sql, message) => {
    await postgres.createDatabase('refused')
    try {
      const before = await dumpOf(postgres, 'refused')
      const loading = load(postgres, 'refused', dump(sql), { schema: 'copy', dumpSchema: 'site', keepLiveAs: null })
      await expect(loading).rejects.toMatchObject({ code: 'schema-in-text', message: expect.stringMatching(message) })
      expect(await dumpOf(postgres, 'refused')).toBe(before)
    } finally {
      await postgres.psql('postgres', 'DROP DATABASE refused')
    }
  })

  it('renames in functions what it can tell for certain', async () => {
    await postgres.createDatabase('bodies')
    await load(
      postgres,
      'bodies',
      dump(`SET check_function_bodies = false;
CREATE FUNCTION site.f() RETURNS bigint LANGUAGE plpgsql SET search_path TO 'site', 'pg_temp' AS $f$
declare r site.t%rowtype; -- of site.t
begin select * into r from site.t where a = site.t.a; return nextval('site.s') + currval('site.s'::regclass); end $f$;
CREATE FUNCTION site.g() RETURNS bigint LANGUAGE sql AS 'select count(*) from site."t" -- site''s';
CREATE SEQUENCE site.s;
CREATE TABLE site.t (a integer DEFAULT nextval(('site.s'::text)::regclass), site text);
ALTER TABLE site.t ADD CONSTRAINT c CHECK (site <> 'www.site-of-mine.example');
COMMENT ON TABLE site.t IS 'belongs to site.t';`),
      { schema: 'copy', dumpSchema: 'site', keepLiveAs: null },
    )
    expect(await postgres.psql('bodies', "SELECT copy.f(), copy.g(); INSERT INTO copy.t (site) VALUES ('x') RETURNING a")).toBe(
      '2|0\n2\n',
    )
    expect(await postgres.psql('bodies', "SELECT proconfig, prosrc ~ 'copy\".t%row' FROM pg_proc WHERE proname = 'f'")).toBe(
      '{"search_path=copy, pg_temp"}|t\n',
    )
    expect(await postgres.psql('bodies', "SELECT obj_description('copy.t'::regclass)")).toBe('belongs to site.t\n')
  })

  it('finds what still reaches over to the schema of that name', async () => {
    await postgres.createDatabase('reaches')
    await postgres.psql('reaches', 'CREATE SCHEMA site; CREATE TABLE site.t (a integer)', 'zotonic')
    const script = dump('CREATE TABLE site.t (a regclass);\nCOPY site.t (a) FROM stdin;\nsite.t\n\\.\n')
    const loading = load(postgres, 'reaches', script, { schema: 'copy', dumpSchema: 'site', keepLiveAs: null })
    await expect(loading).rejects.toMatchObject({ code: 'schema-in-text', message: expect.stringContaining('column "a"') })
  })

  it('takes no dump of a third schema', async () => {
    await postgres.createDatabase('third')
    const options = { schema: 'copy', dumpSchema: 'site', keepLiveAs: null }
    await expect(load(postgres, 'third', dump('').replace('site', 'third'), options)).rejects.toMatchObject({
      code: 'other-schema',
    })
    await expect(load(postgres, 'third', dump('').replace('site', 'copy'), options)).rejects.toMatchObject({
      code: 'other-schema',
    })
  })
})
