import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadDump } from '#engine/features/restore/index.ts'
import { type Cluster, removeCluster, startCluster } from '#engine/foundation/embedded-postgres/cluster.ts'
import { dumpToText, EVERYTHING_ROLES, runSql } from '#test/support/dump.ts'

const PSQL = join(process.env.POSTGRES15_BIN ?? '/usr/lib/postgresql/15/bin', 'psql')

describe('loading on PostgreSQL 18', () => {
  let folder: string
  let cluster: Cluster
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'backup-desk-load-18-'))
    cluster = await startCluster({ folder: join(folder, 'cluster'), purpose: 'scratch', program: 'test' })
    const databases = ['source', 'same', 'other', 'drill'].map((name) => `CREATE DATABASE ${name} TEMPLATE template0`)
    const roles = ['CREATE ROLE zotonic', EVERYTHING_ROLES, "CREATE ROLE driller LOGIN PASSWORD 'of the test'"]
    for (const sql of [...roles, ...databases, 'GRANT ALL ON DATABASE drill TO driller']) {
      await runSql(cluster.connection('postgres'), sql)
    }
  })
  afterAll(async () => {
    if (folder) await removeCluster(join(folder, 'cluster'))
    if (folder) await rm(folder, { recursive: true, force: true })
  })

  async function psql(database: string, sql: string): Promise<void> {
    const { host, port, user, password } = cluster.connection(database)
    const env = { ...process.env, PGHOST: host, PGPORT: String(port), PGUSER: user, PGPASSWORD: password, PGDATABASE: database }
    const file = join(folder, 'script.sql')
    await writeFile(file, sql)
    await promisify(execFile)(PSQL, ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-f', file], { env })
  }

  const loadInto = (database: string, text: string, more: object = {}) =>
    loadDump({
      connection: cluster.connection(database),
      script: Readable.from([Buffer.from(text)]),
      schema: 'everything',
      keepLiveAs: null,
      signal: new AbortController().signal,
      ...more,
    })

  it('gives the original back, under its name and under another', async () => {
    const sql = (await readFile(join(import.meta.dirname, '..', 'fixtures', 'sql', 'everything.sql'), 'utf8'))
      .replace('4000000)', '400000)')
      .replace("LANGUAGE internal IMMUTABLE STRICT AS 'lower'", "LANGUAGE sql IMMUTABLE STRICT AS 'select pg_catalog.lower($1)'")
      .replace(/SET SESSION AUTHORIZATION "Odd[\s\S]*?RESET SESSION AUTHORIZATION;/, '')
    await psql('source', sql)
    const original = await dumpToText(cluster.connection('source'), 'everything')
    await loadInto('same', original)
    expect((await dumpToText(cluster.connection('same'), 'everything')) === original, 'dumped again, it is the same').toBe(true)
    await loadInto('other', original, { schema: 'staging', dumpSchema: 'everything' })
    const staging = await dumpToText(cluster.connection('other'), 'staging')
    expect(staging.includes('NO INHERIT') && staging.includes('NOT ENFORCED'), 'it has what is new in 18').toBe(true)
    await loadInto('other', staging, { dumpSchema: 'staging' })
    const back = await dumpToText(cluster.connection('other'), 'everything')
    // in bodies of functions the name now stands in quotes
    const unquoted = (text: string) => text.replaceAll('"everything".', 'everything.').split('\n')
    const wanted = unquoted(original)
    expect(unquoted(back).filter((line, at) => line !== wanted[at])).toEqual([])
  })

  it('loads as a role without special rights, without owners and grants', async () => {
    const script = `SET transaction_timeout = 0;
CREATE SCHEMA site;
ALTER SCHEMA site OWNER TO somebody;
CREATE FUNCTION site.odd(integer) RETURNS boolean LANGUAGE plpgsql AS $$ begin return exists (select 1); end $$;
CREATE TABLE site.t (a integer CHECK (site.odd(a)), b integer GENERATED ALWAYS AS ((a * 2)));
ALTER TABLE site.t OWNER TO somebody;
COPY site.t (a) FROM stdin;
1
2
\\.
GRANT SELECT ON TABLE site.t TO somebody;
SELECT * FROM pg_catalog.pg_restore_relation_stats(
	'version', '180000'::integer,
	'schemaname', 'site',
	'relname', 't',
	'reltuples', '77'::real
);
--
-- PostgreSQL database dump complete
--
`
    const connection = { ...cluster.connection('drill'), user: 'driller', password: 'of the test' }
    const result = await loadInto('drill', script, { connection, schema: 'site', withoutOwners: true, withoutGrants: true })
    expect(result).toMatchObject({
      rows: 2,
      tables: ['t'],
      leftOut: { owners: 2, grants: 1, others: ['SET transaction_timeout', 'SELECT pg_restore_relation_stats'] },
    })
    expect(await runSql(connection, 'SELECT sum(b)::int AS sum FROM site.t')).toEqual([{ sum: 6 }])
  })
})
