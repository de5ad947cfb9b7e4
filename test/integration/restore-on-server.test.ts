import { statSync, truncateSync } from 'node:fs'
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { startBackup } from '#engine/features/backup/index.ts'
import {
  listKept,
  type RestorePlanRequest,
  recoverInterruptedRestores,
  startRestore,
  startWayBack,
  startWayBackPlan,
} from '#engine/features/restore/index.ts'
import { loadOnServer, requireSameDatabase, type ServerLoadRequest } from '#engine/features/restore/on-server/load-on-server.ts'
import { findServerPsqls } from '#engine/features/restore/on-server/psql-program.ts'
import { noteUnfinished } from '#engine/features/restore/remote-files/unfinished.ts'
import { requireSiteServer } from '#engine/foundation/connections/ssh/site-server.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { Job } from '#shared/model/job.ts'
import type { RestorePlan } from '#shared/model/plan.ts'
import type { DumpEngine } from '#shared/model/site.ts'
import { layOutServerFolder, loadFixtureDatabase, type ServerFolder } from '#test/support/backup-site.ts'
import { openTestContext, type TestContext, withPhases } from '#test/support/engine-context.ts'
import { hasFixtures } from '#test/support/fixtures.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { dumpOf, KEPT } from '#test/support/load.ts'
import { type Postgres15, startPostgres15 } from '#test/support/postgres.ts'
import { endOf, makePlan, runPlan } from '#test/support/restore-site.ts'
import { knowHost, sshSiteInput } from '#test/support/ssh-site.ts'
import { type Sshd, startSshd, whyNoSshd } from '#test/support/sshd.ts'
import { startTcpProxy, type TcpProxy } from '#test/support/tcp-proxy.ts'

const why = hasFixtures ? whyNoSshd() : 'the fixtures of a real server are missing'
if (why) console.error(`SKIPPED test/integration/restore-on-server.test.ts: ${why}`)

const LOADING = 'Loading the database on the server'
const GATE = 4711
const LONG = 150_000

/** While the test holds the lock, a row of this table is not taken: the load stands still in the middle of COPY. */
const SLOW_TABLE = `SET search_path = testsite;
  CREATE FUNCTION testsite.passes(i int) RETURNS boolean LANGUAGE plpgsql
    AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(${GATE}); RETURN true; END $$;
  CREATE TABLE testsite.slow (id int, CHECK (testsite.passes(id)));
  INSERT INTO testsite.slow SELECT generate_series(1, 20)`

const HEAVY = process.env.HEAVY === '1'
if (!why && !HEAVY) {
  console.error(
    'REDUCED test/integration/restore-on-server.test.ts: no server stays away in the middle of a load, which takes half a minute; HEAVY=1 does it',
  )
}

