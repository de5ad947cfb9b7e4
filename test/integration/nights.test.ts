import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { startBackup } from '#engine/features/backup/index.ts'
import { nightlyStates, nightsLine, runDue, startScheduler } from '#engine/features/schedule/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import { scheduleProcedures } from '#engine/procedures/schedule.ts'
import { sitesProcedures } from '#engine/procedures/sites.ts'
import type { NightlyState } from '#shared/contract/schedule.ts'
import { type Schedule, type SiteInput, siteInputSchema } from '#shared/model/site.ts'
import { keptName, utcDate } from '#shared/rotation.ts'
import { layOutServerFolder, loadFixtureDatabase, type ServerFolder, siteInput } from '#test/support/backup-site.ts'
import { openTestContext, type TestContext } from '#test/support/engine-context.ts'
import { hasFixtures } from '#test/support/fixtures.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { type Postgres15, startPostgres15 } from '#test/support/postgres.ts'
import { codeOf } from '#test/support/repository-contract.ts'

/* Nights with a real database and real backups; only the hour is made up: it is noon of today, or a little later. */

if (!hasFixtures) console.error('SKIPPED in nights.test.ts: the fixtures of a real server are missing')

let postgres: Postgres15
let folders: ServerFolder
beforeAll(async () => {
  if (!hasFixtures) return
  postgres = await startPostgres15()
  await loadFixtureDatabase(postgres, 'nights')
})
afterAll(() => postgres?.stop())

const NIGHT: Schedule = { enabled: true, at: '03:00', to: 'vault', databaseOnly: true, proofMinutes: 0 }
const PASSWORD = 'site/testsite/database-password' as const

/** The hour of each test. */
let clock = noon()
const now = () => clock
function noon(): Date {
  const date = new Date()
  date.setUTCHours(12, 0, 0, 0)
  return date
}
const later = (minutes: number) => {
  clock = new Date(clock.getTime() + minutes * 60_000)
}

/** A program on a home folder. */
async function open(home: string, secrets: Record<string, string> = { [PASSWORD]: postgres.password }): Promise<TestContext> {
  const test = await openTestContext(home, { secrets })
  onTestFinished(test.close)
  return test
}

async function newSite(schedule: Schedule = NIGHT, change: Partial<SiteInput> = {}): Promise<TestContext & { path: string }> {
  const path = await temporaryFolder()
  folders = await layOutServerFolder(path)
  const test = await open(join(path, 'home'))
  await test.context.sites.add({ ...siteInput('nights', postgres, folders), schedule, ...change })
  return { ...test, path: join(path, 'home') }
}

const vaultOf = (home: string) => join(home, 'backups', 'testsite')
const indexOf = async (folder: string) =>
  JSON.parse(await readFile(join(folder, 'backup.json'), 'utf8').catch(() => '{}')) as Record<string, { timestamp: number }>
const backupJobs = async ({ context }: TestContext) =>
  (await context.jobs.list()).filter(({ kind }) => kind === 'backup').map(({ state }) => state)

/** Lets a program look at its nights once and waits for what it starts. */
async function tick(context: EngineContext): Promise<NightlyState> {
  const scheduler = startScheduler(context, { now, ticks: false })
  await scheduler.tick()
  await scheduler.close()
  const [state] = await nightlyStates(context, now())
  if (!state) throw new Error('no site')
  return state
}

