import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { gunzipSync } from 'node:zlib'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Copy, Finding } from '#engine/features/proof/drill/checks/check.ts'
import { attempt } from '#engine/features/proof/drill/checks/check.ts'
import { checkEdges } from '#engine/features/proof/drill/checks/edges.ts'
import { checkForeignKeys } from '#engine/features/proof/drill/checks/foreign-keys.ts'
import { checkMedia } from '#engine/features/proof/drill/checks/media.ts'
import { readNewest } from '#engine/features/proof/drill/checks/newest.ts'
import { checkSequences } from '#engine/features/proof/drill/checks/sequences.ts'
import { checkTables, countRows } from '#engine/features/proof/drill/checks/tables.ts'
import { makeScratchDatabase, type ScratchDatabase } from '#engine/features/proof/drill/scratch-database.ts'
import { loadDump } from '#engine/features/restore/index.ts'
import { connectPostgres } from '#engine/foundation/connections/postgres.ts'
import { readTar, type TarEntry } from '#engine/foundation/content/read-tar.ts'
import { makeHome } from '#test/support/drill.ts'
import { fixture, hasFixtures } from '#test/support/fixtures.ts'

if (!hasFixtures) console.error('SKIPPED test/integration/drill-checks.test.ts: the fixtures of a real server are missing')

const signal = new AbortController().signal