describe.skipIf(why !== null)('a database that psql restores on the server', () => {
  let postgres: Postgres15
  let sshd: Sshd
  let proxy: TcpProxy
  beforeAll(async () => {
    ;[postgres, sshd] = await Promise.all([startPostgres15(), startSshd()])
    proxy = await startTcpProxy(sshd.port)
    await loadFixtureDatabase(postgres, 'template_site')
    await postgres.psql('template_site', SLOW_TABLE, 'zotonic')
  }, 120_000)
  afterAll(async () => {
    await proxy?.close()
    await sshd?.stop()
    await postgres?.stop()
  })

  let root: string
  let server: ServerFolder
  let test: TestContext
  let database: string
  let number = 0
  let password: string | null

  beforeEach(async () => {
    root = await temporaryFolder()
    server = await layOutServerFolder(root)
    number += 1
    password = null
    database = `site_${number}`
    await postgres.psql('postgres', `CREATE DATABASE ${database} TEMPLATE template_site OWNER zotonic`)
  })

  async function open(): Promise<void> {
    const home = join(root, 'home')
    await knowHost(home, {
      ...sshd,
      knownHostsLine: async () => (await sshd.knownHostsLine()).replace(`:${sshd.port}`, `:${proxy.port}`),
    })
    const secrets: Record<string, string> = { 'site/testsite/database-password': postgres.password }
    if (password) secrets['site/testsite/encryption-password'] = password
    test = await openTestContext(home, { secrets })
    onTestFinished(() => test.close())
    const input = sshSiteInput(database, postgres, server, { ...sshd, port: proxy.port })
    if (password) input.encryption = { enabled: true }
    await test.context.sites.add(input)
  }

  /** Makes a backup, and then changes the site. @returns the backup's name */
  async function backUp(to: 'vault' | 'server', engine: DumpEngine = 'auto'): Promise<string> {
    const made = await startBackup(test.context, { site: 'testsite', to, databaseOnly: true, engine }).done
    await postgres.psql(database, `SET search_path = testsite; UPDATE rsc SET name = 'changed' WHERE id = 1`)
    return made.name
  }

  const plan = (name: string, more: Partial<RestorePlanRequest> = {}) =>
    makePlan(test.context, { name, parts: ['database'], safetyBackup: false, loader: 'server', ...more })
  const loaderOf = ({ checks }: RestorePlan) => checks.find(({ name }) => name === 'Loader')
  const nameOfFirst = async () =>
    (await postgres.psql(database, 'SELECT coalesce(name, $$-$$) FROM testsite.rsc WHERE id = 1')).trim()
  const siteOf = async (of: string) => (await postgres.pgDump(of, ['--schema=testsite'])).replace(/^\\(un)?restrict .*\n/gm, '')
  /** What lies of jobs on the server, and what is remembered of them here. */
  const leftOver = async () => [
    ...(await readdir(join(server.filesDir, 'backup-desk-undo')).catch(() => [])),
    ...(await readdir(join(root, 'home', 'unfinished', 'testsite')).catch(() => [])),
  ]

  async function ask<T>(query: string): Promise<T[]> {
    const client = new pg.Client(postgres.connection(database))
    await client.connect()
    try {
      return (await client.query(query)).rows as T[]
    } finally {
      await client.end()
    }
  }

  async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    for (const end = Date.now() + LONG / 2; !(await isSo()); await sleep(20))
      if (Date.now() > end) throw new Error(`never: ${what}`)
  }

  /** psql of this database server's port. */
  async function psqls(): Promise<number[]> {
    const found: number[] = []
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')
      if (words[0]?.endsWith('/psql') && words.includes(`--port=${postgres.port}`)) found.push(Number(pid))
    }
    return found
  }

  const backends = () => ask<{ pid: number }>(`SELECT pid FROM pg_stat_activity WHERE application_name = 'Backup Desk psql'`)

  /** Runs a plan and holds its load up in the middle of COPY. */
  async function stopInCopy(
    planId: string,
    context: EngineContext = test.context,
  ): Promise<{ id: string; goOn(): Promise<void> }> {
    const holder = new pg.Client(postgres.connection(database))
    holder.on('error', () => {})
    await holder.connect()
    await holder.query(`SELECT pg_advisory_lock(${GATE})`)
    let isOver = false
    const goOn = async () => {
      if (!isOver) await holder.end()
      isOver = true
    }
    onTestFinished(goOn)
    const id = (await startRestore(context, planId)) ?? ''
    await until('the load stands still in COPY', async () => {
      const rows = await ask(`SELECT FROM pg_stat_activity WHERE application_name = 'Backup Desk psql'
        AND wait_event_type = 'Lock' AND query LIKE 'COPY testsite.slow%' OR query LIKE 'COPY "testsite"."slow"%' AND wait_event_type = 'Lock'`)
      return rows.length > 0
    })
    return { id, goOn }
  }

  async function expectUntouched(before: string, job: Job): Promise<void> {
    expect(job.state).not.toBe('done')
    expect(await psqls()).toEqual([])
    await until('its session of the database is gone', async () => (await backends()).length === 0)
    expect(await dumpOf(postgres, database)).toBe(before)
    expect(await leftOver()).toEqual([])
  }

  it(
    'is read from the server’s own folder, so that nothing travels, and can be undone',
    async () => {
      await open()
      const name = await backUp('server')
      const planned = await plan(name)
      expect(planned.checks.filter(({ outcome }) => outcome === 'failed')).toEqual([])
      expect(planned.loader).toBe('server')
      expect(loaderOf(planned)?.finding).toMatch(
        /^psql 15\.\S+ on .* loads the database; the dump lies there already, in \S+\/backup\/testsite-\d\.sql\.gz, and does not travel$/,
      )
      const phases: string[] = []
      const up = proxy.moved.up
      const job = await runPlan(
        withPhases(test.context, (phase) => phases.push(phase)),
        planned.id,
      )
      expect(job.error).toBeNull()
      expect(proxy.moved.up - up).toBeLessThan(100_000)
      expect(phases).toContain(LOADING)
      expect(phases).not.toContain('Sending the dump to the server')
      expect(await siteOf(database)).toBe(await siteOf('template_site'))
      expect(await leftOver()).toEqual([])

      const [kept] = await listKept(test.context, await test.context.sites.get('testsite'))
      const { planId } = await (await startWayBackPlan(test.context, 'undo', { site: 'testsite', kept: kept?.state.id ?? '' }))
        .done
      const undo = await endOf(test.context, (await startWayBack(test.context, planId)) ?? '')
      expect(undo.error).toBeNull()
      expect(await nameOfFirst()).toBe('changed')
    },
    LONG,
  )

  it(
    'is sent from an encrypted backup of the vault, and from one that is read as another schema',
    async () => {
      password = 'zażółć'
      await open()
      const name = await backUp('vault')
      const planned = await plan(name)
      expect(loaderOf(planned)?.finding).toMatch(/about .* are sent there first, decrypted here; until they are loaded/)
      const seen: number[] = []
      const watching = withPhases(test.context, (phase, job) => {
        if (phase !== LOADING) return
        const folder = join(server.filesDir, 'backup-desk-undo', job, 'dump')
        seen.push(statSync(folder).mode & 0o777, statSync(join(folder, 'dump.sql.gz')).mode & 0o777)
      })
      const job = await runPlan(watching, planned.id)
      expect(job.error).toBeNull()
      expect(seen).toEqual([0o700, 0o600])
      expect(await siteOf(database)).toBe(await siteOf('template_site'))
      expect(await leftOver()).toEqual([])

      const other = await plan(name, { schema: 'elsewhere', withoutOwners: true })
      expect(other.checks.filter(({ outcome }) => outcome === 'failed')).toEqual([])
      expect((await runPlan(test.context, other.id)).error).toBeNull()
      const count = (schema: string) => postgres.psql(database, `SELECT count(*), sum(id) FROM ${schema}.rsc`)
      expect(await count('elsewhere')).toBe(await count('testsite'))
    },
    LONG,
  )

  it(
    'is not touched when the dump’s file was exchanged after the plan, or can’t be unpacked to its end',
    async () => {
      await open()
      const name = await backUp('server')
      const vault = join(root, 'home', 'backups', 'testsite')
      await mkdir(vault, { recursive: true })
      for (const file of await readdir(server.backupDir)) await copyFile(join(server.backupDir, file), join(vault, file))
      const before = await dumpOf(postgres, database)
      const planned = await plan(name)
      // read from the vault, and not even that of the dump travels
      expect(planned.backup.repository).toBe('vault')
      expect(loaderOf(planned)?.finding).toContain('does not travel')
      const file = join(server.backupDir, `${name}.sql.gz`)
      const dump = await readFile(file)
      await writeFile(file, Buffer.concat([gzipSync('COMMIT;\nDROP SCHEMA testsite CASCADE;\n'), dump]))
      const exchanged = await runPlan(test.context, planned.id)
      expect(exchanged.error?.code).toBe('plan-outdated')
      await expectUntouched(before, exchanged)

      await writeFile(file, dump)
      // in the middle of a statement, and of the rows of a table
      for (const left of [dump.length - 3000, Math.floor(dump.length / 2)]) {
        const again = await plan(name)
        const cutting = withPhases(test.context, (phase, job) => {
          if (phase === LOADING) truncateSync(join(server.filesDir, 'backup-desk-undo', job, 'dump', 'dump.sql.gz'), left)
        })
        const cut = await runPlan(cutting, again.id)
        expect(cut.error).toMatchObject({ code: 'dump-cut', message: expect.stringContaining('exactly as before') })
        await expectUntouched(before, cut)
      }
    },
    LONG,
  )

  it(
    'is not touched when psql is killed, the line is cut, or the operator cancels in the middle of COPY',
    async () => {
      await open()
      const name = await backUp('server')
      const before = await dumpOf(postgres, database)
      const inCopy = async () => stopInCopy((await plan(name)).id)

      const killed = await inCopy()
      for (const pid of await psqls()) process.kill(pid, 'SIGKILL')
      const afterKill = await endOf(test.context, killed.id)
      expect(afterKill.error?.code).toBe('psql-failed')
      await killed.goOn()
      await expectUntouched(before, afterKill)

      const cancelled = await inCopy()
      await test.context.jobs.cancel(cancelled.id)
      const afterCancel = await endOf(test.context, cancelled.id)
      expect(afterCancel.state).toBe('cancelled')
      // whoever holds the lock goes on holding it: the session was ended all the same
      expect(await backends()).toEqual([])
      await cancelled.goOn()
      await expectUntouched(before, afterCancel)

      const cut = await inCopy()
      proxy.cut()
      const afterCut = await endOf(test.context, cut.id)
      expect(afterCut.error?.code).toBe('connection-lost')
      expect(await backends()).toEqual([])
      await cut.goOn()
      await expectUntouched(before, afterCut)

      const whole = await inCopy()
      await whole.goOn()
      expect((await endOf(test.context, whole.id)).error).toBeNull()
      expect(await nameOfFirst()).not.toBe('changed')
    },
    LONG,
  )

  it(
    'leaves nothing on the server for good when this program is killed, or the line stays cut',
    async () => {
      await open()
      // as a program leaves it that is killed while it sends a dump
      const folder = join(server.filesDir, 'backup-desk-undo', 'killed-job', 'dump')
      await mkdir(folder, { recursive: true })
      await writeFile(join(folder, 'dump.sql.gz'), 'half a dump')
      await noteUnfinished(test.context, { name: 'testsite' }, 'killed-job')
      await recoverInterruptedRestores(test.context, await test.context.sites.get('testsite'))
      expect(await leftOver()).toEqual([])
      if (!HEAVY) return
      const name = await backUp('server')
      const before = await dumpOf(postgres, database)
      const running = await stopInCopy((await plan(name)).id)
      await sshd.kill()
      const job = await endOf(test.context, running.id)
      expect(job.error?.code).toBe('connection-lost')
      await running.goOn()
      await until('its session of the database is gone', async () => (await backends()).length === 0)
      expect(await dumpOf(postgres, database)).toBe(before)
      expect(await leftOver()).toEqual([job.id, job.id])
      await sshd.start()
      await recoverInterruptedRestores(test.context, await test.context.sites.get('testsite'))
      expect(await leftOver()).toEqual([])
    },
    LONG,
  )

  it(
    'is not touched when functions of the dump write elsewhere',
    async () => {
      await open()
      await postgres.psql(
        database,
        `CREATE SCHEMA other AUTHORIZATION zotonic; CREATE TABLE other.seen (id int); ALTER TABLE other.seen OWNER TO zotonic;
       CREATE OR REPLACE FUNCTION testsite.passes(i int) RETURNS boolean LANGUAGE plpgsql
       AS $$ BEGIN INSERT INTO other.seen VALUES (i); RETURN true; END $$`,
      )
      const name = await backUp('server')
      const before = await dumpOf(postgres, database)
      const planned = await plan(name)
      expect(planned.runnable).toBe(true)
      const job = await runPlan(test.context, planned.id)
      expect(job.error?.code).toBe('outside-changed')
      await expectUntouched(before, job)
    },
    LONG,
  )

  /** Loads a dump by psql, with nobody in between who might have refused it. */
  async function load(script: string | Buffer, more: Partial<ServerLoadRequest> & { minor?: number } = {}): Promise<void> {
    const { context } = test
    const site = await context.sites.get('testsite')
    const { connection: ssh } = await requireSiteServer(context, site)
    const { signal } = new AbortController()
    const [psql] = await findServerPsqls(ssh, signal)
    if (!psql) throw new Error('no psql')
    const path = join(root, 'dump.sql.gz')
    await writeFile(path, typeof script === 'string' ? gzipSync(script) : script)
    await loadOnServer({
      server: ssh,
      connection: await context.sites.connection(site),
      psql: { ...psql, minor: more.minor ?? psql.minor },
      database: site.database,
      dump: { path, bytes: 1 },
      isRestricted: false,
      runs: new Set(),
      schema: 'testsite',
      keepLiveAs: KEPT,
      signal,
      onBytes: () => {},
      beforeCommit: async () => {},
      ...more,
    })
  }

  it(
    'commits once, finds out whether it did when the answer is lost, and refuses what ends its transaction',
    async () => {
      await open()
      const before = await dumpOf(postgres, database)
      const holder = new pg.Client(postgres.connection(database))
      onTestFinished(() => holder.end())
      await holder.connect()
      await holder.query('BEGIN')
      await holder.query('LOCK TABLE testsite.rsc IN ROW EXCLUSIVE MODE')
      const { rows } = await holder.query('SELECT pg_backend_pid() AS pid')
      await expect(load('CREATE SCHEMA testsite;', { lockWaitMs: 1500 })).rejects.toMatchObject({
        code: 'database-locked',
        message: expect.stringContaining(`process ${rows[0].pid} of user postgres`),
      })
      await holder.query('ROLLBACK')
      await expect(
        load('CREATE SCHEMA testsite; CREATE TABLE testsite.t (i int); COPY testsite.t FROM stdin;\nno number\n\\.\n'),
      ).rejects.toMatchObject({
        code: 'statement-failed',
        message: expect.not.stringContaining('no number'),
        details: { row: 1 },
      })
      // what was unpacked before ends with a statement, and with a row: psql finds nothing wrong with either
      const [statement, row] = ['CREATE SCHEMA testsite;\n', 'CREATE TABLE testsite.t (i int); COPY testsite.t FROM stdin;\n1\n']
      for (const whole of [statement, `${statement}${row}`]) {
        const cut = Buffer.concat([gzipSync(whole), gzipSync('\\.\n').subarray(0, 10)])
        await expect(load(cut)).rejects.toMatchObject({ code: 'dump-cut' })
        // one that knows no \\restrict
        await expect(load(cut, { minor: 13 })).rejects.toMatchObject({ code: 'dump-cut' })
      }
      const never = join(root, 'never')
      await expect(load(`CREATE SCHEMA testsite; \\! touch ${never}\n`)).rejects.toMatchObject({ code: 'psql-failed' })
      expect(await readdir(root)).not.toContain('never')
      expect(await dumpOf(postgres, database)).toBe(before)

      const lost = load('CREATE SCHEMA testsite;', { beforeCommit: async () => proxy.cut() })
      await expect(lost).rejects.toMatchObject({ code: 'connection-lost' })
      expect(await dumpOf(postgres, database)).toBe(before)

      const isCommitted = async () => (await ask(`SELECT FROM pg_namespace WHERE nspname = '${KEPT}'`)).length > 0
      const answerLost = load('CREATE SCHEMA testsite;', { beforeCommit: async () => proxy.setWeather('answers-swallowed') })
      await until('it is committed', isCommitted)
      proxy.cut()
      await answerLost
      expect(await ask(`SELECT FROM pg_tables WHERE schemaname = 'testsite'`)).toEqual([])

      await expect(load('COMMIT; BEGIN; CREATE SCHEMA again;', { schema: 'testsite', keepLiveAs: null })).rejects.toMatchObject({
        code: 'transaction-ended',
      })
      const elsewhere = { pid: 1, startedAt: '2026-01-01 00:00:00+00' }
      const { connection: ssh } = await requireSiteServer(test.context, await test.context.sites.get('testsite'))
      const connection = await test.context.sites.connection(await test.context.sites.get('testsite'))
      await expect(requireSameDatabase(connection, elsewhere, ssh)).rejects.toMatchObject({ code: 'other-database' })
    },
    LONG,
  )

  it(
    'is refused by the plan where no command can be run, with what to do instead',
    async () => {
      const filesOnly = await startSshd({ config: ['ForceCommand internal-sftp'] })
      onTestFinished(() => filesOnly.stop())
      await open()
      const name = await backUp('vault')
      const { ssh } = { ssh: { ...filesOnly } }
      const home = join(root, 'home')
      await writeFile(join(home, 'known_hosts'), `${await ssh.knownHostsLine()}\n`, { flag: 'a' })
      await test.context.sites.update({ ...sshSiteInput(database, postgres, server, ssh) })
      const planned = await plan(name)
      expect(planned.runnable).toBe(false)
      expect(loaderOf(planned)).toMatchObject({
        outcome: 'failed',
        finding: expect.stringMatching(/has no psql 15 or later. Load the database from this computer instead$/),
      })
      expect((await plan(name, { loader: 'here' })).runnable).toBe(true)
      const files = await plan(name, { loader: 'here', parts: ['database', 'config'] })
      expect(files.checks.find((check) => check.name === 'Server')).toMatchObject({
        outcome: 'failed',
        finding: expect.stringContaining('runs no commands'),
      })
      expect(await leftOver()).toEqual([])
    },
    LONG,
  )
})
