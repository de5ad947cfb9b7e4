import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip as gunzipAll } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectPostgres } from '#engine/foundation/connections/postgres.ts'
import { dumpToFile, EVERYTHING_ROLES, pgDumpEntries } from '#test/support/dump.ts'
import { fixture, hasFixtures } from '#test/support/fixtures.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { KEPT, load, unpackedDump } from '#test/support/load.ts'
import { type Postgres15, startPostgres15 } from '#test/support/postgres.ts'

if (!hasFixtures) console.error('SKIPPED part of test/integration/load.test.ts: the fixtures of a real server are missing')

const DUMPS = [
  'backups/1-plain-full/testsite-1.sql.gz',
  'testsite-full.sql.gz',
  'revert/A-edges-all-options-before.sql.gz',
  'revert/C-outgoing-before.sql.gz',
]

describe('loading dumps', () => {
  let postgres: Postgres15
  beforeAll(async () => {
    postgres = await startPostgres15()
  })
  afterAll(() => postgres?.stop())

  it.skipIf(!hasFixtures)('gives what psql gives, for every dump of a real server', async () => {
    const { readdir } = await import('node:fs/promises')
    const revert = (await readdir(fixture('revert'))).filter((name) => name.endsWith('.sql.gz')).map((name) => `revert/${name}`)
    for (const [at, dump] of [...DUMPS.slice(0, 2), ...revert].entries()) {
      await postgres.createDatabase(`psql${at}`)
      await postgres.psql(`psql${at}`, { file: fixture(dump) }, 'zotonic')
      await postgres.createDatabase(`ours${at}`)
      const result = await load(postgres, `ours${at}`, unpackedDump(fixture(dump)), { keepLiveAs: null })
      expect(result.tables.length).toBeGreaterThan(30)
      expect(await pgDumpEntries(postgres, `ours${at}`, 'testsite'), dump).toEqual(
        await pgDumpEntries(postgres, `psql${at}`, 'testsite'),
      )
    }
  })

  it.skipIf(!hasFixtures)('keeps the old schema, and shows it to others until the end', async () => {
    await postgres.createDatabase('live')
    await postgres.psql('live', { file: fixture('revert', 'A-edges-all-options-before.sql.gz') }, 'zotonic')
    const before = await pgDumpEntries(postgres, 'live', 'testsite')
    const other = await connectPostgres(postgres.connection('live', 'zotonic'))
    const count = async () => (await other.query('SELECT count(*)::int AS n FROM testsite.rsc')).rows[0].n
    const was = await count()
    const seen: number[] = []
    const result = await load(postgres, 'live', unpackedDump(fixture('testsite-full.sql.gz')), {
      beforeCommit: async () => {
        seen.push(await count())
      },
    })
    expect(seen).toEqual([was])
    expect(await count()).toBe(126)
    expect(result.rows).toBeGreaterThan(1000)
    await other.end()
    await postgres.createDatabase('plain')
    await postgres.psql('plain', { file: fixture('testsite-full.sql.gz') }, 'zotonic')
    expect(await pgDumpEntries(postgres, 'live', 'testsite')).toEqual(await pgDumpEntries(postgres, 'plain', 'testsite'))
    // and back again by hand, as the operator would
    await postgres.psql('live', `DROP SCHEMA testsite CASCADE; ALTER SCHEMA ${KEPT} RENAME TO testsite`, 'zotonic')
    expect(await pgDumpEntries(postgres, 'live', 'testsite')).toEqual(before)
  })

  it('loads what pg_dump and the built-in dump write of every kind of object', async () => {
    const folder = await temporaryFolder()
    const sql = (await readFile(join(import.meta.dirname, '..', 'fixtures', 'sql', 'everything.sql'), 'utf8'))
      // a row of --inserts is one statement, and statements are bounded
      .replace('4000000)', '400000)')
      // what the loader refuses by its rules: another language, and rights granted by a third role
      .replace("LANGUAGE internal IMMUTABLE STRICT AS 'lower'", "LANGUAGE sql IMMUTABLE STRICT AS 'select pg_catalog.lower($1)'")
      .replace(/SET SESSION AUTHORIZATION "Odd[\s\S]*?RESET SESSION AUTHORIZATION;/, '')
    await postgres.psql('postgres', EVERYTHING_ROLES)
    await postgres.createDatabase('everything')
    await postgres.psql('everything', sql)
    const connection = postgres.connection('everything')
    const own = join(folder, 'own.sql')
    await dumpToFile(connection, 'everything', own)
    const scripts = {
      pg_dump: await postgres.pgDump('everything', ['-n', 'everything']),
      quoted: await postgres.pgDump('everything', [
        '-n',
        'everything',
        '--quote-all-identifiers',
        '--verbose',
        '--clean',
        '--if-exists',
      ]),
      inserts: await postgres.pgDump('everything', ['-n', 'everything', '--inserts', '--on-conflict-do-nothing', '--clean']),
      columns: await postgres.pgDump('everything', ['-n', 'everything', '--column-inserts', '--rows-per-insert=7']),
      own: await readFile(own, 'utf8'),
    }
    const wanted = await pgDumpEntries(postgres, 'everything', 'everything')
    for (const [name, script] of Object.entries(scripts)) {
      await postgres.createDatabase(`everything_${name}`)
      await load(postgres, `everything_${name}`, script, {
        schema: 'everything',
        keepLiveAs: null,
        connection: postgres.connection(`everything_${name}`),
      })
      // written as numbers, -0 is 0: that is pg_dump's loss, not the loader's
      const found = await pgDumpEntries(postgres, `everything_${name}`, 'everything')
      const isByNumbers = name === 'inserts' || name === 'columns'
      expect(isByNumbers ? found.map((entry) => entry.replace('-Infinity\t0\t', '-Infinity\t-0\t')) : found, name).toEqual(wanted)
    }
  })

  it.skipIf(!hasFixtures)('takes gzip of many members', async () => {
    const packed = await readFile(fixture('testsite-full.sql.gz'))
    const plain = await promisify(gunzipAll)(packed)
    const { gzipSync } = await import('node:zlib')
    const members = Array.from({ length: 20 }, (_, at) => {
      const size = Math.ceil(plain.length / 20)
      return gzipSync(plain.subarray(at * size, (at + 1) * size))
    })
    const { gunzip } = await import('#engine/foundation/content/gunzip.ts')
    const { Readable } = await import('node:stream')
    await postgres.createDatabase('members')
    const script = gunzip(Readable.from([Buffer.concat(members)]))
    const result = await load(postgres, 'members', script, { keepLiveAs: null })
    expect(result.tables).toContain('rsc')
  })
})
