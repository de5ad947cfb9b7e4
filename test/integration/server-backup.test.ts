import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startServerBackup } from '#engine/features/server-command/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import { openRepository } from '#engine/foundation/repository/open.ts'
import { createHandlers } from '#engine/procedures/index.ts'
import type { Confirmation } from '#shared/model/plan.ts'
import { slotFor } from '#shared/rotation.ts'
import { openTestContext, withPhases } from '#test/support/engine-context.ts'
import type { FakeSite } from '#test/support/fake-zotonic/fake-zotonic.ts'
import { trust, type ZotonicServer } from '#test/support/fake-zotonic/zotonic-server.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { useZotonicServer, whyNoServer } from '#test/support/server-stage.ts'

const why = whyNoServer('test/integration/server-backup.test.ts')

const QUICK = { pollMs: 100, timeoutMs: 60_000, patienceMs: 2000 }

describe.skipIf(why !== null)('Back up on the server', () => {
  let server: ZotonicServer
  let context: EngineContext
  const phases: string[] = []

  useZotonicServer(
    'zbackup',
    (stage) => {
      phases.length = 0
      server = stage.server
      context = withPhases(stage.context, (name) => phases.push(name))
    },
    { isAdded: true },
  )

  async function changeSite(change: Partial<FakeSite>): Promise<void> {
    const before = structuredClone((await readSite()) as FakeSite)
    await server.zotonic.change((fake) => Object.assign(fake.sites.testsite ?? {}, change))
    onTestFinished(() =>
      server.zotonic.change((fake) => {
        fake.sites.testsite = before
      }),
    )
  }

  async function readSite(): Promise<unknown> {
    let site: unknown
    await server.zotonic.change((fake) => {
      site = fake.sites.testsite
    })
    return site
  }

  async function whenIdle(): Promise<void> {
    const running = join(server.zotonic.command, '../../testsite.running')
    while (
      await readFile(running).then(
        () => true,
        () => false,
      )
    )
      await sleep(50)
  }

  test('Zotonic makes it, it is followed, and it is whole', async () => {
    const goOn = await server.zotonic.hold()
    onTestFinished(goOn)
    const started = Math.floor(Date.now() / 1000)
    const running = startServerBackup(context, 'testsite', QUICK)
    while (!phases.includes('The server packs the media')) await sleep(20)
    expect(phases).toEqual(expect.arrayContaining(['Starting the backup', 'The server begins']))
    // a copy of an old backup that somebody brings there meanwhile is not the one that is waited for
    const old = { timestamp: 1_700_000_000, database: 'testsite-w3.sql.gz', is_encrypted: false }
    await writeFile(join(server.site.backupDir, old.database), 'x')
    await writeFile(join(server.site.backupDir, 'backup.json'), JSON.stringify({ 'testsite-w3': old }))
    await sleep(10 * QUICK.pollMs)
    await goOn()
    const result = await running.done
    expect(result).toMatchObject({ name: `testsite-${slotFor('server', new Date())}`, isOurs: true })
    expect(Date.parse(result.timestamp) / 1000).toBeGreaterThanOrEqual(started)
    const repository = await openRepository(context, await context.sites.get('testsite'), 'server')
    const entry = (await repository.readIndex()).get(result.name)
    expect(entry).toMatchObject({ database: `${result.name}.sql.gz`, files: `${result.name}.tar.gz`, is_encrypted: false })
    expect((await repository.stat(`${result.name}.sql.gz`))?.size).toBeGreaterThan(10_000)
  })

  test('one that is under way already is followed, not started again', async () => {
    const goOn = await server.zotonic.hold()
    onTestFinished(goOn)
    // another computer, whose jobs know nothing of ours
    const other = await openTestContext(await temporaryFolder())
    onTestFinished(other.close)
    await trust(other.context, server.ssh)
    await other.context.secrets.unlock('open sesame')
    await other.context.sites.add(server.input())
    const first = startServerBackup(context, 'testsite', QUICK)
    while (!phases.includes('The server begins')) await sleep(50)
    const theirs: string[] = []
    const following = startServerBackup(
      withPhases(other.context, (name) => theirs.push(name)),
      'testsite',
      QUICK,
    )
    while (!theirs.includes('The server begins')) await sleep(20)
    await goOn()
    const second = await following.done
    expect(second.isOurs).toBe(false)
    expect(await first.done).toMatchObject({ name: second.name, timestamp: second.timestamp, isOurs: true })
  })

  test('a dump that fails there is told: the server takes the entry of the slot out of its index', async () => {
    await startServerBackup(context, 'testsite', QUICK).done
    await changeSite({ fails: true })
    await expect(startServerBackup(context, 'testsite', QUICK).done).rejects.toMatchObject({
      code: 'server-backup-failed',
      message: expect.stringContaining('out of its index'),
      hint: expect.stringContaining('log'),
    })
  })

  test('one that fails in a slot that was empty is told as well: its files go away again', async () => {
    await writeFile(join(server.site.backupDir, 'backup.json'), '{}')
    await changeSite({ fails: true })
    const goOn = await server.zotonic.hold()
    onTestFinished(goOn)
    const failed = expect(startServerBackup(context, 'testsite', QUICK).done).rejects.toMatchObject({
      code: 'server-backup-failed',
      message: expect.stringContaining('went away again'),
    })
    while (!phases.includes('The server dumps the database')) await sleep(20)
    await goOn()
    await failed
  })

  test('one that never shows up is given up after the time for it, and the server is left alone', async () => {
    const goOn = await server.zotonic.hold()
    onTestFinished(goOn)
    await expect(startServerBackup(context, 'testsite', { ...QUICK, timeoutMs: 300 }).done).rejects.toMatchObject({
      code: 'server-backup-timeout',
    })
    await goOn()
    await whenIdle()
  })

  test('an entry whose file is not there is no backup', async () => {
    // its own one comes to nothing before there is a file of it
    const site = (await readSite()) as FakeSite
    await changeSite({ pauseMs: 300, database: { ...site.database, port: 1 } })
    const index = join(server.site.backupDir, 'backup.json')
    await writeFile(index, '{}')
    const running = startServerBackup(context, 'testsite', QUICK)
    const failed = expect(running.done).rejects.toMatchObject({ code: 'server-backup-incomplete' })
    while (!phases.includes('The server begins')) await sleep(20)
    const name = 'testsite-w4'
    const entry = { timestamp: Math.floor(Date.now() / 1000), database: `${name}.sql.gz`, is_encrypted: false }
    await whenIdle()
    await writeFile(index, JSON.stringify({ [name]: entry }))
    onTestFinished(() => writeFile(index, '{}'))
    await failed
  })

  test('a cancel ends the following; the server goes on', async () => {
    const goOn = await server.zotonic.hold()
    onTestFinished(goOn)
    await writeFile(join(server.site.backupDir, 'backup.json'), '{}')
    const running = startServerBackup(context, 'testsite', QUICK)
    while (!phases.includes('The server begins')) await sleep(20)
    await context.jobs.cancel(running.id)
    await expect(running.done).rejects.toMatchObject({ code: 'cancelled' })
    expect((await context.jobs.show(running.id)).log.at(-1)?.text).toMatch(
      /^No longer followed\. A backup that the server began goes on/,
    )
    await goOn()
    await whenIdle()
    const index = JSON.parse(await readFile(join(server.site.backupDir, 'backup.json'), 'utf8')) as object
    expect(Object.keys(index)).toHaveLength(1)
  })

  test('a server that is lost on the way is found again', async () => {
    const goOn = await server.zotonic.hold()
    onTestFinished(goOn)
    const running = startServerBackup(context, 'testsite', { ...QUICK, patienceMs: 60_000 })
    while (!phases.includes('The server begins')) await sleep(20)
    server.sshd.killConnections()
    await goOn()
    expect(await running.done).toMatchObject({ isOurs: true })
  })

  test('mod_backup that is off is told, with the command', async () => {
    await changeSite({ hasModule: false })
    await expect(startServerBackup(context, 'testsite', QUICK).done).rejects.toMatchObject({
      code: 'zotonic-refused',
      message: expect.stringContaining('the backup module of testsite is off'),
      hint: expect.stringContaining('backup testsite start'),
    })
  })

  test('it is run after a confirmation that names the site, and not without', async () => {
    const asked: Confirmation[] = []
    const refusing = {
      ...context,
      confirm: async (confirmation: Confirmation) => {
        asked.push(confirmation)
        return false
      },
    }
    const handlers = createHandlers(refusing)
    const calls = (await server.zotonic.calls()).length
    expect(await handlers['servers.backup']({ site: 'testsite' })).toEqual({ jobId: null })
    expect(await handlers['servers.command']({ site: 'testsite', command: 'restart' })).toEqual({ jobId: null })
    expect(asked.map(({ typedName }) => typedName)).toEqual(['testsite', 'testsite'])
    expect(asked[0]?.facts[0]?.text).toBe(`${server.zotonic.command} backup testsite start`)
    expect((await server.zotonic.calls()).length).toBe(calls)
  })
})