describe.skipIf(!hasFixtures)('the nights of a site', () => {
  beforeEach(() => {
    clock = noon()
  })

  it('back it up once on a date, however often they are looked at', async () => {
    const test = await newSite()
    const [before] = await nightlyStates(test.context, now())
    expect(before?.missed).toMatch(/^Due since 03:0\d UTC and not made yet\.$/)
    expect(await nightsLine(test.context, now())).toBe('Not backed up tonight: testsite')
    const state = await tick(test.context)
    expect(state).toMatchObject({ missed: null, runningJob: null, last: { date: utcDate(now()), outcome: 'made' } })
    expect(state.last?.text).toMatch(/^testsite-\w+ in the vault, \d+ kB\.$/)
    expect(Date.parse(state.nextAt ?? '') - now().getTime()).toBeGreaterThan(15 * 3_600_000)
    expect(await nightsLine(test.context, now())).toMatch(/^Next: testsite \w{3} \d+ \w{3} 03:0\d UTC$/)
    expect(Object.keys(await indexOf(vaultOf(test.path)))).toHaveLength(1)
    later(90)
    await tick(test.context)
    expect(await backupJobs(test)).toEqual(['done'])
    expect(await codeOf(scheduleProcedures(test.context)['schedule.runMissed']({ site: 'testsite' }))).toBe('nothing-missed')
    expect(test.events).toContainEqual({ type: 'schedule-changed' })
    expect(test.notices).toEqual([])
  })

  it('are run by one of two programs that look at the same moment', async () => {
    const test = await newSite()
    const other = await open(test.path)
    await Promise.all([tick(test.context), tick(other.context), runDue(other.context, now)])
    expect(await backupJobs(test)).toEqual(['done'])
    expect(Object.keys(await indexOf(vaultOf(test.path)))).toHaveLength(1)
  })

  it('of many sites run two at a time, until all are made', async () => {
    const test = await newSite()
    for (const name of ['second', 'third', 'fourth']) {
      await test.context.sites.add({ ...siteInput('nights', postgres, null), name, schedule: NIGHT })
    }
    test.context.secrets.addSource(async () => postgres.password)
    const scheduler = startScheduler(test.context, { now, ticks: false })
    await scheduler.tick()
    const made = async () => (await nightlyStates(test.context, now())).map(({ last }) => last?.outcome)
    await expect.poll(made, { timeout: 30_000 }).toEqual(['made', 'made', 'made', 'made'])
    await scheduler.close()
    const running = new Set<string>()
    let most = 0
    for (const event of test.events) {
      if (event.type !== 'job') continue
      if (event.job.state === 'running') running.add(event.job.id)
      else running.delete(event.job.id)
      most = Math.max(most, running.size)
    }
    expect(most).toBe(2)
  })

  it('leave tonight to a backup that somebody is making right now', async () => {
    const test = await newSite()
    const byHand = startBackup(test.context, { site: 'testsite', to: 'vault', databaseOnly: true })
    const state = await tick(test.context)
    const { name } = await byHand.done
    expect(state.last).toMatchObject({
      outcome: 'skipped',
      text: expect.stringMatching(new RegExp(`^${name} of \\d\\d:\\d\\d UTC is there already`)),
    })
    expect(Object.keys(await indexOf(vaultOf(test.path)))).toEqual([name])
  })

  it('do not take a safety backup of today for tonight’s', async () => {
    const test = await newSite()
    const vault = vaultOf(test.path)
    await mkdir(vault)
    const outside = { [keptName('testsite', 'safety', now())]: { timestamp: now().getTime() / 1000 - 60 } }
    await writeFile(join(vault, 'backup.json'), JSON.stringify(outside))
    expect((await tick(test.context)).last?.outcome).toBe('made')
    expect(Object.keys(await indexOf(vault))).toHaveLength(2)
  })

  it('tell a failure once, try again each hour, and are caught up when it is over', async () => {
    const test = await newSite(NIGHT, { database: { ...siteInput('nights', postgres, null).database, database: 'gone' } })
    const state = await tick(test.context)
    expect(state.last?.outcome).toBe('failed')
    expect(state.missed).toMatch(/^Failed at 12:00 UTC: .*The next try is on \w{3} \d+ \w{3} 13:00 UTC\.$/)
    expect(test.notices).toEqual([
      { site: 'testsite', title: 'Nightly backup of testsite failed', text: expect.stringContaining('gone') },
    ])
    later(59)
    await tick(test.context)
    expect(await backupJobs(test)).toHaveLength(1)
    later(1)
    await tick(test.context)
    expect(await backupJobs(test)).toHaveLength(2)
    expect(test.notices).toHaveLength(1)
    await test.context.sites.update({ ...siteInput('nights', postgres, folders), schedule: NIGHT })
    // who asks need not wait for the hour to be over
    const { 'schedule.runMissed': runMissed } = scheduleProcedures(test.context)
    const { jobId } = await runMissed({ site: 'testsite' })
    expect(await codeOf(runMissed({ site: 'testsite' }))).toMatch(/^(?:night-running|nothing-missed)$/)
    await expect.poll(async () => (await test.context.jobs.show(jobId)).job.state, { timeout: 30_000 }).toBe('done')
    await expect.poll(async () => (await nightlyStates(test.context, now()))[0]?.missed).toBeNull()
  })

  it('fail with the reason while the passwords are locked, and go on as soon as they are not', async () => {
    const path = join(await temporaryFolder(), 'home')
    const test = await open(path, {})
    await test.context.secrets.unlock('a passphrase')
    const input = siteInput('nights', postgres, null)
    await test.context.sites.add({ ...input, database: { ...input.database, password: postgres.password }, schedule: NIGHT })
    await test.context.secrets.lock()
    const state = await tick(test.context)
    expect(state.missed).toContain('The store of passwords is locked.')
    expect(test.notices.map(({ text }) => text).join()).toContain('locked')
    expect(JSON.stringify(test.notices)).not.toContain(postgres.password)
    await test.context.secrets.unlock('a passphrase')
    later(1)
    expect((await tick(test.context)).last?.outcome).toBe('made')
  })

  it('do not wait for a backup that is dated in the future, and say what is wrong with its slot', async () => {
    const test = await newSite()
    const vault = vaultOf(test.path)
    await mkdir(vault)
    // the clock was a week ahead: tonight's slot holds next week's backup
    const week = Math.floor(Date.now() / 1000) + 7 * 86_400
    const taken = Object.fromEntries(
      ['1', '2', '3', '4', '5', '6', '7', 'w0', 'w1', 'w2', 'w3', 'w4'].map((slot) => [`testsite-${slot}`, { timestamp: week }]),
    )
    await writeFile(join(vault, 'backup.json'), JSON.stringify(taken))
    const state = await tick(test.context)
    expect(state.missed).toMatch(/Failed at 12:00 UTC: The slot testsite-\w+ holds a backup of .* which is not older/)
    expect(state.missed).toMatch(/in the future: is the clock of this computer or of the server wrong\?$/)
    expect(test.notices[0]?.text).toMatch(/clock/)
  })

  it('that were cancelled by the end of the program are no failure', async () => {
    const test = await newSite()
    const scheduler = startScheduler(test.context, { now, ticks: false })
    await scheduler.tick()
    const closed = scheduler.close()
    await test.jobs.close()
    await closed
    expect((await nightlyStates(test.context, now()))[0]).toMatchObject({ last: null, runningJob: null })
    expect(test.notices).toEqual([])
    const again = await open(test.path)
    expect((await tick(again.context)).last?.outcome).toBe('made')
  })

  it('prove backups afterwards, and tell of a bad one', async () => {
    const test = await newSite({ ...NIGHT, proofMinutes: 1 })
    const vault = vaultOf(test.path)
    await mkdir(vault)
    await writeFile(join(vault, 'testsite-w1.sql.gz'), 'not a dump')
    const bad = { 'testsite-w1': { timestamp: 1_794_000_000, database: 'testsite-w1.sql.gz', database_hash: 'a'.repeat(64) } }
    await writeFile(join(vault, 'backup.json'), JSON.stringify(bad))
    const [end] = await runDue(test.context, now)
    expect(end).toMatchObject({ outcome: 'made', proofs: { failed: [{ repository: 'vault', name: 'testsite-w1' }] } })
    expect(test.notices).toEqual([
      {
        site: 'testsite',
        title: '1 backup of testsite failed the proof',
        text: expect.stringMatching(/^testsite-w1 in the vault: /),
      },
    ])
    // once a night
    expect(await runDue(test.context, now)).toEqual([])
  })

  it('into the server’s folder leave a night to the server that made it', async () => {
    const test = await newSite({ ...NIGHT, to: 'server' })
    const index = { 'testsite-1': { timestamp: Math.floor(Date.now() / 1000), database: 'testsite-1.sql.gz' } }
    await writeFile(join(folders.backupDir, 'backup.json'), JSON.stringify(index))
    expect((await tick(test.context)).last?.outcome).toBe('skipped')
    expect(await indexOf(folders.backupDir)).toEqual(index)
  })
})

