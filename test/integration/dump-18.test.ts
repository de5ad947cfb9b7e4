import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Cluster, removeCluster, startCluster } from '#engine/foundation/embedded-postgres/cluster.ts'
import { unsortedCatalogues } from '../support/catalogues.ts'
import { dumpToFile, EVERYTHING_ROLES, runSql } from '../support/dump.ts'

const LONG = 120_000
const PSQL = join(process.env.POSTGRES15_BIN ?? '/usr/lib/postgresql/15/bin', 'psql')
const run = promisify(execFile)
let folder: string
let cluster: Cluster

beforeAll(async () => {
  if (!existsSync(PSQL))
    throw new Error(`This test needs psql (no ${PSQL} here). On Debian 12: apt-get install postgresql-client-15`)
  folder = await mkdtemp(join(tmpdir(), 'backup-desk-dump-18-'))
  cluster = await startCluster({ folder: join(folder, 'cluster'), purpose: 'scratch', program: 'test' })
  for (const sql of [
    'CREATE ROLE zotonic',
    EVERYTHING_ROLES,
    'CREATE DATABASE source TEMPLATE template0',
    'CREATE DATABASE copy TEMPLATE template0',
  ]) {
    await runSql(cluster.connection('postgres'), sql)
  }
}, LONG)

afterAll(async () => {
  if (folder) await removeCluster(join(folder, 'cluster'))
  if (folder) await rm(folder, { recursive: true, force: true })
})

