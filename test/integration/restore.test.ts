import { spawn } from 'node:child_process'
import { createReadStream, existsSync } from 'node:fs'
import { appendFile, copyFile, cp, mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { appendToUndoJournal } from '#engine/features/restore/files/undo-journal.ts'
import { type RestoreResult, recoverInterruptedRestores, startRestore, undoFiles } from '#engine/features/restore/index.ts'
import { readLiveOid } from '#engine/features/restore/live.ts'
import { restoreMedia } from '#engine/features/restore/media/restore-media.ts'
import { gunzip } from '#engine/foundation/content/gunzip.ts'
import type { ServerFolder } from '#test/support/backup-site.ts'
import { pgDumpEntries } from '#test/support/dump.ts'
import type { TestContext } from '#test/support/engine-context.ts'
import { fixture, hasFixtures } from '#test/support/fixtures.ts'
import { type Postgres15, startPostgres15 } from '#test/support/postgres.ts'
import { codeOf } from '#test/support/repository-contract.ts'
import {
  createDatabaseFrom,
  endOf,
  makePlan,
  mediaFiles,
  openLiveSite,
  putBackup,
  runPlan,
  treeOf,
} from '#test/support/restore-site.ts'

const CHILD = join(import.meta.dirname, '..', 'support', 'restore-child.ts')
const HEAVY = process.env.HEAVY === '1'
const PASSWORD = 'g7t2a-y1fcW-sliow-BBad@<'
if (!hasFixtures) console.error('SKIPPED test/integration/restore.test.ts: the fixtures of a real server are missing')
if (!HEAVY) console.error('REDUCED test/integration/restore.test.ts: a restore is killed at five moments; HEAVY=1 takes twelve')

describe.skipIf(!hasFixtures)('restoring a site', () => {
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

  /** A live site with an older database; one of its media is missing, one differs, one is its own. */
  beforeEach(async () => {
    number += 1
    database = `live${number}`
    const site = await openLiveSite(postgres, database, 'older')
    ;({ root, server, test } = site)
    const files = await mediaFiles(server)
    await rm(files[0] ?? '')
    await writeFile(files[1] ?? '', 'another content')
    await appendFile(files[2] ?? '', 'longer')
    await mkdir(join(server.archiveDir, 'own'))
    await writeFile(join(server.archiveDir, 'own', 'file'), 'of the live site')
    await cp(fixture('backups', '1-plain-full'), server.backupDir, { recursive: true })
    return site.close
  })

  const live = (schema = 'testsite') => pgDumpEntries(postgres, database, schema)

  it('restores database and media, keeps what was there, and says how to go back', async () => {
    const before = await live()
    const treeBefore = await treeOf(server.archiveDir)
    const plan = await makePlan(test.context)
    expect(plan.checks.filter(({ outcome }) => outcome === 'failed')).toEqual([])
    expect(plan).toMatchObject({
      site: 'testsite',
      backup: { name: 'testsite-1', repository: 'server' },
      parts: ['database', 'files'],
      runnable: true,
      media: { added: 1, replaced: 2, stay: 1 },
    })
    expect(plan.keptSchema).toMatch(/^testsite_before_\d{14}$/)
    expect(plan.tables.find(({ table }) => table === 'rsc')?.rowsThen).toBe(126)
    expect(plan.tables.find(({ table }) => table === 'edge')?.rowsThen).toBe(111)
    expect(plan.tables.find(({ table }) => table === 'backup_revision')?.rowsThen).toBe(211)
    expect(plan.checks.map(({ name }) => name)).toEqual(
      [
        'Schema name',
        'Columns',
        'Complete',
        'Media',
        'Space',
        'Database space',
        'Safety backup',
        'Rights',
        'Roles',
        'Extensions',
        'Left-overs',
        'Kept schema',
        'Age',
      ].sort((a, b) => plan.checks.findIndex(({ name }) => name === a) - plan.checks.findIndex(({ name }) => name === b)),
    )
    expect(await live(), 'a plan changes nothing').toEqual(before)
    expect(await treeOf(server.archiveDir)).toBe(treeBefore)

    const job = await runPlan(test.context, plan.id)
    expect(job.error).toBeNull()
    const result = job.result as RestoreResult
    expect(result).toMatchObject({ keptSchema: plan.keptSchema, media: { added: 1, replaced: 2 }, restartNeeded: true })
    expect(result.keptBytes).toBeGreaterThan(100_000)
    expect(await live()).toEqual(wanted)
    const fresh = await treeOf(await unpacked())
    const now = await treeOf(server.archiveDir)
    expect(contents(now).filter((line) => !line.startsWith('own/'))).toEqual(contents(fresh))
    expect(now).toContain('own/file')
    // both ways back
    await undoFiles(server, job.id)
    expect(await treeOf(server.archiveDir)).toBe(treeBefore)
    expect(existsSync(join(root, 'files', 'backup-desk-undo', job.id))).toBe(false)
    await postgres.psql(database, `DROP SCHEMA testsite CASCADE; ALTER SCHEMA ${plan.keptSchema} RENAME TO testsite`, 'zotonic')
    expect(await live()).toEqual(before)
  })

  it('restores one part alone', async () => {
    const before = await live()
    const plan = await makePlan(test.context, { parts: ['files'] })
    expect(plan).toMatchObject({ keptSchema: null, tables: [], runnable: true })
    const job = await runPlan(test.context, plan.id)
    expect(job.result).toMatchObject({ keptSchema: null, media: { added: 1, replaced: 2 } })
    expect(await live()).toEqual(before)
    const tree = await treeOf(server.archiveDir)
    const second = await makePlan(test.context, { parts: ['database'] })
    expect(second.media).toBeNull()
    expect((await runPlan(test.context, second.id)).state).toBe('done')
    expect(await live()).toEqual(wanted)
    expect(await treeOf(server.archiveDir)).toBe(tree)
  })

  it('restores an encrypted backup with a given or stored password, and asks for a missing one', async () => {
    await rm(server.backupDir, { recursive: true })
    await cp(fixture('backups', '2-encrypted-full-autopw'), server.backupDir, { recursive: true })
    const without = makePlan(test.context)
    expect(await codeOf(without)).toBe('password-needed')
    expect(await codeOf(makePlan(test.context, { passwords: ['wrong'] }))).toBe('password-needed')
    const plan = await makePlan(test.context, { passwords: ['wrong', PASSWORD] })
    expect(plan.checks.find(({ name }) => name === 'Password')).toMatchObject({ outcome: 'passed' })
    expect((await runPlan(test.context, plan.id)).error).toBeNull()
    expect((await live()).length).toBe(wanted.length)
    const journal = await readFile(join(root, 'home', 'jobs', (await readdir(join(root, 'home', 'jobs')))[0] ?? ''), 'utf8')
    expect(journal).not.toContain(PASSWORD)
  })

  it('prefers the vault, and says where it reads', async () => {
    const vault = join(root, 'home', 'backups', 'testsite')
    await cp(fixture('backups', '1-plain-full'), vault, { recursive: true })
    expect((await makePlan(test.context)).from).toMatch(/^Read from the vault/)
    expect((await makePlan(test.context, { from: 'server' })).backup.repository).toBe('server')
    expect(await codeOf(makePlan(test.context, { name: 'testsite-9' }))).toBe('unknown-backup')
  })

  it('runs a plan once, only when confirmed, and only as long as nothing changed', async () => {
    const before = await live()
    const refusing = { ...test.context, confirm: async () => false }
    const plan = await makePlan(test.context)
    expect(await startRestore(refusing, plan.id)).toBeNull()
    expect(await live()).toEqual(before)
    const asked: unknown[] = []
    const asking = {
      ...test.context,
      confirm: async (confirmation: unknown) => {
        asked.push(confirmation)
        return true
      },
    }
    const id = await startRestore(asking, plan.id)
    expect((await endOf(test.context, id ?? '')).state).toBe('done')
    expect(asked).toMatchObject([
      {
        question: 'Restore testsite-1 onto the live site testsite?',
        typedName: 'testsite',
        facts: [{ label: 'Replaced' }, { label: 'Written' }, { label: 'Stays' }, { label: 'Way back' }],
      },
    ])
    expect(await codeOf(startRestore(test.context, plan.id))).toBe('plan-used')
    expect(await codeOf(startRestore(test.context, 'other'))).toBe('plan-unknown')

    const stale = await makePlan(test.context)
    await utimes(join(server.backupDir, 'testsite-1.sql.gz'), 1, 1)
    const tree = await treeOf(server.archiveDir)
    expect((await runPlan(test.context, stale.id)).error?.code).toBe('plan-outdated')
    expect(await live()).toEqual(wanted)
    expect(await treeOf(server.archiveDir)).toBe(tree)

    const swapped = await makePlan(test.context)
    const again = await makePlan(test.context)
    await sleep(1100)
    expect((await runPlan(test.context, swapped.id)).state).toBe('done')
    expect((await runPlan(test.context, again.id)).error?.code).toBe('plan-outdated')
  })

  it('shows in the plan what speaks against it', async () => {
    const failed = async () => (await makePlan(test.context)).checks.filter(({ outcome }) => outcome === 'failed')
    const dump = gunzipSync(await readFile(fixture('backups', '1-plain-full', 'testsite-1.sql.gz'))).toString('latin1')
    const put = (text: string) => putBackup(server.backupDir, { database: gzipSync(Buffer.from(text, 'latin1')) })
    await put(dump.replaceAll('OWNER TO "zotonic"', 'OWNER TO "somebody"'))
    expect(await failed()).toMatchObject([{ name: 'Roles', finding: expect.stringContaining('somebody') }])
    await put(dump.replaceAll('OWNER TO "zotonic"', 'OWNER TO "postgres"'))
    expect(await failed()).toMatchObject([{ name: 'Roles', finding: expect.stringContaining('no member') }])
    await put(dump.replace('CREATE TABLE "testsite"."acl_rule_collab" (', (text) => `${text}\n    "odd" "public"."citext",`))
    expect(await failed()).toMatchObject([{ name: 'Extensions', finding: expect.stringContaining('public.citext') }])
    await put(dump)
    await postgres.psql(database, 'CREATE EXTENSION hstore SCHEMA testsite')
    expect((await failed())[0]).toMatchObject({ name: 'Extensions', finding: expect.stringContaining('hstore') })
    await postgres.psql(database, 'DROP EXTENSION hstore; ALTER SCHEMA testsite OWNER TO postgres')
    expect(await failed()).toMatchObject([{ name: 'Rights' }, { name: 'Safety backup' }])
    await postgres.psql(database, 'ALTER SCHEMA testsite OWNER TO zotonic; CREATE SCHEMA testsite_temp')
    const plan = await makePlan(test.context)
    expect(plan.checks.find(({ name }) => name === 'Left-overs')?.outcome).toBe('warning')
    expect(plan.parts).toEqual(['database'])
    expect(await codeOf(startRestore(test.context, plan.id).then((id) => endOf(test.context, id ?? '')))).toBe('no error')
    const index = JSON.parse(await readFile(join(server.backupDir, 'backup.json'), 'utf8'))
    index['testsite-1'].database_hash = '0'.repeat(64)
    await writeFile(join(server.backupDir, 'backup.json'), JSON.stringify(index))
    expect(await failed()).toMatchObject([{ name: 'Complete', finding: expect.stringContaining('hash') }])
  })

  it('restores where there is no schema yet', async () => {
    await postgres.psql(database, 'DROP SCHEMA testsite CASCADE')
    const plan = await makePlan(test.context)
    expect(plan.keptSchema).toBeNull()
    expect((await runPlan(test.context, plan.id)).error).toBeNull()
    expect(await live()).toEqual(wanted)
  })

  it('decides after a crash at COMMIT by what the database says', async () => {
    const filesDir = join(root, 'files')
    const site = await test.context.sites.get('testsite')
    const backend = { pid: 999_999, startedAt: '2026-11-23 09:42:00+00' }
    const liveOid = await readLiveOid(await test.context.sites.connection(site), 'testsite')
    const treeBefore = await treeOf(server.archiveDir)
    for (const [job, oid] of [
      ['job-old', liveOid],
      ['job-new', (liveOid ?? 0) + 1],
    ] as const) {
      const tar = gunzip(createReadStream(fixture('backups', '1-plain-full', 'testsite-1.tar.gz')))
      const signal = new AbortController().signal
      const { workers } = test.context
      await restoreMedia({ tar, filesDir, jobId: job, site: 'testsite', schema: 'testsite', workers, signal })
      const tree = await treeOf(server.archiveDir)
      await appendToUndoJournal({ filesDir }, job, [{ type: 'committing', backend, liveOid: oid }])
      await recoverInterruptedRestores(test.context, { ...site, name: 'another' })
      expect(await treeOf(server.archiveDir), 'another site is not touched').toBe(tree)
      await recoverInterruptedRestores(test.context, site)
      expect(await treeOf(server.archiveDir)).toBe(job === 'job-old' ? treeBefore : tree)
      expect(existsSync(join(filesDir, 'backup-desk-undo', job, 'committed'))).toBe(job === 'job-new')
    }
    expect(await undoFiles(server, 'job-new')).toMatchObject({ putBack: 2 })
    expect(await treeOf(server.archiveDir)).toBe(treeBefore)
  })

  it('is old or new, never between, when it is killed', async () => {
    const before = await live()
    const treeBefore = await treeOf(server.archiveDir)
    // many media, so that there is time to die among them
    const many = join(root, 'many')
    await cp(server.archiveDir, many, { recursive: true })
    for (let at = 0; at < 600; at += 1) {
      await mkdir(join(many, '2026', String(at % 28)), { recursive: true })
      await writeFile(join(many, '2026', String(at % 28), `file-${at}`), `content ${at}`.repeat(50))
    }
    const { execFile } = await import('node:child_process')
    const { promisify } = await import('node:util')
    const archive = join(root, 'many.tar.gz')
    await promisify(execFile)('tar', ['-C', many, '-czf', archive, '.'])
    const media = await readFile(archive)
    await putBackup(server.backupDir, {
      database: await readFile(fixture('backups', '1-plain-full', 'testsite-1.sql.gz')),
      files: media,
    })
    const treeNew = contents(await treeOf(many))

    /** Restores in a program of its own; kills it so long after a step began. */
    const run = async (kill: { step: string; after: number } | null): Promise<{ finished: boolean; took: number }> => {
      const json = JSON.stringify({
        home: join(root, 'home'),
        secrets: { 'site/testsite/database-password': postgres.password },
        safetyBackup: kill?.step === 'safety',
      })
      const child = spawn(process.execPath, [CHILD, json], { stdio: ['ignore', 'pipe', 'inherit'] })
      const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
      const began = new Map<string, number>()
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        for (const step of text.split('\n')) {
          began.set(step, Date.now())
          if (step === kill?.step) setTimeout(() => child.kill('SIGKILL'), kill.after)
        }
      })
      const finished = (await ended) === 0
      return { finished, took: (began.get('analyze') ?? 0) - (began.get('database') ?? 0) }
    }
    const { finished, took } = await run(null)
    expect(finished).toBe(true)
    await backToOld()
    const loads = HEAVY ? [0, 0.3, 0.6, 0.9, 0.97, 1.05] : [0.5, 0.97]
    const kills = [
      ...(HEAVY ? [{ step: 'check', after: 0 }] : []),
      { step: 'safety', after: 100 },
      ...(HEAVY ? [30, 300, 700] : [300]).map((after) => ({ step: 'media', after })),
      ...loads.map((part) => ({ step: 'database', after: Math.round(took * part) })),
      { step: 'analyze', after: 0 },
    ]
    const outcomes: string[] = []
    for (const kill of kills) {
      const { finished } = await run(kill)
      await test.jobs.sweep()
      await recoverInterruptedRestores(test.context, await test.context.sites.get('testsite'))
      const tree = await treeOf(server.archiveDir)
      const isNew = JSON.stringify(await live()) === JSON.stringify(wanted)
      outcomes.push(isNew ? 'new' : 'old')
      if (isNew) {
        expect(contents(tree)).toEqual(treeNew)
        await backToOld()
      } else {
        expect(finished).toBe(false)
        expect(await live()).toEqual(before)
        expect(tree).toBe(treeBefore)
        expect(await readdir(join(root, 'files', 'backup-desk-undo'))).toEqual([])
      }
    }
    console.log(`killed restores: ${outcomes.join(' ')}`)
    // nothing is new before the load has begun
    const early = kills.findIndex(({ step }) => step === 'database')
    expect(new Set(outcomes.slice(0, early))).toEqual(new Set(['old']))
    expect(outcomes.at(-1)).toBe('new')

    async function backToOld(): Promise<void> {
      const undo = join(root, 'files', 'backup-desk-undo')
      for (const job of await readdir(undo)) await undoFiles(server, job)
      expect(await treeOf(server.archiveDir)).toBe(treeBefore)
      const schemas = await postgres.psql(
        database,
        "\\t on\nSELECT nspname FROM pg_namespace WHERE nspname LIKE 'testsite_before_%'",
      )
      for (const kept of schemas
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line.startsWith('testsite_before_'))) {
        await postgres.psql(database, `DROP SCHEMA testsite CASCADE; ALTER SCHEMA ${kept} RENAME TO testsite`, 'zotonic')
      }
      expect(await live()).toEqual(before)
    }
  }, 300_000)

  async function unpacked(): Promise<string> {
    const folder = join(root, 'unpacked')
    await mkdir(folder)
    const copy = join(root, 'media.tar.gz')
    await copyFile(fixture('backups', '1-plain-full', 'testsite-1.tar.gz'), copy)
    const { execFile } = await import('node:child_process')
    const { promisify } = await import('node:util')
    await promisify(execFile)('tar', ['-C', folder, '-xzf', copy])
    return folder
  }
})

/** Names and hashes of a tree's files, without modes and times. */
function contents(tree: string): string[] {
  return tree
    .split('\n')
    .filter((line) => !line.endsWith('/'))
    .map((line) => line.replace(/ \d+ \d+ ([0-9a-f]{64})$/, ' $1'))
}
