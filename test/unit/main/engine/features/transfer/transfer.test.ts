import { randomBytes } from 'node:crypto'
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startVerify } from '#engine/features/proof/index.ts'
import { openRepository } from '#engine/foundation/repository/open.ts'
import type { IndexEntry } from '#engine/foundation/repository/types.ts'
import { sharedLimit } from '#engine/foundation/shared-limit.ts'
import { transferProcedures } from '#engine/procedures/transfer.ts'
import { AppError } from '#shared/errors.ts'
import type { RepositoryName } from '#shared/model/backup.ts'
import type { Confirmation } from '#shared/model/plan.ts'
import type { Site } from '#shared/model/site.ts'
import type { TransferPlan, TransferResult } from '#shared/model/transfer.ts'
import { openTestContext, type TestContext } from '#test/support/engine-context.ts'
import { fixture, hasFixtures } from '#test/support/fixtures.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { codeOf } from '#test/support/repository-contract.ts'
import { contentsOf, makeBackup, sha256 } from '#test/support/transfers.ts'

if (!hasFixtures) console.error('SKIPPED in transfer.test.ts: the fixtures of a real server are missing')

const PASSWORD = 'zażółć-backup-🔐 pw'
const SLOTS = fixture('backups', '3-slots-mixed')
const UNSET = new AbortController().signal

interface Setup extends TestContext {
  site: Site
  server: string
  vault: string
  asked: Confirmation[]
  answer: boolean
  plan(request: {
    from: RepositoryName
    to: RepositoryName
    names?: string[]
    deleteOthers?: boolean
    replaceOther?: boolean
  }): Promise<TransferPlan>
  run(planId: string): Promise<TransferResult | null>
}

