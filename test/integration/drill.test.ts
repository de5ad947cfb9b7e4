import { appendFileSync } from 'node:fs'
import { readdir, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { listBackups, overview, readProofs, recordProof } from '#engine/features/listing/index.ts'
import { makeScratchDatabase } from '#engine/features/proof/drill/scratch-database.ts'
import { clearKeptDrills, proveOldest, startDrill, startVerify, startVerifyFolder } from '#engine/features/proof/index.ts'
import { workerFile } from '#engine/foundation/bundles.ts'
import { connectPostgres } from '#engine/foundation/connections/postgres.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import { clusterDataFolder, clusterState, startCluster, stopCluster } from '#engine/foundation/embedded-postgres/cluster.ts'
import { readClusterRecord } from '#engine/foundation/embedded-postgres/cluster-record.ts'
import { isAlive } from '#engine/foundation/process-identity.ts'
import { createWorkers, type Workers } from '#engine/foundation/workers.ts'
import { type Changes, drillFolder, findingsOf, MADE_AT, makeHome, putChangedBackup } from '#test/support/drill.ts'
import { openTestContext, withPhases } from '#test/support/engine-context.ts'
import { fixture, hasFixtures } from '#test/support/fixtures.ts'
import { temporaryFolder } from '#test/support/home.ts'

if (!hasFixtures) console.error('SKIPPED test/integration/drill.test.ts: the fixtures of a real server are missing')

const GENERATED = 'g7t2a-y1fcW-sliow-BBad@<'
const CHOSEN = 'zażółć-backup-🔐 pw'
const HEAVY = process.env.HEAVY === '1'
const DAY = 86_400

let workers: Workers
beforeAll(() => {
  workers = createWorkers({ file: workerFile(), size: 2 })
})
afterAll(() => workers.close())

async function newHome() {
  const { home, remove } = await makeHome()
  onTestFinished(async () => {
    const { context, close } = await openTestContext(home.root)
    await clearKeptDrills(context)
    await close()
    await remove()
  })
  return home
}

/** A site whose vault has these backups, and whose database is a port that only counts who comes. */
async function siteWith(...backups: Changes[]) {
  const home = await newHome()
  const folder = await temporaryFolder()
  for (const changes of backups) await putChangedBackup(folder, changes)
  const opened = await openTestContext(home.root, { secrets: { 'site/testsite/database-password': 'x' } })
  onTestFinished(() => opened.close())
  const { server, port, visits } = await countingServer()
  onTestFinished(() => void server.close())
  await opened.context.sites.add({
    version: 1,
    name: 'testsite',
    database: { host: '127.0.0.1', port, database: 'live', schema: 'testsite', user: 'zotonic', tls: 'disable' },
    vault: { path: folder },
    rotation: 'server',
  })
  return { ...opened, home, folder, visits }
}

/** Starts a scratch database that was kept, as somebody would who looks at it. */
async function edgesIn(folder: string): Promise<number> {
  const { look } = JSON.parse(await readFile(join(folder, 'drill.json'), 'utf8'))
  const cluster = await startCluster({ folder, purpose: 'scratch', program: 'test' })
  const client = await connectPostgres({ ...cluster.connection(look.database), user: look.user })
  const { rows } = await client.query('SELECT count(*)::int AS count FROM testsite.edge')
  await client.end()
  await stopCluster(folder)
  return rows[0].count
}

async function countingServer(): Promise<{ server: Server; port: number; visits: () => number }> {
  let count = 0
  const server = createServer((socket) => {
    count += 1
    socket.destroy()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return { server, port: typeof address === 'object' ? (address?.port ?? 0) : 0, visits: () => count }
}

describe.skipIf(!hasFixtures)('backups of a real server', () => {
  const all = HEAVY
    ? [['1-plain-full'], ['2-encrypted-full-autopw'], ['3-slots-mixed']]
    : [['1-plain-full'], ['2-encrypted-full-autopw'], ['3-slots-mixed', 'testsite-w2']]

  it.each(all)(
    '%s %s: proven to level 3',
    async (folder, name) => {
      const home = await newHome()
      const { context, close } = await openTestContext(home.root)
      onTestFinished(close)
      const request = { folder: fixture('backups', folder ?? ''), level: 3 as const, passwords: [GENERATED, CHOSEN] }
      const { proofs, verdict } = await (await startVerifyFolder(context, { ...request, ...(name ? { name } : {}) })).done
      expect(verdict).toBe('verified')
      for (const { proof, name: backup } of proofs) {
        expect(proof, backup).toMatchObject({ level: 3, verdict: 'verified' })
        const report = proof.drill!
        expect(report).toMatchObject({
          outcome: 'passed',
          server: expect.stringMatching(/^PostgreSQL 18\./),
          tables: 37,
          rowCounts: { rsc: 126, edge: 111, medium: 8, identity: 4 },
          keptIn: null,
        })
        expect(report.recoverySeconds).toBeGreaterThan(0)
        expect(report.seconds).toBeGreaterThan(report.recoverySeconds!)
        expect(report.checks.filter(({ outcome }) => outcome === 'failed')).toEqual([])
        const media = report.checks.find(({ id }) => id === 'media')
        expect(media?.outcome).toBe(name === 'testsite-w2' || proof.parts.length === 2 ? 'unknown' : 'passed')
      }
      expect(await readdir(home.scratch)).toEqual([])
    },
    600_000,
  )
})

describe.skipIf(!hasFixtures)('drills of a site', () => {
  it('reach no live database; what they find is kept, shown, and compared with by the next one', async () => {
    const { context, home, visits } = await siteWith(
      { name: 'testsite-7', timestamp: MADE_AT - DAY },
      {
        name: 'testsite-1',
        // every other row of edge is gone, and its foreign keys do not mind
        database: (sql) => {
          const rows = /(COPY "testsite"\."edge" .*\n)([\s\S]*?)(\\\.\n)/
          return sql.replace(rows, (_all, head, lines: string, end) => {
            const kept = lines.split('\n').filter((_line, at) => at % 5 === 0)
            return `${head}${kept.join('\n')}\n${end}`.replace(/\n\n\\\.\n$/, '\n\\.\n')
          })
        },
      },
    )
    const older = await (await startDrill(context, { site: 'testsite', name: 'testsite-7', passwords: [] })).done
    expect(older).toMatchObject({ name: 'testsite-7', repository: 'vault', report: { outcome: 'passed' }, proof: { level: 3 } })
    expect(Object.fromEntries(older.report.checks.map(({ id, outcome }) => [id, outcome]))).toEqual({
      load: 'passed',
      schema: 'passed',
      tables: 'passed',
      rows: 'unknown',
      newest: 'warning',
      edges: 'passed',
      'foreign-keys': 'passed',
      sequences: 'passed',
      media: 'passed',
      config: 'passed',
    })
    const [before] = await overview(context, new Date((MADE_AT + 3600) * 1000))
    expect(before).toMatchObject({ protection: 'ageing', drill: { name: 'testsite-7', outcome: 'passed' } })

    // the newest one, which nobody named
    const newest = await (await startDrill(context, { site: 'testsite', passwords: [] })).done
    expect(newest.name).toBe('testsite-1')
    expect(newest.report.outcome).toBe('failed')
    expect(newest.report.checks.find(({ id }) => id === 'rows')).toMatchObject({
      outcome: 'failed',
      finding: expect.stringMatching(/^Too few rows, compared with testsite-7 of Sun 22 Nov 01:55: edge \d+ \(was 111\)$/),
    })
    expect(newest.report.recoverySeconds).toBeGreaterThan(0)
    const entry = (await listBackups(context, await context.sites.get('testsite'))).backups[0]
    expect(entry?.proof).toMatchObject({ level: 2, verdict: 'failed', drill: { outcome: 'failed' } })
    const [after] = await overview(context, new Date((MADE_AT + 3600) * 1000))
    expect(after).toMatchObject({ protection: 'unprotected', drill: { name: 'testsite-1', outcome: 'failed' } })
    expect(after?.reason).toContain('The drill of testsite-1 of Mon 23 Nov 01:55 in the vault failed: Row counts: Too few rows')
    // reading it again does not make it good
    await (await startVerify(context, { site: 'testsite', name: 'testsite-1', level: 2, passwords: [] })).done
    expect((await overview(context, new Date((MADE_AT + 3600) * 1000)))[0]?.protection).toBe('unprotected')
    expect(visits()).toBe(0)

    // kept for looking at, and stopped
    const kept = newest.report.keptIn!
    expect(await readdir(home.scratch)).toEqual([kept.split('/').at(-1)])
    expect(await clusterState(kept)).toBe('stopped')
    expect(await edgesIn(kept)).toBeLessThan(111 / 2)
    expect(JSON.parse(await readFile(join(kept, 'drill.json'), 'utf8'))).toMatchObject({ site: 'testsite', name: 'testsite-1' })
    const data = (await clusterDataFolder(kept))!
    expect(await clearKeptDrills(context)).toEqual([{ folder: kept, bytes: expect.any(Number) }])
    await expect(stat(data)).rejects.toThrow('ENOENT')
    expect(await readdir(home.scratch)).toEqual([])
    expect((await readProofs(context, 'testsite')).drills.map(({ report }) => report.keptIn)).toEqual([null, null])
  })

  it('an encrypted backup without a password is no finding, but an error', async () => {
    const { context } = await siteWith()
    await context.sites.update({
      ...(await context.sites.get('testsite')),
      vault: { path: fixture('backups', '2-encrypted-full-autopw') },
    })
    const job = await startDrill(context, { site: 'testsite', passwords: ['wrong'] })
    await expect(job.done).rejects.toMatchObject({ code: 'password-needed' })
    const verified = await (await startVerify(context, { site: 'testsite', name: 'testsite-1', level: 3, passwords: ['wrong'] }))
      .done
    expect(verified).toMatchObject({ verdict: 'unknown', proofs: [{ proof: { drill: null } }] })
  })
})

describe.skipIf(!hasFixtures)('drills of damaged and strange backups', () => {
  async function drilled(changes: Changes, more: { siteSchema?: string } = {}) {
    const home = await newHome()
    const folder = await temporaryFolder()
    await putChangedBackup(folder, changes)
    const result = await drillFolder(folder, { scratch: home.scratch, workers, ...more })
    const left = await readdir(home.scratch)
    expect(left).toHaveLength(result.report.outcome === 'failed' ? 1 : 0)
    // those that this test has kept have no note: they go with the folder
    for (const name of left) await rm((await clusterDataFolder(join(home.scratch, name)))!, { recursive: true, force: true })
    return { ...result, found: findingsOf(result) }
  }
  const inFront = (before: string, sql: string) => (dump: string) => dump.replace(before, () => `${sql}\n\n${before}`)
  const TABLE = 'CREATE TABLE "testsite"."admin_note_rsc"'
  const withoutRow = (dump: string, table: string, id: string) => {
    const rows = dump.indexOf('\n', dump.indexOf(`COPY "testsite"."${table}" (`))
    const from = dump.indexOf(`\n${id}\t`, rows)
    return dump.slice(0, from) + dump.slice(dump.indexOf('\n', from + 1))
  }
  const rare: [string, Changes, RegExp][] = [
    [
      'a dump cut before it was compressed right at its last line',
      { database: (sql) => sql.slice(0, sql.indexOf('-- PostgreSQL database dump complete')) },
      /^failed: The dump is cut/,
    ],
    [
      'a statement that no dump has',
      { database: inFront(TABLE, `ALTER SYSTEM SET archive_command = 'touch /tmp/x';`) },
      /^failed: .*ALTER SYSTEM.* not allowed/,
    ],
    ['a program to be run', { database: inFront(TABLE, `COPY "testsite"."config" TO PROGRAM 'touch /tmp/x';`) }, /^failed: /],
    ['no schema', { database: (sql) => sql.replace('CREATE SCHEMA "testsite";', '') }, /^failed: it makes no schema/],
  ]

  it.each<[string, Changes, RegExp]>([
    ['a cut dump', { database: (sql) => sql.slice(0, sql.length * 0.6) }, /^failed: The dump is cut/],
    [
      'a resource at the end of edges is missing',
      { database: (sql) => withoutRow(sql, 'rsc', '1') },
      /^failed: .*line \d+.*: insert or update on table .* violates foreign key constraint/i,
    ],
    [
      'a statement that only a superuser may run, behind an allowed one',
      {
        database: inFront(
          TABLE,
          `CREATE FUNCTION "testsite"."peek"() RETURNS "text" LANGUAGE "plpgsql" AS $$ begin return pg_catalog.pg_read_file('/etc/passwd'); end $$;
CREATE TABLE "testsite"."spy" ("seen" "text" DEFAULT "testsite"."peek"(), "id" integer);
INSERT INTO "testsite"."spy" ("id") VALUES (1);`,
        ),
      },
      /^failed: .*line 318.*: permission denied for function pg_read_file/i,
    ],
    ['an end of transaction', { database: inFront(TABLE, 'COMMIT;') }, /^failed: .*COMMIT is not allowed/],
    ...(HEAVY ? rare : []),
  ])('%s', async (_what, changes, load) => {
    const { found, report } = await drilled(changes)
    expect(found.load).toMatch(load)
    expect(report).toMatchObject({ outcome: 'failed', recoverySeconds: null, tables: 0, rowCounts: {} })
    expect(found).toMatchObject({ tables: 'unknown: The database did not load', config: expect.stringMatching(/^passed/) })
  })

  const inSchema: [string, Changes, RegExp][] = [
    [
      'an extension that was in the schema',
      {
        database: (sql) =>
          sql.replace('"pivot_geocode_qhash" "bytea"', '"pivot_geocode_qhash" "bytea",\n    "kind" "testsite"."citext"'),
      },
      /^unknown: extension citext was in the site’s schema/,
    ],
  ]

  it.each<[string, Changes, RegExp]>([
    [
      'an extension that is not in the built-in PostgreSQL',
      {
        database: (sql) =>
          sql.replace(
            '"pivot_geocode_qhash" "bytea"',
            '"pivot_geocode_qhash" "bytea",\n    "place" "public"."geometry"(Point,4326)',
          ),
      },
      /^unknown: extension postgis is not in the built-in PostgreSQL: this backup can’t be drilled here$/,
    ],
    ...(HEAVY ? inSchema : []),
    [
      'a newer PostgreSQL',
      { database: (sql) => sql.replace('-- Dumped from database version 15', '-- Dumped from database version 21') },
      /^unknown: the dump is of PostgreSQL 21, the built-in one is PostgreSQL 18\.\d+: this backup can’t be drilled here$/,
    ],
  ])('%s is no fault of the backup', async (_what, changes, load) => {
    const { found, report } = await drilled(changes)
    expect(found.load).toMatch(load)
    expect(report).toMatchObject({ outcome: 'unknown', recoverySeconds: null, keptIn: null })
  })

  it('an extension that the built-in PostgreSQL has, several owners, and rights for others', async () => {
    const { found, report } = await drilled({
      database: (sql) =>
        inFront(
          TABLE,
          `CREATE TABLE "testsite"."theirs" ("name" "public"."citext", "note" "text");
ALTER TABLE "testsite"."theirs" OWNER TO "desk";
CREATE INDEX "theirs_note" ON "testsite"."theirs" USING "gin" ("note" "public"."gin_trgm_ops");
GRANT SELECT ON TABLE "testsite"."theirs" TO "read only";
ALTER TABLE "testsite"."theirs" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "testsite"."theirs" FORCE ROW LEVEL SECURITY;
INSERT INTO "testsite"."theirs" VALUES ('A', 'b');`,
        )(sql),
    })
    expect(found.load).toMatch(/^passed/)
    expect(report.rowCounts.theirs).toBe(1)
  })

  it('a site in the schema “public”, which belongs to whoever owns the database', async () => {
    const { found, report } = await drilled(
      {
        database: (sql) =>
          sql
            .replaceAll('"testsite"', '"public"')
            .replaceAll(`'"public"`, `'"public"`)
            .replace('ALTER SCHEMA "public" OWNER TO "zotonic"', 'ALTER SCHEMA "public" OWNER TO "pg_database_owner"'),
      },
      { siteSchema: 'testsite' },
    )
    expect(found.load).toMatch(/^passed/)
    expect(found.schema).toMatch(/^warning: The dump makes “public”, but the site uses “testsite”/)
    expect(found.config).toMatch(/^warning: .* names the schema “testsite”, where the dump makes “public”/)
    expect(report).toMatchObject({ outcome: 'passed', tables: 37 })
  })

  it('what is wrong with media and settings', async () => {
    const { found, report } = await drilled({
      files: async (folder) => {
        await unlink(join(folder, '2026/11/23/doc1-718737740.pdf'))
        await writeFile(join(folder, '2026/11/23/note1-338370679.txt'), 'cut')
      },
      config: async (folder) => {
        const file = join(folder, 'config-testsite/config/priv/zotonic_site.config')
        const text = await readFile(file, 'utf8')
        await writeFile(file, text.slice(0, text.lastIndexOf(']')))
      },
    })
    expect(report.outcome).toBe('failed')
    expect(found.media).toMatch(
      /^failed: 1 file that is named is not in the archive: 2026\/11\/23\/doc1-718737740\.pdf; 1 file of another size than recorded: 2026\/11\/23\/note1-338370679\.txt/,
    )
    expect(found.config).toMatch(/^failed: priv\/zotonic_site\.config: line \d+: /)
    expect(report.recoverySeconds).toBeGreaterThan(0)
    expect(JSON.stringify(report)).not.toMatch(/adminpw123|tC7LU6Y8/)
  })

  it('a backup of the database only, and archives that can’t be read', async () => {
    const only = await drilled({ files: null, config: null })
    expect(only.report.outcome).toBe('passed')
    expect(only.found).toMatchObject({
      media: 'unknown: The backup has no media: they are kept elsewhere',
      config: 'unknown: The backup has no configuration',
    })
    const home = await newHome()
    const folder = await temporaryFolder()
    await putChangedBackup(folder)
    await writeFile(join(folder, 'testsite-1.tar.gz'), 'no gzip')
    await unlink(join(folder, 'config-testsite-1.tar.gz'))
    const result = await drillFolder(folder, { scratch: home.scratch, workers })
    expect(findingsOf(result)).toMatchObject({
      load: expect.stringMatching(/^passed/),
      media: expect.stringMatching(/^failed: testsite-1\.tar\.gz/),
      config: 'failed: config-testsite-1.tar.gz is missing',
    })
    await rm((await clusterDataFolder(result.report.keptIn!))!, { recursive: true, force: true })
  })
})

describe.skipIf(!hasFixtures)('drills that do not come to an end', () => {
  it('cancelled in the middle of a load: no process and no folder is left', async () => {
    const { context, home, jobs } = await siteWith({})
    let postmaster: { pid: number; start: string | null } | null = null
    const watched = withPhases(context, (name, jobId) => {
      if (name !== 'Restoring the database') return
      setTimeout(async () => {
        const [folder] = await readdir(home.scratch)
        postmaster = (await readClusterRecord(join(home.scratch, folder!)))!.postmaster
        await jobs.cancel(jobId)
      }, 100)
    })
    const job = await startDrill(watched, { site: 'testsite', passwords: [] })
    await expect(job.done).rejects.toMatchObject({ code: 'cancelled' })
    expect((await jobs.show(job.id)).job.state).toBe('cancelled')
    expect(postmaster).not.toBeNull()
    expect(isAlive(postmaster!)).toBe(false)
    expect(await readdir(home.scratch)).toEqual([])
    expect((await readProofs(context, 'testsite')).drills).toEqual([])
  })

  it('a disk without room for it: told before anything is read', async () => {
    const home = await newHome()
    const signal = new AbortController().signal
    await expect(makeScratchDatabase({ scratch: home.scratch, program: 'test', dumpBytes: 1e15, signal })).rejects.toMatchObject({
      code: 'disk-full',
      message: expect.stringContaining('6.25 PB'),
    })
    expect(await readdir(home.scratch)).toEqual([])
  })

  it('a backup that is replaced meanwhile: an error, and nothing is kept of it', async () => {
    const { context, home, folder } = await siteWith({})
    const watched = withPhases(context, (name) => {
      if (name === 'Restoring the database') appendFileSync(join(folder, 'testsite-1.sql.gz'), 'x')
    })
    const job = await startDrill(watched, { site: 'testsite', passwords: [] })
    await expect(job.done).rejects.toMatchObject({ code: 'changed-while-reading' })
    expect(await readdir(home.scratch)).toEqual([])
    expect(await readProofs(context, 'testsite')).toEqual({ proofs: [], drills: [] })
  })

  it('two at once, of two folders', async () => {
    const home = await newHome()
    const { context, close } = await openTestContext(home.root)
    onTestFinished(close)
    const folders = await Promise.all([temporaryFolder(), temporaryFolder()])
    for (const folder of folders) await putChangedBackup(folder)
    const jobs = await Promise.all(folders.map((folder) => startVerifyFolder(context, { folder, level: 3, passwords: [] })))
    const results = await Promise.all(jobs.map(({ done }) => done))
    expect(results.map(({ verdict }) => verdict)).toEqual(['verified', 'verified'])
    expect(await readdir(home.scratch)).toEqual([])
  })
})

describe.skipIf(!hasFixtures)('proveOldest', () => {
  async function prove(context: EngineContext, minutes: number, now?: () => Date) {
    return context.jobs.start({
      kind: 'drill',
      title: 'Proving',
      site: 'testsite',
      holds: [],
      run: async (job) => proveOldest(context, await context.sites.get('testsite'), { minutes, job, ...(now ? { now } : {}) }),
    }).done
  }

  it('gives up what takes many times as long as it should, and goes on', async () => {
    const { context, home } = await siteWith({ name: 'testsite-1' })
    const files = [{ file: 'x', sha256: null, size: 1_700_000, version: 'x' }]
    const proof = { level: 2, verdict: 'verified' as const, verifiedAt: new Date().toISOString(), parts: [], drill: null }
    const backup = { repository: 'server' as const, name: 'testsite-9', timestamp: '2026-11-01T03:00:00Z' }
    const report = { outcome: 'passed' as const, startedAt: proof.verifiedAt, recoverySeconds: 0.01, seconds: 0.01, server: '' }
    const drill = { ...report, tables: 1, rows: 1, checks: [], rowCounts: {}, keptIn: null }
    await recordProof(
      context,
      'testsite',
      { ...backup, files, proof, seconds: 0.01 },
      { bytes: 1_700_000, newest: null, report: drill },
    )
    const result = await prove(context, 0.001)
    expect(result).toMatchObject({
      proven: [],
      skipped: [{ name: 'testsite-1', reason: expect.stringContaining('it was given up after') }],
      left: 0,
    })
    expect(await readdir(home.scratch)).toEqual([])
  })

  it('proves the least known first within its time, and tells of what is bad', async () => {
    const { context, visits } = await siteWith(
      { name: 'testsite-6', timestamp: MADE_AT - 2 * DAY, files: (folder) => rm(join(folder, '2026/11/23/doc1-718737740.pdf')) },
      { name: 'testsite-1', timestamp: MADE_AT },
    )
    await (await startVerify(context, { site: 'testsite', name: 'testsite-1', level: 2, passwords: [] })).done
    expect(await prove(context, 0)).toMatchObject({ proven: [], left: 0 })
    // a clock on which the first one takes all of the time
    let ticks = 0
    const slow = () => new Date(ticks++ < 3 ? 0 : 3_600_000)
    const first = await prove(context, 20, slow)
    expect(first.proven).toMatchObject([
      { name: 'testsite-6', verdict: 'failed', level: 2, reason: expect.stringContaining('Media archive: 1 file') },
    ])
    expect(first.failed).toEqual(first.proven)
    expect(first.left).toBe(1)
    const second = await prove(context, 20)
    expect(second.proven.map(({ name, level, verdict }) => [name, level, verdict])).toEqual([
      ['testsite-1', 3, 'verified'],
      ['testsite-6', 2, 'failed'],
    ])
    expect(second).toMatchObject({ left: 0, failed: [{ name: 'testsite-6' }], skipped: [] })
    expect(visits()).toBe(0)
    await clearKeptDrills(context)
  })
})
