import { appendFile, cp, mkdir, readdir, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { startBackup } from '#engine/features/backup/index.ts'
import {
  listKept,
  recoverInterruptedRestores,
  startWayBack,
  startWayBackPlan,
  wayBackPlanOf,
} from '#engine/features/restore/index.ts'
import type { ServerFolder } from '#test/support/backup-site.ts'
import { openTestContext, type TestContext, withPhases } from '#test/support/engine-context.ts'
import type { Postgres15 } from '#test/support/postgres.ts'
import { endOf, makePlan, runPlan, treeOf } from '#test/support/restore-site.ts'
import { useServerFolders, whyNoServer } from '#test/support/server-stage.ts'
import { knowHost, sshSiteInput } from '#test/support/ssh-site.ts'
import type { Sshd } from '#test/support/sshd.ts'
import { startTcpProxy } from '#test/support/tcp-proxy.ts'

const why = whyNoServer('test/integration/remote-restore.test.ts')

/** At a whole second, as archives have it. */
async function put(path: string, content: string | Buffer, mode = 0o644): Promise<void> {
  await writeFile(path, content, { mode })
  await utimes(path, 1_790_000_000, 1_790_000_000)
}

if (!why && process.env.HEAVY !== '1') {
  console.error('REDUCED test/integration/remote-restore.test.ts: a server is lost at one moment of a restore; HEAVY=1 takes two')
}

const ALL = ['database', 'files', 'config', 'security'] as const

describe.skipIf(why !== null)('restoring onto a server', () => {
  let postgres: Postgres15
  let sshd: Sshd
  let root: string
  let server: ServerFolder
  let test: TestContext
  let name: string
  let number = 0
  /** What the site was when its backup was made. */
  let before: Record<string, string>
  /** What it was when it was to be restored. */
  let live: Record<string, string>

  async function trees(): Promise<Record<string, string>> {
    const { archiveDir, siteDir, securityDir } = server
    return { media: await treeOf(archiveDir), priv: await treeOf(join(siteDir, 'priv')), security: await treeOf(securityDir) }
  }

  useServerFolders('template_site', (stage) => {
    ;({ postgres, sshd, root, server } = stage)
  })
  beforeEach(async () => {
    number += 1
    const database = `site_${number}`
    await postgres.psql('postgres', `CREATE DATABASE ${database} TEMPLATE template_site OWNER zotonic`)
    const { archiveDir, securityDir, siteDir } = server
    await mkdir(join(archiveDir, '2026', 'only', 'then'), { recursive: true })
    await put(join(archiveDir, '2026', 'only', 'then', 'ŻÓŁW.jpg'), 'a turtle')
    await put(join(archiveDir, '2026', 'large.bin'), Buffer.alloc(700_000, 1))
    await put(join(archiveDir, '2026', 'large-other.bin'), Buffer.alloc(700_000, 2))
    await put(join(securityDir, 'site.key'), 'key then', 0o600)
    await mkdir(join(siteDir, 'priv', 'config.d'), { recursive: true })
    await put(join(siteDir, 'priv', 'config.d', 'mail.config'), '[then].')
    const home = join(root, 'home')
    await knowHost(home, sshd)
    test = await openTestContext(home, { secrets: { 'site/testsite/database-password': postgres.password } })
    onTestFinished(() => test.close())
    await test.context.sites.add(sshSiteInput(database, postgres, server, sshd))
    const made = await startBackup(test.context, { site: 'testsite', to: 'vault', databaseOnly: false }).done
    name = made.name
    before = await trees()
    await rm(join(archiveDir, '2026', 'only'), { recursive: true })
    await put(join(archiveDir, '2026', 'large-other.bin'), Buffer.alloc(700_000, 3))
    await put(join(archiveDir, '2026', 'own.jpg'), 'came later')
    await put(join(securityDir, 'site.key'), 'key now', 0o600)
    await put(join(siteDir, 'priv', 'config.d', 'mail.config'), '[now].')
    await postgres.psql(database, `SET search_path = testsite; UPDATE rsc SET name = 'changed' WHERE id = 1`)
    live = await trees()
  })

  const plan = () => makePlan(test.context, { name, parts: [...ALL], safetyBackup: false })
  const nameOfFirst = () => postgres.psql(`site_${number}`, 'SELECT coalesce(name, $$-$$) FROM testsite.rsc WHERE id = 1')

  it('reads on what lies there after the line was lost, for the plan and for the restore', async () => {
    const { context } = test
    const proxy = await startTcpProxy(sshd.port)
    onTestFinished(() => proxy.close())
    const line = await sshd.knownHostsLine()
    await appendFile(context.home.knownHostsFile, `${line.replace(`:${sshd.port} `, `:${proxy.port} `)}\n`)
    await cp(join(context.home.vaults, 'testsite'), server.backupDir, { recursive: true })
    const site = await context.sites.get('testsite')
    if (site.server?.kind !== 'ssh') throw new Error('another server')
    const { via: _, ...database } = site.database
    const ssh = { ...site.server.ssh, port: proxy.port }
    await context.sites.update({ ...site, database, server: { ...site.server, ssh } })
    const dump = await stat(join(server.backupDir, `${name}.sql.gz`))
    const notesOf = async (id: string) =>
      (await context.jobs.show(id)).log.filter(({ text }) => /^Reading .* Trying again/.test(text))
    // connected before: from here on it is the dump that comes
    await makePlan(context, { name, from: 'server', parts: ['config'], safetyBackup: false })
    const first = proxy.cutAfter(dump.size / 2)
    const planned = await makePlan(context, { name, from: 'server', parts: ['database'], safetyBackup: false })
    await first
    expect(planned).toMatchObject({ runnable: true, backup: { repository: 'server' } })
    const [planning] = await context.jobs.list({ site: 'testsite', limit: 1 })
    expect(await notesOf(planning?.id ?? '')).not.toEqual([])
    const second = proxy.cutAfter(dump.size / 2)
    const job = await runPlan(context, planned.id)
    await second
    expect(job.error).toBeNull()
    expect(await notesOf(job.id)).not.toEqual([])
    expect((await nameOfFirst()).trim()).not.toBe('changed')
  })

  it('says what it would do, does it, and goes back', async () => {
    const planned = await plan()
    expect(planned.checks.filter(({ outcome }) => outcome === 'failed')).toEqual([])
    expect(planned.checks.find(({ name: check }) => check === 'Server')?.outcome).toBe('passed')
    expect(planned.media).toMatchObject({ added: 1, replaced: 1, stay: 1 })
    expect(planned.config?.filter(({ change }) => change === 'replaced').map(({ path }) => path)).toEqual([
      'priv/config.d/mail.config',
      'security/site.key',
    ])
    const job = await runPlan(test.context, planned.id)
    expect(job.error).toBeNull()
    const own = (tree: string) =>
      tree
        .split('\n')
        .filter((line) => !line.includes('own.jpg'))
        .join('\n')
    const after = await trees()
    expect(own(after.media ?? '')).toBe(before.media)
    expect(after.media).toContain('own.jpg')
    expect([after.priv, after.security]).toEqual([before.priv, before.security])
    expect((await nameOfFirst()).trim()).not.toBe('changed')

    const [kept] = await listKept(test.context, await test.context.sites.get('testsite'))
    expect(kept?.state.files).toMatchObject({ replaced: 3, added: 1 })
    const { done } = await startWayBackPlan(test.context, 'undo', { site: 'testsite', kept: kept?.state.id ?? '' })
    const { planId } = await done
    expect(wayBackPlanOf(test.context, planId).runnable).toBe(true)
    const undo = await endOf(test.context, (await startWayBack(test.context, planId)) ?? '')
    expect(undo.error).toBeNull()
    expect(await trees()).toEqual(live)
    expect((await nameOfFirst()).trim()).toBe('changed')

    const [again] = await listKept(test.context, await test.context.sites.get('testsite'))
    const drop = await startWayBackPlan(test.context, 'drop', { site: 'testsite', kept: again?.state.id ?? '' })
    const dropped = await endOf(test.context, (await startWayBack(test.context, (await drop.done).planId)) ?? '')
    expect(dropped.error).toBeNull()
    expect(await listKept(test.context, await test.context.sites.get('testsite'))).toEqual([])
    expect(await readdir(join(server.filesDir, 'backup-desk-undo'))).toEqual([])
    expect(await readdir(join(root, 'home', 'unfinished', 'testsite'))).toEqual([])
  })

  it.each(process.env.HEAVY === '1' ? ['Writing configuration files', 'Loading the database'] : ['Loading the database'])(
    'puts everything back as soon as the server is there again that was lost at: %s',
    async (lostAt) => {
      const planned = await plan()
      let killed: Promise<void> | null = null
      const cut = withPhases(test.context, (phase) => {
        if (phase === lostAt) killed = sshd.kill()
      })
      const job = await runPlan(cut, planned.id)
      await killed
      expect(job.error?.code).toBe('undo-failed')
      expect(await readdir(join(root, 'home', 'unfinished', 'testsite'))).toEqual([job.id])
      expect((await nameOfFirst()).trim()).toBe('changed')
      await sshd.start()
      // the next start would do it as well, and so does whoever wants something of the site
      if (lostAt === 'Loading the database') await plan()
      else await recoverInterruptedRestores(test.context, await test.context.sites.get('testsite'))
      expect(await trees()).toEqual(live)
      expect(await readdir(join(server.filesDir, 'backup-desk-undo'))).toEqual([])
      expect(await readdir(join(root, 'home', 'unfinished', 'testsite'))).toEqual([])
    },
  )

  it('refuses in its plan what it may not write, and a link where a folder must be', async () => {
    await rm(join(server.archiveDir, '2026'), { recursive: true })
    await symlink('/etc', join(server.archiveDir, '2026'))
    const planned = await plan()
    expect(planned.runnable).toBe(false)
    expect(planned.checks.find(({ name: check }) => check === 'Media')).toMatchObject({ outcome: 'failed' })
    expect(await readdir('/etc')).not.toContain('large.bin')
  })
})
