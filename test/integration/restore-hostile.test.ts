import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectPostgres } from '#engine/foundation/connections/postgres.ts'
import { gunzip } from '#engine/foundation/content/gunzip.ts'
import { AppError } from '#shared/errors.ts'
import { layOutServerFolder, loadFixtureDatabase, type ServerFolder, siteInput } from '#test/support/backup-site.ts'
import { openTestContext, type TestContext } from '#test/support/engine-context.ts'
import { fixture, hasFixtures } from '#test/support/fixtures.ts'
import { dumpOf, load } from '#test/support/load.ts'
import { type Postgres15, startPostgres15 } from '#test/support/postgres.ts'
import { makePlan, putBackup, runPlan, treeOf } from '#test/support/restore-site.ts'

if (!hasFixtures) console.error('SKIPPED test/integration/restore-hostile.test.ts: the fixtures of a real server are missing')

const good = hasFixtures ? gunzipSync(await readFile(fixture('testsite-full.sql.gz'))).toString('latin1') : ''
const END = '--\n-- PostgreSQL database dump complete\n--\n'
const FIRST_COPY = /^COPY testsite\.\w+ .*FROM stdin;$/m
const PROOF = '/tmp/backup-desk-hostile-proof'

/** SQL after the schema was made and before the first rows, after all rows, or before the completion line. */
const early = (sql: string) => good.replace(FIRST_COPY, (copy) => `${sql}\n${copy}`)
const late = (sql: string) => good.replace(END, () => `${sql}\n\n${END}`)
const cutAt = (text: string, after = 0) => good.slice(0, good.indexOf(text) + after)

type Case = [name: string, code: string | RegExp, script: () => string]