/** One restored copy of the real server's backup for all: each test changes it in a transaction that is rolled back. */
describe.skipIf(!hasFixtures)('the checks of a drill', () => {
  let scratch: ScratchDatabase
  let client: pg.Client
  let removeHome: () => Promise<void>

  beforeAll(async () => {
    const made = await makeHome()
    removeHome = made.remove
    scratch = await makeScratchDatabase({ scratch: made.home.scratch, program: 'test', dumpBytes: 1e6, signal })
    await scratch.asSuperuser((superuser) => superuser.query(`CREATE ROLE zotonic NOLOGIN; GRANT zotonic TO "${scratch.role}"`))
    const sql = gunzipSync(await readFile(fixture('backups', '1-plain-full', 'testsite-1.sql.gz')))
    await loadDump({
      connection: scratch.connection,
      script: Readable.from([sql]),
      schema: 'testsite',
      keepLiveAs: null,
      signal,
    })
    client = await connectPostgres(scratch.connection)
    await client.query('SET search_path = pg_catalog')
  })
  afterAll(async () => {
    await client?.end()
    await scratch?.remove()
    await removeHome?.()
  })

  async function after(change: string, look: (copy: Copy) => Promise<Finding> | Finding): Promise<string> {
    await client.query('BEGIN')
    try {
      if (change !== '')
        await client.query(`SET LOCAL search_path = testsite, pg_catalog; ${change}; SET LOCAL search_path = pg_catalog`)
      const rowCounts = await countRows({ client, schema: 'testsite' })
      const { outcome, finding } = await look({ client, schema: 'testsite', rowCounts, signal })
      return `${outcome}: ${finding}`
    } finally {
      await client.query('ROLLBACK')
    }
  }
  const withoutKeys = (table: string, ...keys: string[]) =>
    keys.map((key) => `ALTER TABLE testsite.${table} DROP CONSTRAINT ${key};`).join(' ')

  it('loads as a role without rights, into names that nobody could know', async () => {
    const { rows } = await client.query(
      `SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, current_database() AS database, current_user AS role
       FROM pg_roles WHERE rolname = current_user`,
    )
    expect(rows[0]).toMatchObject({ rolsuper: false, rolcreatedb: false, rolcreaterole: false, rolreplication: false })
    expect(rows[0].database).toMatch(/^drill_[0-9a-f]{16}$/)
    expect(rows[0].role).toMatch(/^loader_[0-9a-f]{16}$/)
    const { rows: members } = await client.query(
      `SELECT count(*)::int AS count FROM pg_roles WHERE rolsuper AND pg_has_role(current_user, oid, 'MEMBER')`,
    )
    expect(members[0].count).toBe(0)
  })

  it('tables and rows', async () => {
    const counts = await countRows({ client, schema: 'testsite' })
    expect(counts).toMatchObject({ rsc: 126, edge: 111, medium: 8, identity: 4, rsc_gone: 7, backup_revision: 211 })
    expect(await after('', checkTables)).toMatch(/^passed: All there, in 37 tables: rsc 126/)
    expect(await after('DROP TABLE testsite.identity CASCADE', checkTables)).toBe(
      'failed: identity is missing: this is no whole site',
    )
  })

  it('edges', async () => {
    expect(await after('', checkEdges)).toMatch(/^passed: All 111 edges/)
    const keys = withoutKeys('edge', 'fk_edge_subject_id', 'fk_edge_object_id', 'fk_edge_predicate_id')
    const { rows } = await client.query('SELECT id FROM testsite.edge ORDER BY id LIMIT 1')
    const [{ id }] = rows
    for (const column of ['subject_id', 'object_id', 'predicate_id']) {
      const change = `${keys} UPDATE testsite.edge SET ${column} = 999999 WHERE id = ${id}`
      expect(await after(change, checkEdges), column).toMatch(
        new RegExp(`^failed: 1 of 111 edges lack a resource at an end: ${id} \\(`),
      )
    }
  })

  it('foreign keys, those that were never checked too', async () => {
    expect(await after('', checkForeignKeys)).toBe('passed: 49 foreign keys, all checked')
    const again = `${withoutKeys('identity', 'pk_auth_rsc_id')}
      ALTER TABLE testsite.identity ADD CONSTRAINT pk_auth_rsc_id FOREIGN KEY (rsc_id) REFERENCES testsite.rsc(id) NOT VALID`
    expect(await after(again, checkForeignKeys)).toBe('passed: 49 foreign keys, all checked')
    const broken = again.replace(
      'ALTER TABLE testsite.identity ADD',
      'UPDATE testsite.identity SET rsc_id = 999999; ALTER TABLE testsite.identity ADD',
    )
    expect(await after(broken, checkForeignKeys)).toBe(
      'failed: Rows refer to others that are not there: pk_auth_rsc_id of identity',
    )
    expect(await after(withoutKeys('identity', 'pk_auth_rsc_id'), checkForeignKeys)).toMatch(/^warning: 48 .* none from identity/)
  })

  it('sequences', async () => {
    expect(await after('', checkSequences)).toBe('passed: 26 sequences, none behind its column')
    expect(await after(`SELECT setval('testsite.rsc_id_seq', 5)`, checkSequences)).toMatch(
      /^failed: The next insert would take a number that is taken: rsc_id_seq goes on at 6, rsc\.id has \d+/,
    )
    const { rows } = await client.query('SELECT max(id) AS highest FROM testsite.rsc')
    const { highest } = rows[0]
    expect(await after(`SELECT setval('testsite.rsc_id_seq', ${highest}, false)`, checkSequences)).toMatch(/^failed/)
    expect(await after(`SELECT setval('testsite.rsc_id_seq', ${highest}, true)`, checkSequences)).toMatch(/^passed/)
    expect(await after(`SELECT setval('testsite.rsc_id_seq', ${highest + 1}, false)`, checkSequences)).toMatch(/^passed/)
    const numbered = `CREATE TABLE testsite.numbered (n int GENERATED BY DEFAULT AS IDENTITY); INSERT INTO testsite.numbered VALUES (7)`
    expect(await after(numbered, checkSequences)).toMatch(
      /^warning: Behind their columns: numbered_n_seq goes on at 1, numbered\.n has 7/,
    )
    expect(await after(`${numbered}; ALTER TABLE testsite.numbered ADD PRIMARY KEY (n)`, checkSequences)).toMatch(/^failed/)
  })

  it('the newest change', async () => {
    const newest = await readNewest({ client, schema: 'testsite' })
    expect(newest?.toISOString()).toMatch(/^2026-11-23T01:5\d/)
    expect(
      await after(`UPDATE testsite.rsc SET modified = 'infinity'`, async (copy) => ({
        outcome: 'passed',
        finding: String(await readNewest(copy)),
      })),
    ).toBe('passed: null')
  })

  const archive = async function* (
    change: (name: string, size: number) => [string, number] | null = (name, size) => [name, size],
  ) {
    const tar = gunzipSync(await readFile(fixture('backups', '1-plain-full', 'testsite-1.tar.gz')))
    for await (const entry of readTar(Readable.from([tar]))) {
      const [name, size] = change(entry.name, entry.size) ?? []
      if (name !== undefined && size !== undefined) yield { ...entry, name, size } satisfies TarEntry
    }
  }
  const LEARNING = './2026/11/23/learning-903130271.jpg'

  it('media', async () => {
    expect(await after('', (copy) => checkMedia(copy, archive()))).toMatch(
      /^passed: 8 media, 15 files in the archive \(1\.57 MB\): all there; 7 more/,
    )
    expect(
      await after('', (copy) =>
        checkMedia(
          copy,
          archive((name, size) => (name === LEARNING ? null : [name, size])),
        ),
      ),
    ).toBe(
      'failed: 1 file that is named is not in the archive: 2026/11/23/learning-903130271.jpg (8 media, 14 files in the archive (1.37 MB))',
    )
    expect(
      await after('', (copy) =>
        checkMedia(
          copy,
          archive((name, size) => [name, name === LEARNING ? 0 : size]),
        ),
      ),
    ).toMatch(/^failed: 1 file of another size than recorded: 2026\/11\/23\/learning-903130271\.jpg/)
    const nothing = await after('', (copy) =>
      checkMedia(
        copy,
        archive(() => null),
      ),
    )
    expect(nothing).toMatch(/^failed: 8 files that are named are not in the archive: .* and 5 more/)
  })

  it('media that are elsewhere, or were never files, are not looked for', async () => {
    const names = async (sql: string) => after(`${sql}`, (copy) => checkMedia(copy, archive()))
    const first = 'WHERE id = 340'
    for (const set of [
      `filename = 'lib/images/logo.png'`,
      `filename = 'https://example.com/film.mp4'`,
      `filename = ''`,
      'filename = NULL',
      `filename = 'not/there.jpg', is_deletable_file = false`,
    ]) {
      expect(await names(`UPDATE testsite.medium SET ${set} ${first}`), set).toMatch(/^passed: 7 media/)
    }
    expect(await names(`UPDATE testsite.medium SET size = 0 ${first}`)).toMatch(/^passed: 8 media/)
    expect(await names(`UPDATE testsite.medium SET filename = 'gone/away.jpg' ${first}`)).toMatch(/^failed: .* gone\/away\.jpg/)
    const filestore = `CREATE TABLE testsite.filestore (path text); INSERT INTO testsite.filestore VALUES ('archive/gone/away.jpg');`
    expect(await names(`${filestore} UPDATE testsite.medium SET filename = 'gone/away.jpg' ${first}`)).toMatch(
      /^passed: 8 media.*; 1 in the filestore/,
    )
  })

  it('names in the archive with anything in them', async () => {
    const odd = 'a\tb\\c\n\r"ü"\\N.jpg'
    const sql = `UPDATE testsite.medium SET filename = E'${odd.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}' WHERE id = 340`
    expect(
      await after(sql, (copy) =>
        checkMedia(
          copy,
          archive((name, size) => [name === LEARNING ? `./${odd}` : name, size]),
        ),
      ),
    ).toMatch(/^passed/)
  })

  it('a check whose own query fails is not known; a lost connection is no finding', async () => {
    const broken = async () => {
      await client.query('SELECT no_such_column FROM testsite.rsc')
      return { outcome: 'passed' as const, finding: '' }
    }
    expect(await attempt('edges', signal, broken)).toMatchObject({
      id: 'edges',
      outcome: 'unknown',
      finding: expect.stringContaining('no_such_column'),
    })
    const lost = async (): Promise<Finding> => {
      throw Object.assign(new Error('terminating connection'), { code: '57P01' })
    }
    await expect(attempt('edges', signal, lost)).rejects.toThrow('terminating')
    await expect(attempt('edges', AbortSignal.abort(), broken)).rejects.toThrow()
  })
})
