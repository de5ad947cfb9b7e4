import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startRestore } from '#engine/features/restore/index.ts'
import { readDatabaseSpace } from '#engine/features/restore/plan/database-space.ts'
import type { Confirmation } from '#shared/model/plan.ts'
import { layOutServerFolder, type ServerFolder, siteInput } from '#test/support/backup-site.ts'
import { pgDumpEntries } from '#test/support/dump.ts'
import { openTestContext, type TestContext } from '#test/support/engine-context.ts'
import { fixture, hasFixtures } from '#test/support/fixtures.ts'
import { type Postgres15, startPostgres15 } from '#test/support/postgres.ts'
import { createDatabaseFrom, makePlan, runPlan, treeOf } from '#test/support/restore-site.ts'
import { keptOf, planWayBack, runWayBack } from '#test/support/way-back-site.ts'

const run = promisify(execFile)
if (!hasFixtures) console.error('SKIPPED test/integration/staging-copy.test.ts: the fixtures of a real server are missing')

describe.skipIf(!hasFixtures)('a backup elsewhere than where it comes from', () => {
  let postgres: Postgres15
  let root: string
  let source: ServerFolder
  let staging: ServerFolder
  let test: TestContext
  let wanted: string[]
  let number = 0
  let database = ''

  beforeAll(async () => {
    postgres = await startPostgres15()
    await createDatabaseFrom(postgres, 'fresh', 'backups', '1-plain-full', 'testsite-1.sql.gz')
    wanted = await pgDumpEntries(postgres, 'fresh', 'testsite')
  })
  afterAll(() => postgres?.stop())

  /** `testsite`, which has a backup, and `staging`, whose database and folders are others. */
  beforeEach(async () => {
    number += 1
    database = `source${number}`
    await postgres.psql('postgres', `CREATE DATABASE ${database} TEMPLATE fresh OWNER zotonic`)
    root = await mkdtemp(join(tmpdir(), 'backup-desk-staging-'))
    source = await layOutServerFolder(join(root, 'source'))
    await cp(fixture('backups', '1-plain-full'), source.backupDir, { recursive: true })
    staging = await layOutServerFolder(join(root, 'staging'))
    await rm(join(staging.archiveDir, '2026'), { recursive: true })
    await mkdir(join(staging.archiveDir, 'own'))
    await writeFile(join(staging.archiveDir, 'own', 'file'), 'of staging')
    await writeFile(join(staging.siteDir, 'priv', 'zotonic_site.config'), '[{staging, []}].')
    const secrets = {
      'site/testsite/database-password': postgres.password,
      'site/staging/database-password': postgres.password,
    }
    test = await openTestContext(join(root, 'home'), { secrets })
    await test.context.sites.add(siteInput(database, postgres, source))
    return async () => {
      await test.close()
      await rm(root, { recursive: true, force: true })
    }
  })

  async function addStaging(inDatabase: string): Promise<void> {
    const input = siteInput(inDatabase, postgres, staging)
    await test.context.sites.add({ ...input, name: 'staging', database: { ...input.database, schema: 'staging' } })
  }

  const asStaging = (entries: string[], schema = 'staging') =>
    entries.map((entry) =>
      entry
        .replaceAll('"testsite"', `"${schema}"`)
        .replaceAll('Schema: testsite;', `Schema: ${schema};`)
        .replace('Name: testsite; Type: SCHEMA', `Name: ${schema}; Type: SCHEMA`),
    )

  /** Names and contents of a tree's files. */
  const contents = async (folder: string) =>
    (await treeOf(folder))
      .split('\n')
      .filter((line) => !line.endsWith('/') && !line.startsWith('own'))
      .map((line) => line.replace(/ \d+ \d+ /, ' '))

  it('makes one site a copy of another in the same database, and takes that back', async () => {
    await addStaging(database)
    await postgres.psql(database, 'CREATE SCHEMA staging; CREATE TABLE staging.mine AS SELECT 1 AS id', 'zotonic')
    const before = await pgDumpEntries(postgres, database, 'staging')
    const sourceFiles = await treeOf(join(root, 'source'))
    const stagingFiles = await treeOf(join(root, 'staging', 'files', 'archive'))
    const config = await readFile(join(staging.siteDir, 'priv', 'zotonic_site.config'), 'utf8')
    const plan = await makePlan(test.context, { site: 'staging', sourceSite: 'testsite' })
    expect(plan.checks.filter(({ outcome }) => outcome === 'failed')).toEqual([])
    expect(plan).toMatchObject({
      site: 'staging',
      sourceSite: 'testsite',
      schema: 'staging',
      safetyBackup: expect.stringMatching(/^staging-safety-/),
      keptSchema: expect.stringMatching(/^staging_before_/),
      config: null,
    })
    expect(plan.checks).toContainEqual(expect.objectContaining({ name: 'Staging copy', outcome: 'warning' }))
    const asked: Confirmation[] = []
    const context = { ...test.context, confirm: async (confirmation: Confirmation) => asked.push(confirmation) < 0 }
    expect(await startRestore(context, plan.id)).toBeNull()
    expect(asked).toMatchObject([
      { question: 'Restore testsite-1 of testsite onto the live site staging?', typedName: 'staging' },
    ])
    const job = await runPlan(test.context, plan.id)
    expect(job.error).toBeNull()
    expect(job).toMatchObject({ site: 'staging', holds: ['site:staging'] })
    expect(await pgDumpEntries(postgres, database, 'staging')).toEqual(asStaging(wanted).sort())
    expect(await pgDumpEntries(postgres, database, 'testsite'), 'the source is not touched').toEqual(wanted)
    expect(await treeOf(join(root, 'source'))).toBe(sourceFiles)
    expect(await contents(staging.archiveDir)).toEqual(await contents(source.archiveDir))
    expect(await readFile(join(staging.siteDir, 'priv', 'zotonic_site.config'), 'utf8')).toBe(config)

    expect(await keptOf(test.context, 'testsite')).toEqual([])
    const undo = await planWayBack(test.context, 'undo', undefined, 'staging')
    expect((await runWayBack(test.context, undo.id)).error).toBeNull()
    expect(await pgDumpEntries(postgres, database, 'staging')).toEqual(before)
    expect(await treeOf(join(root, 'staging', 'files', 'archive'))).toBe(stagingFiles)
  })

  it('makes a copy in another database, without owners and grants, and with the configuration when asked', async () => {
    await postgres.createDatabase(`other${number}`)
    await addStaging(`other${number}`)
    const refused = await makePlan(test.context, { site: 'staging', sourceSite: 'testsite', parts: ['database', 'config'] })
    expect(refused.checks).toContainEqual(
      expect.objectContaining({ name: 'Configuration', outcome: 'warning', finding: expect.stringContaining('Host names') }),
    )
    expect(refused.config).toContainEqual(expect.objectContaining({ path: 'priv/zotonic_site.config', change: 'replaced' }))
    const plan = await makePlan(test.context, {
      site: 'staging',
      sourceSite: 'testsite',
      parts: ['database', 'config'],
      withoutOwners: true,
      withoutGrants: true,
    })
    expect(plan).toMatchObject({ runnable: true, keptSchema: null, safetyBackup: null, withoutOwners: true, withoutGrants: true })
    expect((await runPlan(test.context, plan.id)).error).toBeNull()
    const found = await pgDumpEntries(postgres, `other${number}`, 'staging')
    expect(found).toEqual(asStaging(wanted).sort())
    const theirs = await readFile(join(source.siteDir, 'priv', 'zotonic_site.config'), 'utf8')
    expect(await readFile(join(staging.siteDir, 'priv', 'zotonic_site.config'), 'utf8')).toBe(theirs)
    // the files alone can be taken back; there was no database before
    const undo = await planWayBack(test.context, 'undo', undefined, 'staging')
    expect((await runWayBack(test.context, undo.id)).error).toBeNull()
    expect(await readFile(join(staging.siteDir, 'priv', 'zotonic_site.config'), 'utf8')).toBe('[{staging, []}].')
  })

  it('writes into another schema of the same site when its name is free', async () => {
    await postgres.psql(database, 'SET search_path = testsite; DELETE FROM edge', 'zotonic')
    const before = await pgDumpEntries(postgres, database, 'testsite')
    const plan = await makePlan(test.context, { parts: ['database'], schema: 'look', safetyBackup: false })
    expect(plan).toMatchObject({ runnable: true, schema: 'look', keptSchema: null, safetyBackup: null })
    expect(plan.checks).toContainEqual(expect.objectContaining({ name: 'Safety backup', outcome: 'warning' }))
    expect((await runPlan(test.context, plan.id)).error).toBeNull()
    expect(await pgDumpEntries(postgres, database, 'look')).toEqual(asStaging(wanted, 'look').sort())
    expect(await pgDumpEntries(postgres, database, 'testsite')).toEqual(before)
    for (const schema of ['look', 'public', 'pg_own']) {
      const taken = await makePlan(test.context, { parts: ['database'], schema, safetyBackup: false })
      expect(taken.runnable).toBe(false)
      expect(taken.checks).toContainEqual(expect.objectContaining({ name: 'Target schema', outcome: 'failed' }))
    }
  })

  it('does not start without room on the database server’s disk, where that can be seen', async () => {
    const signal = new AbortController().signal
    const connection = postgres.connection(database, 'zotonic')
    const space = await readDatabaseSpace(connection, 'testsite', 1_000_000, signal)
    if (process.platform !== 'linux') {
      console.error('SKIPPED the free space of a database server: only Linux tells which process it is')
      expect(space.freeBytes).toBeNull()
      return
    }
    expect(space.freeBytes).toBeGreaterThan(0)
    expect(space.neededBytes).toBeGreaterThan(2_000_000)
    const folder = join(root, 'small')
    await mkdir(folder)
    const isMounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=16m,mode=755', 'tmpfs', folder]).then(
      () => true,
      () => false,
    )
    if (!isMounted) {
      console.error('SKIPPED a small disk: this user may not mount one')
      return
    }
    try {
      // PostgreSQL runs as another user, who has to get there
      await run('chmod', ['711', root])
      await mkdir(join(folder, 'space'))
      await run('chown', ['postgres', join(folder, 'space')])
      await postgres.psql('postgres', `CREATE TABLESPACE small LOCATION '${join(folder, 'space')}'`)
      await postgres.psql('postgres', 'CREATE DATABASE tiny TEMPLATE template0 OWNER zotonic TABLESPACE small')
      const roomy = await readDatabaseSpace(postgres.connection('tiny', 'zotonic'), 'testsite', 1, signal)
      expect(roomy.place).toBe(join(folder, 'space'))
      await writeFile(join(folder, 'filler'), Buffer.alloc((roomy.freeBytes ?? 0) - 100_000))
      await addStaging('tiny')
      const plan = await makePlan(test.context, { site: 'staging', sourceSite: 'testsite' })
      expect(plan.checks.filter(({ outcome }) => outcome === 'failed')).toMatchObject([
        { name: 'Database space', finding: expect.stringContaining('free') },
      ])
    } finally {
      await postgres.psql('postgres', 'DROP DATABASE IF EXISTS tiny').catch(() => {})
      await postgres.psql('postgres', 'DROP TABLESPACE IF EXISTS small').catch(() => {})
      await run('umount', [folder])
    }
  })
})