describe.skipIf(!hasFixtures)('a schedule onto the server', () => {
  const onServer: Schedule = { ...NIGHT, to: 'server' }

  /** A person who answers as told; every question is noted. */
  async function asking(answer: { value: boolean }): Promise<{ context: EngineContext; asked: string[] }> {
    const { context } = await newSite({ ...NIGHT, enabled: false })
    const asked: string[] = []
    const confirm: EngineContext['confirm'] = async ({ typedName, facts }) => {
      asked.push(`${typedName}: ${facts.find(({ label }) => label === 'Written')?.text}`)
      return answer.value
    }
    return { context: { ...context, confirm }, asked }
  }

  it('is confirmed by a person once, whichever way it is set', async () => {
    const answer = { value: false }
    const { context, asked } = await asking(answer)
    const set = scheduleProcedures(context)['schedule.set']
    const { 'sites.update': update, 'sites.add': add } = sitesProcedures(context)
    const input = siteInputSchema.parse({ ...siteInput('nights', postgres, folders), schedule: onServer })
    expect(await set({ site: 'testsite', schedule: onServer })).toMatchObject({
      saved: false,
      state: { schedule: { to: 'vault' } },
    })
    expect(await codeOf(update({ site: input }))).toBe('not-confirmed')
    expect(await codeOf(add({ site: { ...input, name: 'other' } }))).toBe('not-confirmed')
    expect((await context.sites.list()).sites.map(({ site }) => `${site.name} ${site.schedule?.enabled}`)).toEqual([
      'testsite false',
    ])
    expect(asked).toHaveLength(3)
    expect(asked[0]).toBe(`testsite: One backup a night in ${folders.backupDir}, from 03:00 UTC.`)
    answer.value = true
    expect(await set({ site: 'testsite', schedule: onServer })).toMatchObject({ saved: true, state: { schedule: onServer } })
    expect(asked).toHaveLength(4)
    // what else is changed needs no new answer, another folder does
    await set({ site: 'testsite', schedule: { ...onServer, at: '04:00' } })
    await update({ site: { ...input, label: 'Test' } })
    expect(asked).toHaveLength(4)
    answer.value = false
    const server = { ...(input.server as NonNullable<typeof input.server>), backupDir: join(folders.filesDir, 'elsewhere') }
    expect(await codeOf(update({ site: { ...input, server } }))).toBe('not-confirmed')
    expect(asked).toHaveLength(5)
  })

  it('is refused for a site without server, and into the vault nobody is asked', async () => {
    const { context, asked } = await asking({ value: true })
    const set = scheduleProcedures(context)['schedule.set']
    expect(await set({ site: 'testsite', schedule: NIGHT })).toMatchObject({ saved: true })
    await context.sites.update(siteInput('nights', postgres, null))
    expect(await codeOf(set({ site: 'testsite', schedule: onServer }))).toBe('no-server')
    expect(asked).toEqual([])
  })
})
