import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { RestoreResult } from '#engine/features/restore/index.ts'
import type { ServerFolder } from '#test/support/backup-site.ts'
import { pgDumpEntries } from '#test/support/dump.ts'
import { type TestContext, withPhases } from '#test/support/engine-context.ts'
import { fixture, hasFixtures } from '#test/support/fixtures.ts'
import { type Postgres15, startPostgres15 } from '#test/support/postgres.ts'
import { createDatabaseFrom, makePlan, mediaFiles, openLiveSite, putBackup, runPlan, treeOf } from '#test/support/restore-site.ts'

if (!hasFixtures) console.error('SKIPPED test/integration/restore-checks.test.ts: the fixtures of a real server are missing')

describe.skipIf(!hasFixtures)('what a restore makes sure of', () => {
  let postgres: Postgres15
  let root: string
  let server: ServerFolder
  let test: TestContext
  let dump: string
  let number = 0
  let database = ''

  beforeAll(async () => {
    postgres = await startPostgres15()
    await createDatabaseFrom(postgres, 'older', 'revert', 'A-edges-all-options-before.sql.gz')
    dump = gunzipSync(await readFile(fixture('backups', '1-plain-full', 'testsite-1.sql.gz'))).toString('latin1')
  })
  afterAll(() => postgres?.stop())

  beforeEach(async () => {
    number += 1
    database = `checks${number}`
    const site = await openLiveSite(postgres, database, 'older')
    ;({ root, server, test } = site)
    return site.close
  })

  const put = (text: string) => putBackup(server.backupDir, { database: gzipSync(Buffer.from(text, 'latin1')) })
  const live = () => pgDumpEntries(postgres, database, 'testsite')
  const restore = async () => {
    const plan = await makePlan(test.context, { parts: ['database'], safetyBackup: false })
    expect(plan.checks.filter(({ outcome }) => outcome === 'failed')).toEqual([])
    return runPlan(test.context, plan.id)
  }

  it('does not put rows in place that are not as many as the dump has', async () => {
    const before = await live()
    const more = `CREATE FUNCTION "testsite"."eats"() RETURNS boolean LANGUAGE "plpgsql"
      AS $$BEGIN DELETE FROM "testsite"."edge" WHERE id IN (SELECT id FROM "testsite"."edge" LIMIT 3); RETURN true; END$$;
      CREATE TABLE "testsite"."zz" ("id" integer CHECK ("testsite"."eats"()));
      COPY "testsite"."zz" ("id") FROM stdin;\n1\n\\.\n`
    await put(dump.replace('--\n-- Name: acl_rule_collab_id_seq; Type: SEQUENCE SET', (text) => more + text))
    const changed = gunzipSync(await readFile(join(server.backupDir, 'testsite-1.sql.gz'))).toString('latin1')
    expect(changed).toContain('"eats"')
    const { error } = await restore()
    expect(error).toMatchObject({ code: 'rows-differ', message: expect.stringContaining('edge has 108 rows instead of 111') })
    expect(error?.message).toContain('exactly as before')
    expect(await live()).toEqual(before)
  })

  it('tells of sequences that lag and of foreign keys that were never checked, and restores them as they are', async () => {
    const changed = dump
      .replace(/(setval\('"testsite"."edge_id_seq"', )\d+/, '$11')
      .replace(/(ADD CONSTRAINT "fk_edge_subject_id" FOREIGN KEY [^;]*);/, '$1 NOT VALID;')
    expect(changed).toContain('NOT VALID')
    await put(changed)
    const job = await restore()
    const { findings } = job.result as RestoreResult
    expect(findings).toMatchObject([
      { name: 'Rows', outcome: 'passed', finding: expect.stringContaining('as many as the dump has') },
      { name: 'Constraints', outcome: 'passed' },
      { name: 'Foreign keys', outcome: 'warning', finding: expect.stringContaining('fk_edge_subject_id') },
      { name: 'Sequences', outcome: 'warning', finding: expect.stringContaining('edge_id_seq (edge.id)') },
    ])
    expect(job.items.find(({ id }) => id === 'loaded')).toMatchObject({
      state: 'done',
      detail: expect.stringContaining('edge_id_seq'),
    })
  })

  /** A backup with media, one of which the site lacks. */
  const putWithMedia = async (text: string) => {
    const [lacking = ''] = await mediaFiles(server)
    await rm(lacking)
    const files = await readFile(fixture('backups', '1-plain-full', 'testsite-1.tar.gz'))
    await putBackup(server.backupDir, { database: gzipSync(Buffer.from(text, 'latin1')), files })
    return lacking
  }

  it('takes media back when it is cancelled after the last statement, before COMMIT', async () => {
    const lacking = await putWithMedia(dump)
    const before = await live()
    const tree = await treeOf(server.archiveDir)
    const plan = await makePlan(test.context, { safetyBackup: false })
    let wasWritten = false
    const context = withPhases(test.context, (name, job) => {
      if (name !== 'Checking what was loaded') return
      wasWritten = existsSync(lacking)
      void test.context.jobs.cancel(job)
    })
    const job = await runPlan(context, plan.id)
    expect(wasWritten).toBe(true)
    expect(job.state).toBe('cancelled')
    expect(await live()).toEqual(before)
    expect(await treeOf(server.archiveDir)).toBe(tree)
  })

  it('does not start without a role that only rights name, and takes all back when it goes away after the plan', async () => {
    const grant = 'GRANT SELECT ON TABLE "testsite"."rsc" TO "reader_of_tests";\n\n'
    await putWithMedia(dump.replace('--\n-- PostgreSQL database dump complete', (text) => grant + text))
    const before = await live()
    const tree = await treeOf(server.archiveDir)
    const without = await makePlan(test.context, { safetyBackup: false })
    expect(without.checks.filter(({ outcome }) => outcome === 'failed')).toMatchObject([
      { name: 'Roles', finding: expect.stringContaining('reader_of_tests') },
    ])
    expect(without.runnable).toBe(false)
    await postgres.psql('postgres', 'CREATE ROLE reader_of_tests')
    const plan = await makePlan(test.context, { safetyBackup: false })
    await postgres.psql('postgres', 'DROP ROLE reader_of_tests')
    expect(plan.runnable).toBe(true)
    const { error } = await runPlan(test.context, plan.id)
    expect(error).toMatchObject({
      code: 'statement-failed',
      message: expect.stringMatching(/role "reader_of_tests" does not exist\. Database and media are exactly as before\.$/),
    })
    expect(await live()).toEqual(before)
    expect(await treeOf(server.archiveDir)).toBe(tree)
  })

  it('does not commit another content than the plan read, whatever size and date say', async () => {
    await putWithMedia(dump)
    const file = join(server.backupDir, 'testsite-1.sql.gz')
    const at = new Date('2026-11-23T03:00:00Z')
    await utimes(file, at, at)
    const before = await live()
    const tree = await treeOf(server.archiveDir)
    const plan = await makePlan(test.context, { safetyBackup: false })
    const bytes = await readFile(file)
    // the byte that names the packer's system: gzip itself finds nothing wrong with another one
    bytes[9] = (bytes[9] ?? 0) ^ 1
    await writeFile(file, bytes)
    await utimes(file, at, at)
    const { error } = await runPlan(test.context, plan.id)
    expect(error).toMatchObject({ code: 'plan-outdated', message: expect.stringContaining('the content of testsite-1.sql.gz') })
    expect(await live()).toEqual(before)
    expect(await treeOf(server.archiveDir)).toBe(tree)
  })

  it('restores nothing when the safety backup can’t be made', async () => {
    await put(dump)
    const before = await live()
    const tree = await treeOf(server.archiveDir)
    const plan = await makePlan(test.context, { parts: ['database'] })
    expect(plan.runnable).toBe(true)
    await mkdir(join(root, 'home', 'backups'), { recursive: true })
    await writeFile(join(root, 'home', 'backups', 'testsite'), 'a file where the vault should be')
    const job = await runPlan(test.context, plan.id)
    expect(job.error?.message).toMatch(/^The safety backup failed, so that nothing was restored:.*exactly as before\.$/s)
    expect(job.items.find(({ id }) => id === 'database')?.state).toBe('waiting')
    expect(await live()).toEqual(before)
    expect(await treeOf(server.archiveDir)).toBe(tree)
  })

  it('wants a password for the safety backup of a site that encrypts, and cancels without a trace', async () => {
    await put(dump)
    const site = await test.context.sites.get('testsite')
    await test.context.sites.update({ ...site, encryption: { enabled: true } })
    const locked = await makePlan(test.context, { parts: ['database'] })
    expect(locked.checks).toContainEqual(
      expect.objectContaining({ name: 'Safety backup', outcome: 'failed', finding: expect.stringContaining('encrypted') }),
    )
    await test.context.sites.update({ ...site, encryption: { enabled: false } })
    const before = await live()
    const plan = await makePlan(test.context, { parts: ['database'] })
    const context = withPhases(test.context, (name, job) => {
      if (name === 'Safety backup: reading the database') void test.context.jobs.cancel(job)
    })
    const job = await runPlan(context, plan.id)
    expect(job.state).toBe('cancelled')
    expect(await live()).toEqual(before)
    expect(await treeOf(join(root, 'home', 'backups')).catch(() => '')).not.toContain('safety')
  })
})