async function psql(database: string, file: string): Promise<void> {
  const { host, port, user, password } = cluster.connection(database)
  const env = { ...process.env, PGHOST: host, PGPORT: String(port), PGUSER: user, PGPASSWORD: password, PGDATABASE: database }
  await run(PSQL, ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-f', file], { env })
}

/** What the catalogues say, one query per kind; each row is one line of text, sorted. */
const CATALOGUE: Record<string, string> = {
  schema: `SELECT nspowner::regrole, (SELECT array_agg(x::text ORDER BY 1) FROM unnest(nspacl) x) FROM pg_namespace WHERE nspname = $1`,
  relations: `SELECT relname, relkind, relpersistence, relreplident, reloptions, relowner::regrole, relispopulated,
    (SELECT array_agg(x::text ORDER BY 1) FROM unnest(relacl) x), (SELECT t.reloptions FROM pg_class t WHERE t.oid = c.reltoastrelid)
    FROM pg_class c WHERE relnamespace = $1::regnamespace AND relkind <> 't'`,
  columns: `SELECT attrelid::regclass, row_number() OVER (PARTITION BY attrelid ORDER BY attnum), attname, format_type(atttypid, atttypmod),
    attnotnull, attidentity, attgenerated, attstorage, attcompression, attstattarget, attoptions, attcollation::regcollation,
    (SELECT array_agg(x::text ORDER BY 1) FROM unnest(attacl) x), pg_get_expr(adbin, adrelid)
    FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE relnamespace = $1::regnamespace AND attnum > 0 AND NOT attisdropped`,
  constraints: `SELECT conname, conrelid::regclass, contypid::regtype, contype, convalidated, conenforced, condeferrable, condeferred, connoinherit,
    pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = $1::regnamespace`,
  indexes: `SELECT pg_get_indexdef(indexrelid), indisclustered, indisreplident, indisunique, indisprimary, indimmediate, indisvalid
    FROM pg_index JOIN pg_class c ON c.oid = indrelid WHERE relnamespace = $1::regnamespace`,
  routines: `SELECT pg_get_functiondef(oid), proowner::regrole, (SELECT array_agg(x::text ORDER BY 1) FROM unnest(proacl) x)
    FROM pg_proc WHERE pronamespace = $1::regnamespace`,
  views: `SELECT relname, pg_get_viewdef(oid) FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind IN ('v', 'm')`,
  triggers: `SELECT pg_get_triggerdef(t.oid), tgenabled FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
    WHERE relnamespace = $1::regnamespace AND NOT tgisinternal`,
  types: `SELECT typname, typtype, typowner::regrole, typnotnull, typdefault, format_type(typbasetype, typtypmod), typcollation::regcollation,
    (SELECT array_agg(x::text ORDER BY 1) FROM unnest(typacl) x),
    (SELECT array_agg(enumlabel::text ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid)
    FROM pg_type t WHERE typnamespace = $1::regnamespace`,
  sequences: `SELECT seqrelid::regclass, format_type(seqtypid, NULL), seqstart, seqincrement, seqmax, seqmin, seqcache, seqcycle,
    pg_get_sequence_data(seqrelid),
    (SELECT concat(refobjid::regclass, '.', attname, ' ', deptype) FROM pg_depend JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid
     WHERE classid = 'pg_class'::regclass AND objid = seqrelid AND deptype IN ('a', 'i'))
    FROM pg_sequence JOIN pg_class c ON c.oid = seqrelid WHERE relnamespace = $1::regnamespace`,
  comments: `SELECT i.type, i.identity, description FROM pg_description, pg_identify_object(classoid, objoid, objsubid) i
    WHERE objoid >= 16384 AND (i.schema = $1 OR i.identity LIKE '%' || $1 || '%')`,
  statistics: `SELECT pg_get_statisticsobjdef(oid), stxstattarget, stxowner::regrole FROM pg_statistic_ext WHERE stxnamespace = $1::regnamespace`,
  defaults: `SELECT defaclrole::regrole, defaclobjtype, (SELECT array_agg(x::text ORDER BY 1) FROM unnest(defaclacl) x)
    FROM pg_default_acl WHERE defaclnamespace = $1::regnamespace`,
}

async function catalogue(database: string): Promise<Record<string, unknown[]>> {
  const described: Record<string, unknown[]> = {}
  for (const [kind, sql] of Object.entries(CATALOGUE)) {
    const text = sql.replaceAll('$1', `'everything'`)
    const rows = await runSql(
      cluster.connection(database),
      `SELECT row_to_json(q)::text AS line FROM (${unambiguous(text)}) q ORDER BY 1`,
    )
    described[kind] = rows.map((row) => row.line)
  }
  return described
}

/** Columns of a subquery need names of their own before they become JSON. */
function unambiguous(sql: string): string {
  return `SELECT (x.*)::text AS row FROM (${sql}) x`
}

/** An md5 over the rows of each table and materialised view, in an order of their own. */
async function rowHashes(database: string): Promise<Record<string, unknown>[]> {
  const relations = await runSql(
    cluster.connection(database),
    `SELECT oid::regclass::text AS name FROM pg_class WHERE relnamespace = 'everything'::regnamespace
     AND (relkind = 'r' OR relkind = 'm' AND relispopulated) ORDER BY 1`,
  )
  const hashes: Record<string, unknown>[] = []
  for (const { name } of relations) {
    const [row] = await runSql(
      cluster.connection(database),
      `SELECT count(*)::int AS rows, md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))) AS hash FROM ${String(name)} t`,
    )
    hashes.push({ name, ...row })
  }
  return hashes
}

test(
  'everything, with what is new in 18: dumped, loaded, and equal by catalogue and rows',
  async () => {
    await psql('source', resolve(import.meta.dirname, '../fixtures/sql/everything.sql'))
    const file = join(folder, 'everything.sql')
    const facts = await dumpToFile(cluster.connection('source'), 'everything', file)
    expect(facts.serverVersionNumber).toBeGreaterThanOrEqual(180000)
    await psql('copy', file)

    const original = await catalogue('source')
    const loaded = await catalogue('copy')
    for (const [kind, lines] of Object.entries(original)) {
      expect(lines.length, kind).toBeGreaterThan(0)
      expect(loaded[kind], kind).toEqual(lines)
    }
    const hashes = await rowHashes('source')
    expect(hashes.length).toBeGreaterThan(15)
    expect(await rowHashes('copy')).toEqual(hashes)
  },
  LONG,
)

test('every catalogue of 18 is written, refused, told or no part of a schema', async () => {
  expect(await unsortedCatalogues((sql) => runSql(cluster.connection('source'), sql))).toEqual([])
})