const CASES: Case[] = [
  ['COMMIT in the middle', 'statement-refused', () => early('COMMIT;')],
  ['COMMIT at the end', 'statement-refused', () => late('COMMIT;')],
  ['COMMIT in odd letters, after comments', 'statement-refused', () => early('/* a /* b */ */ cOmMiT -- x\n;')],
  ['END instead of COMMIT', 'statement-refused', () => early('END;')],
  ['a comment inside of COMMIT', 'statement-refused', () => early('COM/**/MIT;')],
  ['ROLLBACK', 'statement-refused', () => early('ROLLBACK;')],
  ['PREPARE TRANSACTION', 'statement-refused', () => early("PREPARE TRANSACTION 'x';")],
  ['SAVEPOINT', 'statement-refused', () => early('SAVEPOINT a;')],
  ['COPY TO PROGRAM', 'statement-refused', () => early(`COPY testsite.config TO PROGRAM 'touch ${PROOF}';`)],
  ['COPY of a query TO PROGRAM', 'statement-refused', () => early(`COPY (SELECT 1) TO PROGRAM 'touch ${PROOF}';`)],
  ['COPY FROM PROGRAM', 'statement-refused', () => early(`COPY testsite.config FROM PROGRAM 'touch ${PROOF}';`)],
  ['COPY FROM a file', 'statement-refused', () => early("COPY testsite.config FROM '/etc/passwd';")],
  ['COPY FROM stdin with options', 'statement-refused', () => early('COPY testsite.config FROM stdin WITH (FORMAT csv);\n\\.\n')],
  ['DO', 'statement-refused', () => early("DO $$ BEGIN EXECUTE 'DROP SCHEMA public'; END $$;")],
  ['CALL', 'statement-refused', () => early('CALL testsite.x();')],
  ['ALTER SYSTEM', 'statement-refused', () => early("ALTER SYSTEM SET work_mem = '1MB';")],
  ['CREATE ROLE', 'statement-refused', () => early('CREATE ROLE evil SUPERUSER;')],
  ['a role granted', 'statement-refused', () => early('GRANT postgres TO zotonic;')],
  ['CREATE EXTENSION', 'statement-refused', () => early('CREATE EXTENSION dblink;')],
  ['CREATE DATABASE', 'statement-refused', () => early('CREATE DATABASE evil;')],
  ['SET ROLE', 'statement-refused', () => early('SET ROLE postgres;')],
  ['SET SESSION AUTHORIZATION', 'statement-refused', () => early('SET SESSION AUTHORIZATION postgres;')],
  ['other string rules', 'statement-refused', () => early("SET standard_conforming_strings = off;\nSELECT '\\'; COMMIT; --';")],
  ['another search path by SET', 'statement-refused', () => early('SET search_path = public;')],
  [
    'another search path by set_config',
    'statement-refused',
    () => early("SELECT pg_catalog.set_config('search_path', 'public', false);"),
  ],
  ['set_config of something else', 'statement-refused', () => early("SELECT pg_catalog.set_config('role', 'postgres', false);")],
  ['a query that does something', 'statement-refused', () => early(`SELECT pg_catalog.lo_export(1, '${PROOF}');`)],
  [
    'setval with a query in it',
    'statement-refused',
    () => early("SELECT pg_catalog.setval('testsite.rsc_id_seq', (SELECT 1), true);"),
  ],
  ['setval of another schema', 'other-schema', () => early("SELECT pg_catalog.setval('other.keep_seq', 99, true);")],
  ['a table in another schema', 'other-schema', () => early('CREATE TABLE public.evil (id integer);')],
  ['rows for another schema', 'other-schema', () => early('COPY other.keep (id) FROM stdin;\n5\n\\.\n')],
  ['a table without schema', 'other-schema', () => early('CREATE TABLE evil (id integer);')],
  ['the kept schema changed', 'other-schema', () => early('ALTER TABLE testsite_before_20261123094200.rsc OWNER TO zotonic;')],
  [
    'a foreign key on another schema',
    'other-schema',
    () => early('CREATE TABLE testsite.evil (id integer REFERENCES other.keep(id));'),
  ],
  [
    'a trigger on another schema',
    'other-schema',
    () => early('CREATE TRIGGER t BEFORE DELETE ON other.keep EXECUTE FUNCTION testsite.edge_update();'),
  ],
  ['another site’s dump', 'other-schema', () => good.replaceAll('testsite', 'othersite')],
  ['CREATE TABLE AS', 'statement-refused', () => early('CREATE TABLE testsite.evil AS SELECT 1;')],
  ['SELECT INTO', 'statement-refused', () => early('SELECT 1 AS a INTO testsite.evil;')],
  ['INSERT of a query', 'statement-refused', () => early('INSERT INTO testsite.config SELECT * FROM other.keep;')],
  [
    'INSERT of a function',
    'statement-refused',
    () => early("INSERT INTO testsite.config (id) VALUES (pg_catalog.pg_read_file('/etc/passwd'));"),
  ],
  ['a rule', 'statement-refused', () => early('CREATE RULE r AS ON INSERT TO testsite.config DO ALSO DELETE FROM other.keep;')],
  ['DROP', 'other-schema', () => early('DROP SCHEMA other CASCADE;')],
  ['DROP of the own schema', 'statement-refused', () => early('DROP SCHEMA testsite;')],
  [
    'an event trigger',
    'statement-refused',
    () => early('CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION testsite.f();'),
  ],
  [
    'a function in C',
    'statement-refused',
    () => early("CREATE FUNCTION testsite.f() RETURNS int LANGUAGE C AS '/tmp/x.so', 'f';"),
  ],
  [
    'a function in C, quoted',
    'statement-refused',
    () => early(`CREATE FUNCTION testsite.f() RETURNS int AS '/tmp/x.so', 'f' LANGUAGE "c";`),
  ],
  [
    'a function in C that returns "return"',
    'statement-refused',
    () => early("CREATE FUNCTION testsite.f() RETURNS testsite.return LANGUAGE c AS 'x';"),
  ],
  [
    'a function in Python',
    'statement-refused',
    () => early('CREATE FUNCTION testsite.f() RETURNS int LANGUAGE plpython3u AS $$ $$;'),
  ],
  [
    'two statements in one',
    /^(statement-refused|statement-failed)$/,
    () => early('CREATE TABLE testsite.evil (a int DEFAULT (1; COMMIT; SELECT 1));'),
  ],
  [
    'a dollar quote that is none',
    /^(statement-refused|script-token|statement-failed)$/,
    () => early('CREATE FUNCTION testsite.f() RETURNS int LANGUAGE sql AS a$$; COMMIT; --$$ $$;'),
  ],
  [
    'COMMIT behind a dollar quote',
    'statement-refused',
    () => early('CREATE FUNCTION testsite.f() RETURNS int LANGUAGE sql AS $a$ select 1; $$ $b$ $a$; COMMIT; -- $a$;'),
  ],
  ['COMMIT behind a comment that ends early', 'statement-refused', () => early('/* /* */ -- */ x\n*/ COMMIT;')],
  ['COMMIT behind a continued string', 'script-token', () => early("COMMENT ON SCHEMA testsite IS E'a'\n'b\\'; COMMIT; --';")],
  ['a shell command', 'script-backslash', () => early(`\\! touch ${PROOF}`)],
  ['a connection elsewhere', 'script-backslash', () => early('\\connect postgres')],
  ['a file read', 'script-backslash', () => early('\\copy testsite.config from /etc/passwd')],
  ['a command after a statement', 'script-backslash', () => early(`COMMENT ON SCHEMA testsite IS 'x'; \\! touch ${PROOF}`)],
  [
    'an index that tries to COMMIT',
    'superuser-functions',
    () =>
      late(
        'CREATE FUNCTION testsite.boom(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN COMMIT; RETURN 1; END $$;\nCREATE INDEX boom ON testsite.rsc USING btree (testsite.boom(id));',
      ),
  ],
  [
    'an index that tries to COMMIT by EXECUTE',
    'superuser-functions',
    () =>
      late(
        "CREATE FUNCTION testsite.boom(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN EXECUTE 'COMMIT'; RETURN 1; END $$;\nCREATE INDEX boom ON testsite.rsc USING btree (testsite.boom(id));",
      ),
  ],
  [
    'a constraint that fails at the very end',
    'statement-failed',
    () => late('ALTER TABLE ONLY testsite.rsc ADD CONSTRAINT never CHECK ((id < 0));'),
  ],
  [
    'a row that does not fit',
    'statement-failed',
    () => good.replace(FIRST_COPY, (copy) => `COPY testsite.rsc (id) FROM stdin;\nnot a number\n\\.\n\n${copy}`),
  ],
  [
    'rows that end early for the server',
    'rows-lost',
    () => early('COPY testsite.medium_deleted (filename) FROM stdin;\na\r\\.\rlost\nlost\n\\.\n'),
  ],
  ['a cut inside of rows', 'dump-cut', () => cutAt('COPY testsite.rsc ', 400)],
  ['a cut right after the header of rows', 'dump-cut', () => cutAt('FROM stdin;', 'FROM stdin;\n'.length)],
  ['a cut in the middle of the end of rows', 'dump-cut', () => cutAt('\n\\.\n', 2)],
  ['a cut right after rows', 'dump-cut', () => cutAt('\n\\.\n', 3)],
  ['a cut between statements', 'dump-cut', () => cutAt('ALTER TABLE ONLY testsite.rsc\n')],
  ['a cut inside of a statement', 'dump-cut', () => cutAt('ALTER TABLE ONLY testsite.rsc\n', 15)],
  ['a cut before the completion line', 'dump-cut', () => good.slice(0, good.indexOf(END))],
  ['a cut inside of the completion line', 'dump-cut', () => good.slice(0, good.indexOf(END) + 25)],
  [
    'a completion line too early, then a cut',
    'script-after-end',
    () => cutAt('ALTER TABLE ONLY testsite.rsc\n').replace(FIRST_COPY, (copy) => `${END}${copy}`),
  ],
  ['two dumps in one', 'script-after-end', () => good.replace(/^\\(un)?restrict .*\n/gm, '').repeat(2)],
  [
    'a statement without end',
    /statement-too-big|dump-cut/,
    () => early(`COMMENT ON SCHEMA testsite IS '${'x'.repeat(17_000_000)}';`),
  ],
  ['a NUL byte', 'script-nul', () => early('SELECT 1\0;')],
  [
    'a shell command in a default, by a function of PostgreSQL itself',
    'superuser-functions',
    () =>
      early(
        `CREATE TABLE testsite.evil (a integer, b text DEFAULT query_to_xml('COPY (SELECT 1) TO PROGRAM ''touch ${PROOF}''', true, true, '')::text);\nCOPY testsite.evil (a) FROM stdin;\n1\n\\.\n`,
      ),
  ],
  [
    'a shell command in a check, by a function of the dump',
    'superuser-functions',
    () =>
      early(
        `CREATE FUNCTION testsite.evil(integer) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN COPY (SELECT 1) TO PROGRAM 'touch ${PROOF}'; RETURN true; END $$;\nCREATE TABLE testsite.evil (a integer CHECK (testsite.evil(a)));\nCOPY testsite.evil (a) FROM stdin;\n1\n\\.\n`,
      ),
  ],
  [
    'a shell command in a materialised view of a view',
    'superuser-functions',
    () =>
      early(
        `CREATE FUNCTION testsite.evil() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN COPY (SELECT 1) TO PROGRAM 'touch ${PROOF}'; RETURN true; END $$;\nCREATE VIEW testsite.v AS SELECT testsite.evil();\nCREATE MATERIALIZED VIEW testsite.m AS SELECT * FROM testsite.v;`,
      ),
  ],
  [
    'a file of the server in a row',
    'superuser-functions',
    () =>
      early(
        "CREATE TABLE testsite.evil (a integer, b text DEFAULT pg_read_file('/etc/passwd'));\nCOPY testsite.evil (a) FROM stdin;\n1\n\\.\n",
      ),
  ],
  [
    'a trigger before the rows',
    'statement-refused',
    () =>
      early(
        'CREATE TRIGGER t BEFORE INSERT ON testsite.config FOR EACH ROW EXECUTE FUNCTION testsite.edge_update();\nCOPY testsite.config (id) FROM stdin;\n\\.\n',
      ),
  ],
  [
    'rows for another schema through a view',
    'statement-refused',
    () => early('CREATE VIEW testsite.v AS SELECT * FROM other.keep;\nINSERT INTO testsite.v VALUES (99);'),
  ],
  ['a variable of psql', 'statement-failed', () => early('CREATE TABLE testsite.evil (a :kind);')],
  ['a variable of psql, quoted', 'statement-failed', () => early("CREATE TABLE testsite.evil (a text DEFAULT :'HOST');")],
  [
    'rows that are no UTF-8',
    'statement-failed',
    () => early('CREATE TABLE testsite.odd (a text);\nCOPY testsite.odd (a) FROM stdin;\n\xff\xfe\n\\.\n'),
  ],
  ['a statement that is no UTF-8', 'script-encoding', () => early("COMMENT ON SCHEMA testsite IS '\xff';")],
  ['no schema', /no-schema|statement-failed/, () => `${END}`],
  ['a second schema', 'other-schema', () => early('CREATE SCHEMA evil;')],
]

