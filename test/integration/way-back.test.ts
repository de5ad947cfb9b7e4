import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { appendFile, cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type RestoreResult, recoverInterruptedRestores, startWayBack } from '#engine/features/restore/index.ts'
import { connectPostgres } from '#engine/foundation/connections/postgres.ts'
import type { ServerFolder } from '#test/support/backup-site.ts'
import { pgDumpEntries } from '#test/support/dump.ts'
import type { TestContext } from '#test/support/engine-context.ts'
import { fixture, hasFixtures } from '#test/support/fixtures.ts'
import { type Postgres15, startPostgres15 } from '#test/support/postgres.ts'
import { codeOf } from '#test/support/repository-contract.ts'
import { createDatabaseFrom, endOf, makePlan, mediaFiles, openLiveSite, runPlan, treeOf } from '#test/support/restore-site.ts'
import { keptOf, planWayBack, runWayBack } from '#test/support/way-back-site.ts'

const CHILD = join(import.meta.dirname, '..', 'support', 'way-back-child.ts')
const HEAVY = process.env.HEAVY === '1'
const ALL_PARTS = ['database', 'files', 'config', 'security'] as const
if (!hasFixtures) console.error('SKIPPED test/integration/way-back.test.ts: the fixtures of a real server are missing')

describe.skipIf(!hasFixtures)('going back', () => {
  let postgres: Postgres15
  let root: string
  let server: ServerFolder
  let test: TestContext
  let wanted: string[]
  let number = 0
  let database = ''

  beforeAll(async () => {
    postgres = await startPostgres15()
    await createDatabaseFrom(postgres, 'wanted', 'backups', '1-plain-full', 'testsite-1.sql.gz')
    wanted = await pgDumpEntries(postgres, 'wanted', 'testsite')
    await createDatabaseFrom(postgres, 'older', 'revert', 'A-edges-all-options-before.sql.gz')
  })
  afterAll(() => postgres?.stop())

  /** A live site that differs from the backup in its database, three media, a configuration and a security file. */
  beforeEach(async () => {
    number += 1
    database = `back${number}`
    const site = await openLiveSite(postgres, database, 'older')
    ;({ root, server, test } = site)
    const files = await mediaFiles(server)
    await rm(files[0] ?? '')
    await writeFile(files.at(-2) ?? '', 'another content')
    await appendFile(files.at(-1) ?? '', 'longer')
    await mkdir(join(server.archiveDir, 'own'))
    await writeFile(join(server.archiveDir, 'own', 'file'), 'of the live site')
    await writeFile(join(server.siteDir, 'priv', 'zotonic_site.config'), '[{testsite, [{changed, true}]}].')
    await writeFile(join(server.securityDir, 'own.key'), 'only here')
    await cp(fixture('backups', '1-plain-full'), server.backupDir, { recursive: true })
    await addConfigFiles()
    return site.close
  })

  /** The fixture's configuration archive has one file only. */
  async function addConfigFiles(): Promise<void> {
    const config = join(root, 'unpacked-config')
    await mkdir(join(config, 'config-testsite', 'config', 'config.d'))
    await writeFile(join(config, 'config-testsite', 'config', 'config.d', 'mail.config'), '[].')
    await mkdir(join(config, 'config-testsite', 'security'))
    await writeFile(join(config, 'config-testsite', 'security', 'site.key'), 'of the backup')
    const archive = join(server.backupDir, 'config-testsite-1.tar.gz')
    await promisify(execFile)('tar', ['-C', config, '-czf', archive, 'config-testsite'])
    const index = JSON.parse(await readFile(join(server.backupDir, 'backup.json'), 'utf8'))
    index['testsite-1'].config_files_hash = createHash('sha256')
      .update(await readFile(archive))
      .digest('hex')
    await writeFile(join(server.backupDir, 'backup.json'), JSON.stringify(index))
  }

  const schema = (name = 'testsite') => pgDumpEntries(postgres, database, name)

  /** The live site: its schema, and its media, configuration and security files. */
  async function live(): Promise<{ database: string[]; files: string }> {
    const trees = [server.archiveDir, join(server.siteDir, 'priv'), server.securityDir]
    return { database: await schema(), files: (await Promise.all(trees.map((tree) => treeOf(tree)))).join('\n\n') }
  }

  async function restore(parts: readonly (typeof ALL_PARTS)[number][] = ALL_PARTS): Promise<string> {
    const plan = await makePlan(test.context, { parts: [...parts], safetyBackup: false })
    const job = await runPlan(test.context, plan.id)
    expect(job.error).toBeNull()
    return job.id
  }

  const undoFolders = () => readdir(join(server.filesDir, 'backup-desk-undo'))

  it('restores, goes back, forth and back again, and deletes what is kept, each time to the last byte', async () => {
    const before = await live()
    const plan = await makePlan(test.context, { parts: [...ALL_PARTS] })
    expect(plan.checks.filter(({ outcome }) => outcome === 'failed')).toEqual([])
    expect(plan.safetyBackup).toMatch(/^testsite-safety-\d{14}$/)
    expect(plan.config).toContainEqual(expect.objectContaining({ path: 'priv/zotonic_site.config', change: 'replaced' }))
    const restored = await runPlan(test.context, plan.id)
    expect(restored.error).toBeNull()
    const result = restored.result as RestoreResult
    expect(result).toMatchObject({ safetyBackup: plan.safetyBackup, config: { replaced: 1 } })
    expect(result.findings.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual([
      'Rows passed',
      'Constraints passed',
      'Foreign keys passed',
      'Sequences passed',
    ])
    expect(restored.items.find(({ id }) => id === 'restart')?.state).toBe('skipped')
    const after = await live()
    expect(after.database).toEqual(wanted)
    expect(after.files).not.toBe(before.files)

    const [kept, ...others] = await keptOf(test.context)
    expect(others).toEqual([])
    expect(kept).toMatchObject({
      id: plan.keptSchema,
      schema: plan.keptSchema,
      by: 'restore',
      jobId: restored.id,
      backup: { name: 'testsite-1' },
      files: { replaced: 3, added: 3 },
    })
    expect(kept?.bytes).toBeGreaterThan(100_000)

    const undo = await planWayBack(test.context, 'undo')
    expect(undo.checks.filter(({ outcome }) => outcome === 'failed')).toEqual([])
    expect(undo.tables.find(({ table }) => table === 'rsc')).toMatchObject({ rowsNow: 126 })
    expect(await live(), 'a plan changes nothing').toEqual(after)
    await sleep(1000)
    const undone = await runWayBack(test.context, undo.id)
    expect(undone.error).toBeNull()
    expect(undone.result).toMatchObject({ kind: 'undo', keptSchema: undo.keptSchema, files: { putBack: 3, removed: 3, left: 0 } })
    expect(await live()).toEqual(before)
    expect(await schema(undo.keptSchema ?? '')).toEqual(wanted.map((entry) => named(entry, undo.keptSchema ?? '')))
    expect(await undoFolders()).toEqual([undone.id])
    expect(await keptOf(test.context)).toMatchObject([{ id: undo.keptSchema, by: 'undo', jobId: undone.id, backup: null }])

    await sleep(1000)
    const redo = await planWayBack(test.context, 'undo')
    const redone = await runWayBack(test.context, redo.id)
    expect(redone.error).toBeNull()
    expect(await live()).toEqual(after)
    await sleep(1000)
    const again = await planWayBack(test.context, 'undo')
    expect((await runWayBack(test.context, again.id)).error).toBeNull()
    expect(await live()).toEqual(before)

    const drop = await planWayBack(test.context, 'drop')
    expect(drop.wayBack.join(' ')).toContain('None')
    expect((await runWayBack(test.context, drop.id)).error).toBeNull()
    expect(await live()).toEqual(before)
    expect(await keptOf(test.context)).toEqual([])
    expect(await undoFolders()).toEqual([])
    const schemas = await postgres.psql(database, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'testsite%'")
    expect(schemas.trim()).toBe('testsite')

    // the safety backup brings the site back as well, as it was when the restore began
    await postgres.psql(database, 'SET search_path = testsite; DELETE FROM edge', 'zotonic')
    const safe = await makePlan(test.context, {
      name: plan.safetyBackup ?? '',
      parts: ['database', 'config'],
      safetyBackup: false,
    })
    expect(safe).toMatchObject({ runnable: true, backup: { repository: 'vault' } })
    expect((await runPlan(test.context, safe.id)).error).toBeNull()
    expect(await schema()).toEqual(before.database)
  }, 180_000)

  it('goes back with files alone, folders included, and leaves what was worked on since', async () => {
    await rm(join(server.archiveDir, '2026'), { recursive: true })
    const before = await live()
    const job = await restore(['files'])
    const after = await live()
    const [kept] = await keptOf(test.context)
    expect(kept).toMatchObject({ id: job, schema: null, bytes: null, files: { replaced: 0, added: 15 } })
    const plan = await planWayBack(test.context, 'undo')
    expect(plan).toMatchObject({ keptSchema: null, tables: [], runnable: true })
    expect((await runWayBack(test.context, plan.id)).result).toMatchObject({ files: { putBack: 0, removed: 15 } })
    expect(await live()).toEqual(before)
    const redo = await planWayBack(test.context, 'undo')
    expect((await runWayBack(test.context, redo.id)).result).toMatchObject({ files: { putBack: 15, removed: 0 } })
    expect(await live()).toEqual(after)

    // a file that the restore had added is worked on since: it stays
    const [file] = (await readdir(join(server.archiveDir, '2026', '11', '23'))).sort()
    const path = join(server.archiveDir, '2026', '11', '23', file ?? '')
    await appendFile(path, 'worked on')
    const again = await planWayBack(test.context, 'undo')
    expect((await runWayBack(test.context, again.id)).result).toMatchObject({ files: { removed: 14, left: 1 } })
    expect(await readFile(path, 'utf8')).toMatch(/worked on$/)
    await rm(join(server.archiveDir, '2026'), { recursive: true })
    expect(await live()).toEqual(before)
    const drop = await planWayBack(test.context, 'drop')
    expect((await runWayBack(test.context, drop.id)).error).toBeNull()
    expect(await undoFolders()).toEqual([])
  })

  it('runs a plan once, when confirmed, and only while nothing changed', async () => {
    await restore()
    const after = await live()
    const plan = await planWayBack(test.context, 'undo')
    const asked: { question: string; typedName: string }[] = []
    const refusing = {
      ...test.context,
      confirm: async (confirmation: { question: string; typedName: string }) => {
        asked.push(confirmation)
        return false
      },
    }
    expect(await startWayBack(refusing, plan.id)).toBeNull()
    expect(asked).toMatchObject([{ question: expect.stringContaining('testsite-1'), typedName: 'testsite' }])
    expect(await live()).toEqual(after)
    const other = await planWayBack(test.context, 'undo')
    const drop = await planWayBack(test.context, 'drop')
    // both at once: they take turns, and the second one finds another site than it planned for
    const ids = await Promise.all([startWayBack(test.context, plan.id), startWayBack(test.context, other.id)])
    const jobs = await Promise.all(ids.map((id) => endOf(test.context, id ?? '')))
    expect(jobs.map(({ state }) => state).sort()).toEqual(['done', 'failed'])
    expect(jobs.find(({ state }) => state === 'failed')?.error?.code).toBe('plan-outdated')
    expect(await codeOf(startWayBack(test.context, plan.id))).toBe('plan-used')
    expect((await runWayBack(test.context, drop.id)).error?.code).toBe('plan-outdated')
    expect(await codeOf(planWayBack(test.context, 'undo', 'testsite_before_20200101000000'))).toBe('unknown-kept')
    expect(await codeOf(planWayBack(test.context, 'drop', 'testsite'))).toBe('unknown-kept')
  })

  it('waits for who holds the tables, says who, and leaves all as it was', async () => {
    await restore()
    const after = await live()
    const [kept] = await keptOf(test.context)
    const holder = await connectPostgres(postgres.connection(database, 'zotonic'))
    try {
      for (const kind of HEAVY ? (['undo', 'drop'] as const) : (['undo'] as const)) {
        const plan = await planWayBack(test.context, kind)
        await holder.query(`BEGIN; SELECT count(*) FROM ${kind === 'undo' ? 'testsite' : `"${kept?.id}"`}.rsc`)
        if (kind === 'undo') await holder.query('LOCK TABLE testsite.rsc IN ROW EXCLUSIVE MODE')
        const { rows } = await holder.query('SELECT pg_backend_pid() AS pid')
        const job = await runWayBack(test.context, plan.id)
        await holder.query('ROLLBACK')
        expect(job.error).toMatchObject({ code: 'database-locked', message: expect.stringContaining(`process ${rows[0].pid}`) })
        const phases = test.events.flatMap((event) =>
          event.type === 'job' && event.job.id === job.id ? [event.job.phase?.name] : [],
        )
        expect(phases).toContainEqual(
          expect.stringMatching(new RegExp(`^Waiting for process ${rows[0].pid} of user zotonic .* to let go of`)),
        )
        expect(await live()).toEqual(after)
        expect(await keptOf(test.context)).toMatchObject([{ id: kept?.id, files: kept?.files }])
      }
    } finally {
      await holder.end()
    }
    const plan = await planWayBack(test.context, 'undo')
    expect((await runWayBack(test.context, plan.id)).error).toBeNull()
  })

  it('does not delete what something outside depends on', async () => {
    await restore(['database'])
    const [kept] = await keptOf(test.context)
    const name = `"${kept?.id}"`
    const ready = await planWayBack(test.context, 'drop')
    expect(ready.runnable).toBe(true)
    await postgres.psql(
      database,
      `CREATE VIEW public.report AS SELECT id FROM ${name}.rsc;
       CREATE TABLE public.t1 (id int REFERENCES ${name}.rsc);
       CREATE TABLE public.t2 (r ${name}.rsc);
       CREATE FUNCTION public.f(${name}.rsc) RETURNS int LANGUAGE sql AS 'select 1';
       CREATE TABLE public.t3 (id int DEFAULT nextval('${name}.rsc_id_seq'));`,
    )
    const refused = await planWayBack(test.context, 'drop')
    expect(refused.runnable).toBe(false)
    const { error } = await runWayBack(test.context, ready.id)
    expect(error).toMatchObject({ code: 'schema-in-use', message: expect.stringContaining('exactly as before') })
    const told = `${refused.checks.find(({ outcome }) => outcome === 'failed')?.finding} ${JSON.stringify(error?.details)}`
    for (const what of [
      /view public\.report/,
      /constraint .* on table public\.t1/,
      /column r of table public\.t2/,
      /function public\.f/,
      /default value .* of table public\.t3/,
    ]) {
      expect(told).toMatch(what)
    }
    expect(await keptOf(test.context)).toHaveLength(1)
    await postgres.psql(database, 'DROP VIEW public.report; DROP TABLE public.t1, public.t2, public.t3; DROP FUNCTION public.f')
    const plan = await planWayBack(test.context, 'drop')
    expect((await runWayBack(test.context, plan.id)).error).toBeNull()
    expect(await schema()).toEqual(wanted)
  })

  it('tells of what is kept as far as it is known when database or folder is out of reach', async () => {
    await restore()
    const site = await test.context.sites.get('testsite')
    const [kept] = await keptOf(test.context)
    await test.context.sites.update({ ...site, database: { ...site.database, port: 1 } })
    const error = await keptOf(test.context).catch((thrown) => thrown)
    expect(error).toMatchObject({ code: 'database-unreachable', details: { kept: [{ id: kept?.id, files: kept?.files }] } })
    await test.context.sites.update(site)
    await rm(join(root, 'moved'), { recursive: true, force: true })
    await cp(server.filesDir, join(root, 'moved'), { recursive: true })
    await rm(server.filesDir, { recursive: true })
    expect(await keptOf(test.context).catch((thrown) => thrown)).toMatchObject({
      code: 'files-unreachable',
      details: { kept: [{ id: kept?.id, files: null }] },
    })
  })

  it('lists kept schemas that no journal knows, and no others', async () => {
    await postgres.psql(
      database,
      `CREATE SCHEMA testsite_before_20261101020304; CREATE SCHEMA testsite_before_2026; CREATE SCHEMA other_before_20261101020304;
       CREATE SCHEMA testsite_before_20269901020304; CREATE SCHEMA xtestsite_before_20261101020304;`,
    )
    expect(await keptOf(test.context)).toMatchObject([
      {
        id: 'testsite_before_20261101020304',
        keptAt: '2026-11-01T02:03:04.000Z',
        by: null,
        jobId: null,
        backup: null,
        files: null,
      },
    ])
    // of the database’s owner, not of the site’s
    const plan = await planWayBack(test.context, 'drop')
    expect(plan.checks).toContainEqual(expect.objectContaining({ name: 'Rights', outcome: 'failed' }))
  })

  /** Runs the newest way back in a program that kills itself before its n-th change. */
  async function killed(kind: 'undo' | 'drop', killAt: number): Promise<{ isFinished: boolean; said: string }> {
    const json = JSON.stringify({
      home: join(root, 'home'),
      secrets: { 'site/testsite/database-password': postgres.password },
      kind,
      killAt,
      below: root,
    })
    const child = spawn(process.execPath, [CHILD, json], { stdio: ['ignore', 'pipe', 'inherit'] })
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
    const code = await new Promise<number | null>((resolve) => child.once('exit', resolve))
    await test.jobs.sweep()
    await recoverInterruptedRestores(test.context, await test.context.sites.get('testsite'))
    return { isFinished: code === 0, said: said.trim() }
  }

  it('is whole before or whole after when an undo is killed before any of its changes', async () => {
    const states = [await live()]
    await restore()
    states.push(await live())
    let now = 1
    const outcomes: string[] = []
    for (let at = 1; ; at += HEAVY ? 1 : 9) {
      const { isFinished, said } = await killed('undo', at)
      const found = await live()
      const isAfter = JSON.stringify(found) === JSON.stringify(states[1 - now])
      outcomes.push(`${at} ${said}: ${isAfter ? 'after' : 'before'}`)
      if (isAfter) now = 1 - now
      expect([at, said, found]).toEqual([at, said, states[now]])
      const kept = await keptOf(test.context)
      expect([at, kept.length, kept[0]?.files]).toMatchObject([at, 1, { replaced: expect.any(Number) }])
      expect([at, await undoFolders()]).toEqual([at, [kept[0]?.jobId]])
      if (isFinished) break
      expect(at).toBeLessThan(200)
    }
    console.log(`killed undos:\n${outcomes.join('\n')}`)
    expect(outcomes.filter((outcome) => outcome.endsWith('before')).length).toBeGreaterThan(2)
  }, 900_000)

  it('is whole before or whole after when a deletion is killed before any of its changes', async () => {
    let isKept = false
    const outcomes: string[] = []
    let after = await live()
    for (let at = 1; ; at += HEAVY ? 1 : 3) {
      if (!isKept) {
        await sleep(1000)
        await postgres.psql(database, 'SET search_path = testsite; UPDATE rsc SET version = version + 1 WHERE id = 1')
        await writeFile(join(server.siteDir, 'priv', 'zotonic_site.config'), `[{changed, ${at}}].`)
        await restore()
        after = await live()
      }
      const { isFinished, said } = await killed('drop', at)
      const kept = await keptOf(test.context)
      isKept = kept.length > 0
      outcomes.push(`${at} ${said}: ${isKept ? 'kept' : 'gone'}`)
      expect([at, await live()]).toEqual([at, after])
      expect([at, await undoFolders()]).toEqual([at, isKept ? [kept[0]?.jobId] : []])
      if (isKept)
        expect([at, kept]).toMatchObject([at, [{ schema: expect.any(String), files: { replaced: expect.any(Number) } }]])
      if (isFinished) break
      expect(at).toBeLessThan(50)
    }
    console.log(`killed deletions:\n${outcomes.join('\n')}`)
    expect(outcomes[0]).toMatch(/kept$/)
  }, 900_000)
})

/** An entry of a dump as it is of a schema of another name. */
function named(entry: string, schema: string): string {
  return entry
    .replaceAll('"testsite"', `"${schema}"`)
    .replaceAll('Schema: testsite;', `Schema: ${schema};`)
    .replace('Name: testsite; Type: SCHEMA', `Name: ${schema}; Type: SCHEMA`)
}
