import { appendFile, cp, mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { startPin } from '#engine/features/backup/index.ts'
import { listBackups, overview, readProofs, watchRepositories } from '#engine/features/listing/index.ts'
import { startDrill, startVerify } from '#engine/features/proof/index.ts'
import { nightlyStates, runMissed } from '#engine/features/schedule/index.ts'
import { startTransferPlan, transferPlanOf } from '#engine/features/transfer/index.ts'
import type { EngineEvent } from '#shared/contract/events.ts'
import type { BackupList } from '#shared/model/backup.ts'
import { scheduleSchema } from '#shared/model/site.ts'
import { openTestContext } from '#test/support/engine-context.ts'
import { fixture, hasFixtures } from '#test/support/fixtures.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { allowed } from '#test/support/patience.ts'
import { makeKey, type Sshd, startSshd, whyNoSshd } from '#test/support/sshd.ts'
import { startTcpProxy } from '#test/support/tcp-proxy.ts'

const missing = whyNoSshd() ?? (hasFixtures ? null : 'the fixtures of a real server are missing')
if (missing) console.error(`SKIPPED test/integration/remote-server.test.ts: ${missing}`)

const MIXED = fixture('backups', '3-slots-mixed')

let sshd: Sshd

beforeAll(async () => {
  if (!missing) sshd = await startSshd({ config: ['PermitUserEnvironment yes'] })
})
afterAll(() => sshd?.stop())

/** A site on a server that is reached by SSH through a proxy; what the server has is in `folder`. */
async function remoteSite(network: { delayMs?: number; bytesPerSecond?: number } = {}) {
  const root = await temporaryFolder()
  const proxy = await startTcpProxy(sshd.port, network)
  onTestFinished(() => proxy.close())
  const test = await openTestContext(join(root, 'home'), {
    secrets: { 'site/testsite/encryption-password': 'zażółć-backup-🔐 pw' },
  })
  onTestFinished(() => test.close())
  const { context } = test
  const line = await sshd.knownHostsLine()
  await mkdir(join(root, 'home'), { recursive: true })
  await appendFile(context.home.knownHostsFile, `${line.replace(`:${sshd.port} `, `:${proxy.port} `)}\n`)
  const there = join(root, 'there')
  const folder = join(there, 'files', 'backup')
  await mkdir(folder, { recursive: true })
  await context.sites.add({
    name: 'testsite',
    database: { database: 'x', schema: 'testsite', user: 'x' },
    server: {
      kind: 'ssh',
      ssh: { host: sshd.host, port: proxy.port, user: sshd.user, auth: 'key', keyFile: sshd.keyFile },
      siteDir: join(there, 'site'),
      filesDir: join(there, 'files'),
      securityDir: join(there, 'security'),
    },
  })
  const site = await context.sites.get('testsite')
  return { context, site, root, folder, proxy, list: (): Promise<BackupList> => listBackups(context, site) }
}

function watched(context: Awaited<ReturnType<typeof remoteSite>>['context']) {
  const events: EngineEvent[] = []
  const watch = watchRepositories(
    { ...context, emit: (event) => events.push(event) },
    { remotePoll: 300, folderPoll: 3_600_000, timeout: allowed(2500) },
  )
  onTestFinished(() => watch.close())
  const untilTold = async (count: number) => {
    const until = performance.now() + 60_000
    while (events.length < count && performance.now() < until) await sleep(20)
    return events.length
  }
  return { watch, events, untilTold }
}

const partSizes = async (folder: string, name: string) => {
  const files = (await readdir(folder)).filter((file) => file.startsWith(`${name}.`) || file.startsWith(`config-${name}.`))
  const sizes = await Promise.all(files.map(async (file) => (await stat(join(folder, file))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

describe.skipIf(missing !== null)('a server that is reached by SSH', () => {
  it('is listed as its folder is, and a flipped bit there is found by reading each part once', async () => {
    const { context, folder, list, proxy } = await remoteSite()
    await cp(MIXED, folder, { recursive: true })
    const listed = await list()
    expect(listed.problems).toEqual([])
    expect(listed.backups.map(({ repository }) => repository)).toEqual(new Array(11).fill('server'))
    expect(listed.unknown).toHaveLength(3)
    const verify = async () =>
      (await startVerify(context, { site: 'testsite', name: 'testsite-6', from: 'server', level: 2, passwords: [] })).done
    const before = proxy.moved.down
    expect(await verify()).toMatchObject({ verdict: 'verified', proofs: [{ repository: 'server' }] })
    const total = await partSizes(folder, 'testsite-6')
    expect(proxy.moved.down - before).toBeGreaterThan(total)
    expect(proxy.moved.down - before).toBeLessThan(total * 1.02 + 64 * 1024)
    const file = join(folder, 'testsite-6.tar.gz')
    const bytes = await readFile(file)
    const middle = Math.floor(bytes.length / 2)
    bytes[middle] = (bytes[middle] ?? 0) ^ 1
    await writeFile(file, bytes)
    const found = await verify()
    expect(found.verdict).toBe('failed')
    expect(found.proofs[0]?.proof.parts.map(({ levels }) => levels.L1?.outcome)).toEqual(['passed', 'passed', 'failed'])
    expect((await list()).backups.find(({ name }) => name === 'testsite-6')?.proof).toMatchObject({ verdict: 'failed' })
  })

  it('gives a backup to be drilled over the line once, and no copy stays on this disk', async () => {
    const { context, folder, root, list, proxy } = await remoteSite()
    await cp(fixture('backups', '1-plain-full'), folder, { recursive: true })
    await list()
    const before = proxy.moved.down
    const drilled = await (await startDrill(context, { site: 'testsite', passwords: [] })).done
    expect(drilled).toMatchObject({ repository: 'server', report: { outcome: 'passed' }, proof: { level: 3 } })
    const copies = (await readdir(join(root, 'home'), { recursive: true })).filter((file) => /\.gz/.test(file))
    expect(copies).toEqual([])
    const moved = proxy.moved.down - before
    const total = await partSizes(folder, 'testsite-1')
    console.error(`a drill of ${total} bytes on a server moved ${moved} bytes over the line`)
    expect(moved).toBeLessThan(total * 1.02 + 64 * 1024)
    expect((await list()).backups[0]?.proof).toMatchObject({ level: 3, verdict: 'verified' })
  })

  it('is read on after the line was lost, by who drills it and who pins it', async () => {
    const { context, folder, list, proxy } = await remoteSite()
    await cp(fixture('backups', '1-plain-full'), folder, { recursive: true })
    await list()
    const request = { site: 'testsite', name: 'testsite-1', from: 'server' } as const
    const notesOf = async (id: string) =>
      (await context.jobs.show(id)).log.filter(({ text }) => /^Reading .* Trying again/.test(text))
    const middle = (await partSizes(folder, 'testsite-1')) / 2
    const first = proxy.cutAfter(middle)
    const drill = await startDrill(context, { ...request, passwords: [] })
    await first
    expect(await drill.done).toMatchObject({ report: { outcome: 'passed' }, proof: { level: 3 } })
    expect(await notesOf(drill.id)).not.toEqual([])
    const second = proxy.cutAfter(middle)
    const pin = startPin(context, request)
    await second
    expect(await pin.done).toMatchObject({ from: 'server', already: false })
    expect(await notesOf(pin.id)).not.toEqual([])
  })

  it.each([2, 3] as const)('is not to blame for its backups when the line breaks: level %i', async (level) => {
    const { context, folder, proxy, list } = await remoteSite()
    await cp(fixture('backups', '1-plain-full'), folder, { recursive: true })
    await list()
    // in its last part
    const cut = proxy.cutAfter((await partSizes(folder, 'testsite-1')) - 300_000)
    proxy.refuse()
    const request = { site: 'testsite', name: 'testsite-1', from: 'server', level, passwords: [] } as const
    const job = await startVerify(context, { ...request, passwords: [] }, { patience: { stallMs: 30_000, pausesMs: [] } })
    await expect(job.done).rejects.toMatchObject({ code: expect.stringMatching(/^(?:connection-lost|host-unreachable)$/) })
    await cut
    expect((await context.jobs.show(job.id)).job.state).toBe('failed')
    expect((await readProofs(context, 'testsite')).proofs).toEqual([])
  })

  it('has its free space and its clock looked at before anything is copied to it', async () => {
    const { context, folder, root, site } = await remoteSite()
    await cp(fixture('backups', '1-plain-full'), join(root, 'home', 'backups', 'testsite'), { recursive: true })
    const checksOf = async () => {
      const { planId } = await (await startTransferPlan(context, { site: 'testsite', from: 'vault', to: 'server' })).done
      const { checks, runnable } = transferPlanOf(context, planId)
      const found = Object.fromEntries(checks.map(({ name, outcome, finding }) => [name, `${outcome}: ${finding}`]))
      return { space: found.Space, clock: found.Clock, runnable }
    }
    expect(await checksOf()).toEqual({
      space: expect.stringMatching(new RegExp(`^passed: 1\\.77 MB come; sftp://.*${folder} has .* [MGT]B free$`)),
      clock: 'passed: That of the server goes as ours',
      runnable: true,
    })
    // a log-in for which the disk is full and the clock wrong
    const programs = join(root, 'programs')
    await mkdir(programs)
    const put = (name: string, script: string) => writeFile(join(programs, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    await put('df', "echo Filesystem 1024-blocks Used Available Capacity Mounted on; echo '/dev/sda 2000 1000 1000 50% /'")
    await put('date', 'echo $(($(/bin/date +%s) - 7200))')
    await makeKey(join(root, 'key'), 'ed25519')
    await sshd.authorize(`environment="PATH=${programs}:/usr/bin:/bin" ${await readFile(join(root, 'key.pub'), 'utf8')}`)
    if (site.server?.kind !== 'ssh') throw new Error('another server')
    const ssh = { ...site.server.ssh, keyFile: join(root, 'key') }
    await context.sites.update({ ...site, server: { ...site.server, ssh } })
    expect(await checksOf()).toEqual({
      space: expect.stringMatching(/^failed: 1\.77 MB come; .* has 1\.02 MB free$/),
      clock: expect.stringMatching(/^warning: That of the server is 2 h behind ours/),
      runnable: false,
    })
  })

  it('with 500 backups is listed within two seconds over a slow line', async () => {
    const { context, folder, site, list } = await remoteSite({ delayMs: 25 })
    await putManyBackups(folder, 500)
    const first = await timed(list)
    expect(first.result.problems).toEqual([])
    expect(first.result.backups).toHaveLength(500)
    expect(first.result.backups.flatMap(({ parts }) => parts.filter(({ trouble }) => trouble !== null))).toEqual([])
    const again = await timed(() => listBackups(context, site, 'server'))
    console.error(`500 backups over 50 ms: ${first.seconds.toFixed(2)} s with the log-in, ${again.seconds.toFixed(2)} s after it`)
    expect(again.seconds).toBeLessThan(allowed(2))
    expect(first.seconds).toBeLessThan(allowed(4))
  })

  it('is not asked again and again how the nights stand that write to it', async () => {
    const { context, folder, site, proxy } = await remoteSite()
    await cp(MIXED, folder, { recursive: true })
    await context.sites.update({ ...site, schedule: scheduleSchema.parse({ enabled: true, to: 'server' }) })
    const now = new Date('2026-11-23T09:00:00Z')
    const [first] = await nightlyStates(context, now)
    expect(first).toMatchObject({ site: 'testsite', missed: null })
    const before = proxy.moved.up
    expect(await nightlyStates(context, now)).toEqual([first])
    expect(proxy.moved.up).toBe(before)
    // what acts looks
    await expect(runMissed(context, 'testsite', () => now)).rejects.toMatchObject({ code: 'nothing-missed' })
    expect(proxy.moved.up).toBeGreaterThan(before)
  })

  it('is watched: changes show, trouble shows and goes', async () => {
    const { context, folder, root } = await remoteSite()
    await cp(fixture('backups', '1-plain-full'), folder, { recursive: true })
    const { untilTold, events, watch } = watched(context)
    const copies = async () => (await overview(context, new Date('2026-11-23T09:00:00Z')))[0]?.copies.server
    expect(await copies()).toBe('unknown')
    expect(await untilTold(1)).toBe(1)
    expect(await copies()).toBe('newest')
    // the index last and at once: one that is seen half written would be told twice
    await cp(MIXED, folder, { recursive: true, filter: (source) => !source.endsWith('backup.json') })
    await cp(join(MIXED, 'backup.json'), join(root, 'backup.json'))
    await rename(join(root, 'backup.json'), join(folder, 'backup.json'))
    expect(await untilTold(2)).toBe(2)
    await sshd.kill()
    expect(await untilTold(3)).toBe(3)
    expect(await copies()).toBe('failing')
    await sleep(1000)
    expect(events).toHaveLength(3)
    await sshd.start()
    watch.check('testsite')
    expect(await untilTold(4)).toBe(4)
    expect(await copies()).toBe('newest')
  })
})

async function timed<T>(action: () => Promise<T>): Promise<{ result: T; seconds: number }> {
  const started = performance.now()
  const result = await action()
  return { result, seconds: (performance.now() - started) / 1000 }
}

/** Backups of many sites' slots would never be in one folder; the names of kept ones can be. */
async function putManyBackups(folder: string, count: number): Promise<void> {
  const index: Record<string, object> = {}
  for (let number = 0; number < count; number += 1) {
    const made = new Date(Date.UTC(2025, 0, 1) + number * 86_400_000)
    const name = `testsite-pinned-${made.toISOString().slice(0, 19).replace(/\D/g, '')}`
    const files = { database: `${name}.sql.gz`, config_files: `config-${name}.tar.gz`, files: `${name}.tar.gz` }
    for (const file of Object.values(files)) await writeFile(join(folder, file), 'x')
    index[name] = { timestamp: made.getTime() / 1000, ...files, is_encrypted: false, is_filestore_uploaded: false }
  }
  await writeFile(join(folder, 'backup.json'), JSON.stringify(index))
}