/** One of each sort: plan and run look at a dump through the same gate as the loader alone. */
const WHOLE_WAY = [
  'COMMIT in the middle',
  'COPY TO PROGRAM',
  'another site’s dump',
  'a function in C',
  'a shell command',
  'an index that tries to COMMIT',
  'a constraint that fails at the very end',
  'a row that does not fit',
  'rows that end early for the server',
  'a cut inside of rows',
  'a cut before the completion line',
  'a shell command in a check, by a function of the dump',
  'a NUL byte',
]

describe.skipIf(!hasFixtures)('dumps that must not be loaded', () => {
  let postgres: Postgres15
  let root: string
  let server: ServerFolder
  let test: TestContext
  let dumpBefore: string
  let treeBefore: string
  let media: Buffer

  beforeAll(async () => {
    postgres = await startPostgres15()
    await loadFixtureDatabase(postgres, 'live')
    await postgres.psql(
      'live',
      'CREATE SCHEMA other; CREATE TABLE other.keep (id integer PRIMARY KEY); INSERT INTO other.keep VALUES (1); CREATE SEQUENCE other.keep_seq; GRANT ALL ON SCHEMA other TO zotonic; GRANT ALL ON ALL TABLES IN SCHEMA other TO zotonic',
    )
    root = await mkdtemp(join(tmpdir(), 'backup-desk-hostile-'))
    server = await layOutServerFolder(root)
    media = await readFile(fixture('backups', '1-plain-full', 'testsite-1.tar.gz'))
    // one file of the backup is missing, one is different: a restore would write both
    const files = (await treeOf(server.archiveDir)).split('\n').filter((line) => !line.endsWith('/'))
    const pathOf = (line: string | undefined) => join(server.archiveDir, line?.replace(/ \d+ \d+ [0-9a-f]{64}$/, '') ?? '')
    await rm(pathOf(files[0]))
    await writeFile(pathOf(files[1]), 'another content')
    test = await openTestContext(join(root, 'home'), { secrets: { 'site/testsite/database-password': postgres.password } })
    await test.context.sites.add(siteInput('live', postgres, server))
    dumpBefore = await dumpOf(postgres, 'live')
    treeBefore = await treeOf(server.archiveDir)
  })
  afterAll(async () => {
    await test?.close()
    await postgres?.stop()
    if (root) await rm(root, { recursive: true, force: true })
  })

  async function expectAsBefore(): Promise<void> {
    expect((await dumpOf(postgres, 'live')) === dumpBefore, 'the database is as before').toBe(true)
    expect(await treeOf(server.archiveDir)).toBe(treeBefore)
    expect(existsSync(PROOF)).toBe(false)
  }

  const fails = (loading: Promise<unknown>) =>
    loading.then(
      () => null,
      (error: unknown) => error as AppError,
    )

  it.each(CASES)('%s', async (_name, code, makeScript) => {
    const script = makeScript()
    expect(script === good, 'the case changes the dump').toBe(false)
    // the loader itself, as a superuser, whom nothing else would stop
    const error = await fails(
      load(postgres, 'live', Readable.from([Buffer.from(script, 'latin1')]), { connection: postgres.connection('live') }),
    )
    expect(error).toBeInstanceOf(AppError)
    expect(error?.code, error?.message).toMatch(typeof code === 'string' ? new RegExp(`^${code}$`) : code)
    expect(error?.message).toContain('exactly as before')
    expect(existsSync(PROOF)).toBe(false)
  })

  it('nothing of what was tried above left a trace', expectAsBefore)

  it.each(CASES.filter(([name]) => WHOLE_WAY.includes(name)))(
    'the whole way, by plan and run: %s',
    async (_name, _code, makeScript) => {
      const script = makeScript()
      await putBackup(server.backupDir, { database: gzipSync(Buffer.from(script, 'latin1'), { level: 1 }), files: media })
      const plan = await makePlan(test.context)
      if (plan.runnable) {
        const job = await runPlan(test.context, plan.id)
        expect(job.state).toBe('failed')
        expect(job.error?.message).toContain('Database and media are exactly as before.')
      }
      await expectAsBefore()
    },
  )

  it.each([
    [
      'a flipped bit',
      (gz: Buffer) => Buffer.concat([gz.subarray(0, 60_000), Buffer.from([(gz[60_000] ?? 0) ^ 4]), gz.subarray(60_001)]),
    ],
    [
      'a flipped bit in the CRC',
      (gz: Buffer) => Buffer.concat([gz.subarray(0, -6), Buffer.from([(gz.at(-6) ?? 0) ^ 1]), gz.subarray(-5)]),
    ],
    ['a cut', (gz: Buffer) => gz.subarray(0, gz.length - 1)],
    ['a cut in the middle', (gz: Buffer) => gz.subarray(0, gz.length / 2)],
    ['zeros behind the end', (gz: Buffer) => Buffer.concat([gz, Buffer.alloc(100)])],
    ['garbage behind the end', (gz: Buffer) => Buffer.concat([gz, Buffer.from('garbage, and more garbage')])],
    ['another broken member', (gz: Buffer) => Buffer.concat([gz, gz.subarray(0, 500)])],
    ['nothing at all', () => Buffer.alloc(0)],
    ['no gzip', () => Buffer.from(good, 'latin1')],
  ])('gzip with %s', async (_name, damage) => {
    const damaged = damage(await readFile(fixture('testsite-full.sql.gz')))
    const error = await fails(load(postgres, 'live', gunzip(Readable.from([damaged]))))
    expect(error?.code).toMatch(/^(gzip-damaged|dump-cut|script-.*|statement-.*)$/)
    await putBackup(server.backupDir, { database: damaged, files: media })
    const plan = await makePlan(test.context)
    expect(plan.runnable).toBe(false)
    expect(plan.checks.find(({ outcome }) => outcome === 'failed')?.finding).toBeTruthy()
    await expectAsBefore()
  })

  it('tells who holds the live tables', async () => {
    const holder = await connectPostgres({ ...postgres.connection('live', 'zotonic') })
    await holder.query("SET application_name = 'a long report'")
    await holder.query('BEGIN')
    await holder.query('LOCK TABLE testsite.rsc IN ROW EXCLUSIVE MODE')
    const error = await fails(load(postgres, 'live', good, { lockWaitMs: 2000 }))
    await holder.query('ROLLBACK')
    await holder.end()
    expect(error?.code).toBe('database-locked')
    expect(error?.message).toMatch(/held by process \d+ of user zotonic \(a long report\), idle in transaction/)
    await expectAsBefore()
  })

  it('does not wait for those who only read', async () => {
    const reader = await connectPostgres(postgres.connection('live', 'zotonic'))
    await reader.query('BEGIN')
    await reader.query('SELECT * FROM testsite.rsc')
    const cut = cutAt('ALTER TABLE ONLY testsite.rsc\n')
    expect((await fails(load(postgres, 'live', cut, { lockWaitMs: 2000 })))?.code).toBe('dump-cut')
    await reader.end()
    await expectAsBefore()
  })

  it('can be cancelled anywhere', async () => {
    for (const part of [0.1, 0.5, 0.95]) {
      const abort = new AbortController()
      const bytes = Buffer.from(good, 'latin1')
      async function* source() {
        const at = Math.floor(bytes.length * part)
        yield bytes.subarray(0, at)
        abort.abort()
        await new Promise((resolve) => setTimeout(resolve, 50))
        yield bytes.subarray(at)
      }
      expect((await fails(load(postgres, 'live', source(), { signal: abort.signal })))?.code).toBe('cancelled')
      await expectAsBefore()
    }
    const abort = new AbortController()
    const error = await fails(
      load(postgres, 'live', good, {
        signal: abort.signal,
        beforeCommit: async () => abort.abort(),
      }),
    )
    expect(error?.code).toBe('cancelled')
    await expectAsBefore()
  })

  it('knows whether a COMMIT without an answer took place', async () => {
    // the server process dies before it: rolled back
    const killed = await fails(
      load(postgres, 'live', good, {
        beforeCommit: ({ backend }) => postgres.psql('live', `SELECT pg_terminate_backend(${backend.pid}, 5000)`).then(() => {}),
      }),
    )
    expect(killed?.code).toBe('connection-lost')
    expect(killed?.message).toContain('exactly as before')
    await expectAsBefore()
  })
})