async function setUp(options: { server?: string | null; secrets?: Record<string, string> } = {}): Promise<Setup> {
  const folder = await temporaryFolder()
  const server = join(folder, 'files', 'backup')
  const vault = join(folder, 'vault')
  await mkdir(server, { recursive: true })
  const { server: source = SLOTS } = options
  if (source !== null) {
    await cp(source, server, { recursive: true })
    // each encrypted file takes a key derivation
    const index = JSON.parse(await readFile(join(server, 'backup.json'), 'utf8')) as Record<string, IndexEntry>
    for (const slot of ['2', '3', 'w0', 'w1', 'w4']) delete index[`testsite-${slot}`]
    await writeFile(join(server, 'backup.json'), JSON.stringify(index))
  }
  const test = await openTestContext(join(folder, 'home'), { secrets: options.secrets ?? {} })
  onTestFinished(test.close)
  await test.context.sites.add({
    name: 'testsite',
    database: { database: 'd', schema: 's', user: 'u' },
    server: { kind: 'folder', siteDir: folder, filesDir: join(folder, 'files'), securityDir: folder },
    vault: { path: vault },
  })
  const asked: Confirmation[] = []
  const setup = { answer: true }
  const context = {
    ...test.context,
    confirm: async (confirmation: Confirmation) => {
      asked.push(confirmation)
      return setup.answer
    },
  }
  const procedures = transferProcedures(context)
  const resultOf = async (jobId: string) => {
    for (;;) {
      const event = test.events.findLast((told) => told.type === 'job' && told.job.id === jobId)
      const job = event?.type === 'job' ? event.job : null
      if (job?.state === 'done') return job.result
      if (job?.error) throw AppError.fromData(job.error)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  return Object.assign(setup, test, {
    site: await test.context.sites.get('testsite'),
    server,
    vault,
    asked,
    async plan(request: object) {
      const { jobId } = await procedures['transfer.plan']({
        site: 'testsite',
        deleteOthers: false,
        ...request,
      } as Parameters<(typeof procedures)['transfer.plan']>[0])
      const { planId } = (await resultOf(jobId)) as { planId: string }
      return procedures['transfer.getPlan']({ planId })
    },
    async run(planId: string) {
      const { jobId } = await procedures['transfer.run']({ planId })
      return jobId === null ? null : ((await resultOf(jobId)) as TransferResult)
    },
  }) as Setup
}

const indexOf = async (folder: string) =>
  JSON.parse(await readFile(join(folder, 'backup.json'), 'utf8')) as Record<string, IndexEntry>

function passwordsOf({ checks }: TransferPlan): string | undefined {
  const found = checks.find(({ name }) => name === 'Passwords')
  return found && `${found.outcome}: ${found.finding}`
}

describe.skipIf(!hasFixtures)('bringing repositories of a site in step', () => {
  it('fetches a server’s backups into the vault, newest first, without being asked', async () => {
    const { plan, run, asked, vault, context, site } = await setUp({ secrets: { 'site/testsite/encryption-password': PASSWORD } })
    const planned = await plan({ from: 'server', to: 'vault' })
    const times = planned.items.map(({ timestamp }) => timestamp)
    expect(times).toEqual([...times].sort().reverse())
    expect(planned).toMatchObject({ needsConfirmation: false, runnable: true, deletions: [] })
    expect(planned.items.every(({ action }) => action === 'copy')).toBe(true)
    const result = await run(planned.id)
    expect(asked).toEqual([])
    expect(result?.backups.map(({ outcome }) => outcome)).toEqual(planned.items.map(() => 'copied'))
    // of slot 1 the password is another one
    const unchecked = result?.backups.filter(({ text }) => text.includes('no password')).map(({ name }) => name)
    expect(unchecked).toEqual(['testsite-1'])
    expect(passwordsOf(planned)).toMatch(/^warning: No stored password opens testsite-1: where a server recorded the hash/)
    const fetched = await contentsOf(await openRepository(context, site, 'vault'))
    const there = await contentsOf(await openRepository(context, site, 'server'))
    for (const [file, hash] of Object.entries(fetched)) expect(there[file]).toBe(hash)
    const copied = Object.values(await indexOf(vault))
    expect(copied).toHaveLength(planned.items.length)
    // the hash is that of the stored file now, which the server's index has not for encrypted ones
    for (const entry of copied) expect(entry.database_hash).toBe(fetched[String(entry.database)])
    const again = await plan({ from: 'server', to: 'vault' })
    expect(again.items.every(({ action }) => action === 'same')).toBe(true)
    expect(again.runnable).toBe(false)
    expect(passwordsOf(again)).toBeUndefined()
  })

  it('tells before it copies whether encrypted backups can be compared with the hash of what is inside', async () => {
    const names = ['testsite-w2', 'testsite-5']
    const known = await setUp({ secrets: { 'site/testsite/encryption-password': PASSWORD } })
    const planOf = ({ plan }: Setup, which = names) => plan({ from: 'server', to: 'vault', names: which }).then(passwordsOf)
    expect(await planOf(known)).toBe('passed: The stored passwords open 1 encrypted backup')
    expect(await planOf(known, ['testsite-5'])).toBeUndefined()
    await writeFile(join(known.server, 'testsite-w2.sql.gz.enc'), 'Z1')
    expect(await planOf(known)).toMatch(/^warning: No stored password opens testsite-w2:/)
    expect(await planOf(await setUp())).toMatch(/^warning: No password is stored that would open 1 encrypted backup:/)
  })

  it('finds a damaged encrypted backup by its content, and copies the others all the same', async () => {
    const { plan, run, server, vault } = await setUp({ secrets: { 'site/testsite/encryption-password': PASSWORD } })
    const file = join(server, 'testsite-w2.sql.gz.enc')
    const bytes = await readFile(file)
    bytes[5000] = (bytes[5000] ?? 0) ^ 1
    await writeFile(file, bytes)
    const planned = await plan({ from: 'server', to: 'vault' })
    const failure = await run(planned.id).catch((error) => error)
    expect(failure).toMatchObject({ code: 'transfer-incomplete' })
    expect(failure.message).toContain('testsite-w2')
    const { backups } = failure.details.result as TransferResult
    expect(backups.filter(({ outcome }) => outcome === 'failed').map(({ name }) => name)).toEqual(['testsite-w2'])
    expect(Object.keys(await indexOf(vault))).not.toContain('testsite-w2')
    expect((await readdir(vault)).filter((name) => name.includes('testsite-w2'))).toEqual([])
  })

  it('asks before a server is written, with what is replaced', async () => {
    const setup = await setUp({ server: null })
    const { plan, run, vault, server, asked } = setup
    await makeBackup(server, { database: 1000 }, { name: 'testsite-3', timestamp: 1_795_000_000 })
    await makeBackup(vault, { database: 2000, config: 100 }, { name: 'testsite-3', timestamp: 1_795_300_000 })
    await makeBackup(vault, { database: 3000 }, { name: 'testsite-pinned-20261123000000', timestamp: 1_795_300_000 })
    const planned = await plan({ from: 'vault', to: 'server' })
    expect(planned.items.map(({ name, action }) => [name, action])).toEqual([['testsite-3', 'copy']])
    expect(planned.needsConfirmation).toBe(true)
    setup.answer = false
    expect(await run(planned.id)).toBeNull()
    expect((await indexOf(server))['testsite-3']?.timestamp).toBe(1_795_000_000)
    setup.answer = true
    await run(planned.id)
    expect(asked[1]?.facts.find(({ label }) => label === 'Replaced')?.text).toContain('testsite-3')
    expect((await indexOf(server))['testsite-3']?.timestamp).toBe(1_795_300_000)
    expect(await codeOf(run(planned.id))).toBe('plan-used')
  })

  it('refuses what is newer, incomplete or no rotation slot there, with the reason', async () => {
    const { plan, vault, server } = await setUp({ server: null })
    await makeBackup(server, { database: 1000 }, { name: 'testsite-3', timestamp: 1_795_300_000 })
    await makeBackup(vault, { database: 1000 }, { name: 'testsite-3', timestamp: 1_795_000_000 })
    await makeBackup(vault, { database: 1000 }, { name: 'testsite-4', timestamp: 1_795_100_000 })
    await rm(join(vault, 'testsite-4.sql.gz'))
    await makeBackup(vault, { database: 1000 }, { name: 'testsite-pinned-20261123000000', timestamp: 1_795_200_000 })
    const names = ['testsite-3', 'testsite-4', 'testsite-pinned-20261123000000']
    const planned = await plan({ from: 'vault', to: 'server', names })
    expect(planned.items.map(({ action }) => action)).toEqual(['refused', 'refused', 'refused'])
    expect(planned.items.map(({ reason }) => reason).join(' ')).toMatch(/no rotation slot.*missing.*newer/s)
    expect(planned.runnable).toBe(false)
    expect(await codeOf(plan({ from: 'vault', to: 'server', names: ['testsite-9'] }))).toBe('unknown-backup')
  })

  it('deletes what the source does not have only when asked to, only what the plan lists, and only when all was copied', async () => {
    const { plan, run, vault, server, asked } = await setUp({ server: null })
    for (const [slot, timestamp] of [
      ['1', 1_795_000_000],
      ['2', 1_795_100_000],
      ['3', 1_795_200_000],
    ] as const) {
      await makeBackup(vault, { database: 1000 }, { name: `testsite-${slot}`, timestamp })
    }
    await makeBackup(vault, { database: 1000 }, { name: 'testsite-pinned-20261123000000', timestamp: 1_795_200_000 })
    await makeBackup(server, { database: 1000 }, { name: 'testsite-4', timestamp: 1_795_300_000 })
    expect((await plan({ from: 'server', to: 'vault' })).deletions).toEqual([])
    const planned = await plan({ from: 'server', to: 'vault', deleteOthers: true })
    expect(planned.deletions.map(({ name }) => name)).toEqual(['testsite-3', 'testsite-2', 'testsite-1'])
    expect(planned.needsConfirmation).toBe(true)
    // a newer backup came into the slot meanwhile
    await makeBackup(vault, { database: 1000 }, { name: 'testsite-2', timestamp: 1_795_400_000 })
    const failure = await run(planned.id).catch((error) => error)
    expect(failure.message).toContain('testsite-2')
    expect(asked[0]?.facts.find(({ label }) => label === 'Deleted')?.text).toContain('testsite-3')
    expect(Object.keys(await indexOf(vault)).sort()).toEqual(['testsite-2', 'testsite-4', 'testsite-pinned-20261123000000'])
    expect((await readdir(vault)).filter((file) => file.includes('testsite-1'))).toEqual([])
    await rm(join(server, 'backup.json'))
    const emptied = await plan({ from: 'server', to: 'vault', deleteOthers: true })
    expect(emptied.runnable).toBe(false)
    expect(emptied.checks.find(({ name }) => name === 'Deletion')?.outcome).toBe('failed')
  })

  it('deletes nothing whose entry in the source can’t be read: who knows what it means', async () => {
    const { plan, run, vault, server } = await setUp({ server: null })
    for (const slot of ['1', '2'])
      await makeBackup(vault, { database: 1000 }, { name: `testsite-${slot}`, timestamp: 1_795_000_000 })
    await makeBackup(server, { database: 1000 }, { name: 'testsite-4', timestamp: 1_795_300_000 })
    const index = await indexOf(server)
    const write = (entries: object) => writeFile(join(server, 'backup.json'), JSON.stringify({ ...index, ...entries }))
    await write({ 'testsite-1': { timestamp: 'soon' } })
    const planned = await plan({ from: 'server', to: 'vault', deleteOthers: true })
    expect(planned.deletions.map(({ name }) => name)).toEqual(['testsite-2'])
    // the other one becomes unreadable meanwhile
    await write({ 'testsite-2': null })
    const failure = await run(planned.id).catch((error) => error)
    expect(failure.message).toContain('has got a backup testsite-2')
    expect(Object.keys(await indexOf(vault)).sort()).toEqual(['testsite-1', 'testsite-2', 'testsite-4'])
  })

  it('mends a copy that verifying found damaged, from a good one and from no other', async () => {
    const { plan, run, vault, context } = await setUp()
    const names = ['testsite-4']
    await run((await plan({ from: 'server', to: 'vault', names })).id)
    const file = join(vault, 'testsite-4.sql.gz')
    const good = await readFile(file)
    const damaged = Buffer.from(good)
    damaged[5000] = (damaged[5000] ?? 0) ^ 1
    await writeFile(file, damaged)
    // its size is right, and nobody has looked inside yet
    expect((await plan({ from: 'server', to: 'vault', names })).items[0]?.action).toBe('same')
    const verify = async () =>
      (await startVerify(context, { site: 'testsite', name: 'testsite-4', from: 'vault', level: 2, passwords: [] })).done
    await verify()
    const back = await plan({ from: 'vault', to: 'server', names })
    expect(back.items[0]).toMatchObject({ action: 'refused', mends: false, reason: expect.stringContaining('damaged') })
    const [planned, late] = [
      await plan({ from: 'server', to: 'vault', names }),
      await plan({ from: 'server', to: 'vault', names }),
    ]
    expect(planned.items[0]).toMatchObject({ action: 'copy', mends: true, replaces: null })
    expect(planned.items[0]?.reason).toContain('testsite-4.sql.gz: its SHA-256 is not that of the index')
    expect((await run(planned.id))?.backups[0]?.outcome).toBe('copied')
    expect(await readFile(file)).toEqual(good)
    expect((await verify()).verdict).toBe('verified')
    // somebody was quicker
    expect((await run(late.id))?.backups[0]?.outcome).toBe('same')
  })

  it.each(['server', 'vault'] as const)(
    'takes the place of another backup of the same moment only when asked, and keeps that (from the %s)',
    async (from) => {
      const setup = await setUp({ server: null })
      const { server, vault, asked, plan, run } = setup
      const to: RepositoryName = from === 'server' ? 'vault' : 'server'
      const [source, target] = from === 'server' ? [server, vault] : [vault, server]
      const sizes = { database: 1000, files: 3000 }
      await makeBackup(source, sizes)
      await makeBackup(target, sizes)
      const other = (await indexOf(target))['testsite-1']
      const wanted = { from, to, names: ['testsite-1'] }
      expect((await plan(wanted)).items[0]).toMatchObject({ action: 'refused', reason: expect.stringContaining('another hash') })
      const planned = await plan({ ...wanted, replaceOther: true })
      expect(planned).toMatchObject({ needsConfirmation: true, items: [{ action: 'copy', displaces: true, mends: false }] })
      setup.answer = false
      expect(await run(planned.id)).toBeNull()
      setup.answer = true
      expect(await run(planned.id)).toMatchObject({ backups: [{ outcome: 'copied' }] })
      expect(asked.at(-1)?.facts.map(({ text }) => text)).toEqual(
        expect.arrayContaining([
          expect.stringContaining('testsite-1: the other copy of'),
          'what is replaced is pinned in the vault first',
        ]),
      )
      expect((await indexOf(target))['testsite-1']?.database_hash).toBe((await indexOf(source))['testsite-1']?.database_hash)
      const pinned = Object.entries(await indexOf(vault)).find(([name]) => name.startsWith('testsite-pinned-'))?.[1]
      expect(pinned).toMatchObject({
        timestamp: other?.timestamp,
        database_hash: other?.database_hash,
        files_hash: other?.files_hash,
      })
      // a third one of that second can't be kept under that name: it is left as it is
      await makeBackup(target, sizes)
      const third = (await indexOf(target))['testsite-1']
      const again = await plan({ ...wanted, replaceOther: true })
      expect(await codeOf(run(again.id))).toBe('pin-taken')
      expect((await indexOf(target))['testsite-1']).toEqual(third)
      expect(await codeOf(plan({ from, to, replaceOther: true }))).toBe('wrong-request')
    },
  )

  it('does not take an encrypted copy of another size for damaged that was verified', async () => {
    const { context, server, vault, plan } = await setUp({ server: null })
    const encrypted = async (folder: string, size: number) => {
      const bytes = randomBytes(size)
      bytes.write('Z1')
      bytes.writeUInt32LE(600_001, 2)
      const file = 'testsite-1.sql.gz.enc'
      const entry = { timestamp: 1_795_000_000, database: file, database_hash: sha256(bytes), is_encrypted: true }
      await mkdir(folder, { recursive: true })
      await writeFile(join(folder, file), bytes)
      await writeFile(join(folder, 'backup.json'), JSON.stringify({ 'testsite-1': entry }))
    }
    await encrypted(server, 1000)
    await encrypted(vault, 1100)
    const wanted = { from: 'server', to: 'vault', names: ['testsite-1'] } as { from: RepositoryName; to: RepositoryName }
    expect((await plan(wanted)).items[0]).toMatchObject({ action: 'copy', mends: true })
    const request = { site: 'testsite', name: 'testsite-1', from: 'vault', level: 1, passwords: [] } as const
    expect((await (await startVerify(context, { ...request, passwords: [] })).done).verdict).toBe('verified')
    expect((await plan(wanted)).items[0]).toMatchObject({ action: 'refused', reason: expect.stringContaining('same moment') })
  })

  it('mends a copy whose entry lacks a part, once its loss is confirmed', async () => {
    const { plan, run, vault, server, asked } = await setUp({ server: null })
    await makeBackup(vault, { database: 1000, config: 100 }, { name: 'testsite-3' })
    await cp(vault, server, { recursive: true })
    const index = await indexOf(server)
    await writeFile(
      join(server, 'backup.json'),
      JSON.stringify({ 'testsite-3': { ...index['testsite-3'], config_files: null, config_files_hash: null } }),
    )
    const planned = await plan({ from: 'vault', to: 'server' })
    expect(planned.items[0]).toMatchObject({ action: 'copy', mends: true, reason: expect.stringContaining('configuration') })
    await run(planned.id)
    expect(asked[0]?.facts.find(({ label }) => label === 'Replaced')?.text).toContain('testsite-3: the damaged copy')
    expect((await indexOf(server))['testsite-3']).toMatchObject({ ...index['testsite-3'] })
  })

  it('deletes nothing when a backup could not be copied', async () => {
    const { plan, run, vault, server } = await setUp({ server: null })
    await makeBackup(vault, { database: 1000 }, { name: 'testsite-1' })
    await makeBackup(server, { database: 1000 }, { name: 'testsite-4' })
    await writeFile(join(server, 'testsite-4.sql.gz'), Buffer.alloc(1000))
    const planned = await plan({ from: 'server', to: 'vault', deleteOthers: true })
    expect(planned.deletions).toHaveLength(1)
    const failure = await run(planned.id).catch((error) => error)
    expect(failure).toMatchObject({ code: 'transfer-incomplete', hint: expect.stringContaining('not deleted') })
    const { backups } = failure.details.result as TransferResult
    expect(backups.map(({ name, outcome }) => [name, outcome])).toEqual([
      ['testsite-4', 'failed'],
      ['testsite-1', 'failed'],
    ])
    expect(Object.keys(await indexOf(vault))).toEqual(['testsite-1'])
  })

  it('does not run a plan of a target or of settings that have changed', async () => {
    const { plan, run, vault, server, context, site } = await setUp({ server: null })
    await makeBackup(server, { database: 1000 }, { name: 'testsite-3', timestamp: 1_795_300_000 })
    const first = await plan({ from: 'server', to: 'vault' })
    await makeBackup(vault, { database: 2000 }, { name: 'testsite-3', timestamp: 1_795_200_000 })
    expect(await codeOf(run(first.id))).toBe('plan-outdated')
    expect((await indexOf(vault))['testsite-3']?.timestamp).toBe(1_795_200_000)
    const second = await plan({ from: 'server', to: 'vault' })
    await context.sites.update({ ...site, label: 'Other' })
    expect(await codeOf(run(second.id))).toBe('plan-outdated')
    expect((await indexOf(vault))['testsite-3']?.timestamp).toBe(1_795_200_000)
  })

  it('does not run a plan of a source that has changed', async () => {
    const { plan, run, vault, server } = await setUp({ server: null })
    await makeBackup(server, { database: 1000 }, { name: 'testsite-3' })
    const planned = await plan({ from: 'server', to: 'vault' })
    await makeBackup(server, { database: 1000 }, { name: 'testsite-3', timestamp: 1_795_300_000 })
    const failure = await run(planned.id).catch((error) => error)
    expect(failure).toMatchObject({ code: 'plan-outdated' })
    expect(await readdir(vault).catch(() => [])).toEqual([])
  })

  it('keeps its transfers below the limit of the preferences, also when it is changed', async () => {
    const { context } = await setUp({ server: null })
    await context.preferences.update({ transferLimit: 1000 })
    const limit = sharedLimit(context)
    expect(sharedLimit(context)).toBe(limit)
    const started = performance.now()
    for (let taken = 0; taken < 1_024_000; taken += 51_200) await limit.take(51_200, UNSET)
    const seconds = (performance.now() - started) / 1000
    expect(seconds).toBeGreaterThan(0.8)
    // a machine that is busy takes longer, but not for the limit
    expect(seconds).toBeLessThan(15)
    await context.preferences.update({ transferLimit: null })
    await limit.take(102_400_000, UNSET)
    const loose = performance.now()
    await limit.take(1, UNSET)
    // with the limit as it was it would be 100 s
    expect(performance.now() - loose).toBeLessThan(30_000)
  })
})
