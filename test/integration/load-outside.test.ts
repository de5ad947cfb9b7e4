import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AppError } from '#shared/errors.ts'
import { dumpOf, KEPT, load } from '#test/support/load.ts'
import { type Postgres15, startPostgres15 } from '#test/support/postgres.ts'

/** A dump whose function runs in a check while the rows are loaded. */
const dumpDoing = (deed: string) => `SET check_function_bodies = false;
CREATE SCHEMA "testsite";
CREATE FUNCTION "testsite"."deed"(integer) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN ${deed} RETURN true; END $$;
CREATE FUNCTION "testsite"."on_row"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TABLE "testsite"."t" ("a" integer, "b" text, CONSTRAINT "c" CHECK ("testsite"."deed"("a")));
COPY "testsite"."t" ("a") FROM stdin;
1
\\.
--
-- PostgreSQL database dump complete
--
`

describe('functions of a dump that reach out of its schema', () => {
  let postgres: Postgres15
  let before: string
  beforeAll(async () => {
    postgres = await startPostgres15()
    await postgres.createDatabase('live')
    await postgres.psql(
      'live',
      "CREATE SCHEMA testsite; CREATE TABLE testsite.rsc (id int); INSERT INTO testsite.rsc VALUES (1); CREATE SEQUENCE testsite.s; SELECT setval('testsite.s', 70); CREATE SCHEMA other; CREATE TABLE other.t (id int); INSERT INTO other.t VALUES (1); CREATE FUNCTION other.f() RETURNS int LANGUAGE sql AS 'select 1';",
      'zotonic',
    )
    before = await dumpOf(postgres, 'live')
  })
  afterAll(() => postgres?.stop())

  it.each([
    ['delete kept rows', `DELETE FROM "${KEPT}"."rsc";`],
    ['drop a kept table', `DROP TABLE "${KEPT}"."rsc";`],
    ['empty a kept table', `TRUNCATE "${KEPT}"."rsc";`],
    ['write into another schema', 'INSERT INTO other.t VALUES (2);'],
    ['hide it in a block of its own', `BEGIN UPDATE "${KEPT}"."rsc" SET id = 2; EXCEPTION WHEN others THEN NULL; END;`],
    ['put a trigger onto a kept table', `CREATE TRIGGER t AFTER INSERT ON "${KEPT}".rsc EXECUTE FUNCTION testsite.on_row();`],
    ['put a rule onto another table', 'CREATE RULE r AS ON INSERT TO other.t DO ALSO NOTHING;'],
    ['give a kept column another default', `ALTER TABLE "${KEPT}".rsc ALTER id SET DEFAULT 7;`],
    ['let others into a kept table', `GRANT ALL ON "${KEPT}".rsc TO PUBLIC;`],
    ['replace a function of another schema', "CREATE OR REPLACE FUNCTION other.f() RETURNS int LANGUAGE sql AS 'select 2';"],
    ['make a function elsewhere', "CREATE FUNCTION public.now() RETURNS int LANGUAGE sql AS 'select 2';"],
    ['make a table elsewhere', 'CREATE TABLE public.x ();'],
    ['make a type elsewhere', "CREATE TYPE other.mood AS ENUM ('sad');"],
    [
      'make a view elsewhere',
      `BEGIN CREATE VIEW other.v AS SELECT * FROM "${KEPT}".rsc; EXCEPTION WHEN division_by_zero THEN NULL; END;`,
    ],
    ['make another schema', 'CREATE SCHEMA evil;'],
    ['protect another table by a policy', 'CREATE POLICY p ON other.t USING (false);'],
    ['change rights to come', 'ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC;'],
    ['make an extension', 'CREATE EXTENSION hstore SCHEMA other;'],
    ['make a large object', "PERFORM lo_from_bytea(0, 'x');"],
    ['make a publication', 'CREATE PUBLICATION p FOR TABLE other.t;'],
    ['give itself a setting', "ALTER ROLE zotonic SET work_mem = '1MB';"],
  ])('are found before COMMIT: %s', async (_, deed) => {
    await expect(load(postgres, 'live', dumpDoing(deed))).rejects.toMatchObject({ code: 'outside-changed' })
  })

  it('are found when they move a sequence back, which no rollback undoes', async () => {
    const deed = `PERFORM setval('"${KEPT}".s', 1);`
    const loading = load(postgres, 'live', dumpDoing(deed))
    await expect(loading).rejects.toMatchObject({ code: 'outside-changed', message: expect.stringContaining(`${KEPT}.s`) })
    await postgres.psql('live', "SELECT setval('testsite.s', 70)")
  })

  it('are not made out of what others do meanwhile', async () => {
    expect(await dumpOf(postgres, 'live'), 'after all that was tried above').toBe(before)
    const result = load(postgres, 'live', dumpDoing('PERFORM 1;'), {
      beforeCommit: async () => {
        await postgres.psql('live', 'CREATE TABLE other.meanwhile (a text); CREATE ROLE meanwhile')
        throw new AppError('stopped', 'Enough was seen.')
      },
      keepLiveAs: KEPT,
    })
    await expect(result).rejects.toMatchObject({ code: 'stopped' })
    const seen = load(postgres, 'live', dumpDoing('PERFORM pg_sleep(1);'), {
      beforeCommit: () => Promise.reject(new AppError('stopped', 'x')),
    })
    await postgres.psql('live', 'CREATE TABLE other.meanwhile2 (a text)')
    await expect(seen).rejects.toMatchObject({ code: 'stopped' })
    await postgres.psql('live', 'DROP TABLE other.meanwhile, other.meanwhile2; DROP ROLE meanwhile')
    expect(await dumpOf(postgres, 'live')).toBe(before)
  })

  it('may do as they like inside of it', async () => {
    await postgres.psql('live', 'CREATE SCHEMA IF NOT EXISTS testsite', 'zotonic')
    const result = await load(postgres, 'live', dumpDoing('PERFORM 1;'), { keepLiveAs: `${KEPT}1` })
    expect(result.rows).toBe(1)
  })
})
