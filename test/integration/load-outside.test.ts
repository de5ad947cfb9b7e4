import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dumpOf, KEPT, load } from '#test/support/load.ts'
import { type Postgres15, startPostgres15 } from '#test/support/postgres.ts'

/** A dump whose function runs in a check while the rows are loaded. */
const dumpDoing = (deed: string) => `SET check_function_bodies = false;
CREATE SCHEMA "testsite";
CREATE FUNCTION "testsite"."deed"(integer) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN ${deed} RETURN true; END $$;
CREATE TABLE "testsite"."t" ("a" integer, CONSTRAINT "c" CHECK ("testsite"."deed"("a")));
COPY "testsite"."t" ("a") FROM stdin;
1
\\.
--
-- PostgreSQL database dump complete
--
`

describe('functions of a dump that reach out of its schema', () => {
  let postgres: Postgres15
  beforeAll(async () => {
    postgres = await startPostgres15()
    await postgres.createDatabase('live')
    await postgres.psql(
      'live',
      'CREATE SCHEMA testsite; CREATE TABLE testsite.rsc (id int); INSERT INTO testsite.rsc VALUES (1); CREATE SCHEMA other; CREATE TABLE other.t (id int); INSERT INTO other.t VALUES (1);',
      'zotonic',
    )
  }, 120_000)
  afterAll(() => postgres?.stop())

  it.each([
    ['delete kept rows', `DELETE FROM "${KEPT}"."rsc";`],
    ['drop a kept table', `DROP TABLE "${KEPT}"."rsc";`],
    ['empty a kept table', `TRUNCATE "${KEPT}"."rsc";`],
    ['write into another schema', 'INSERT INTO other.t VALUES (2);'],
    ['hide it in a block of its own', `BEGIN UPDATE "${KEPT}"."rsc" SET id = 2; EXCEPTION WHEN others THEN NULL; END;`],
  ])('are found before COMMIT: %s', async (_, deed) => {
    const before = await dumpOf(postgres, 'live')
    await expect(load(postgres, 'live', dumpDoing(deed))).rejects.toMatchObject({ code: 'outside-changed' })
    expect(await dumpOf(postgres, 'live')).toBe(before)
  })

  it('may do as they like inside of it', async () => {
    await postgres.psql('live', 'CREATE SCHEMA IF NOT EXISTS testsite', 'zotonic')
    const result = await load(postgres, 'live', dumpDoing('PERFORM 1;'), { keepLiveAs: `${KEPT}1` })
    expect(result.rows).toBe(1)
  })
})
