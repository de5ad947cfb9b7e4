import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { nightlyStates, startScheduler } from '#engine/features/schedule/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import { openRepository } from '#engine/foundation/repository/open.ts'
import type { IndexEntry } from '#engine/foundation/repository/types.ts'
import { scheduleProcedures } from '#engine/procedures/schedule.ts'
import type { NightlyState } from '#shared/contract/schedule.ts'
import type { Schedule } from '#shared/model/site.ts'
import { slotFor, utcDate } from '#shared/rotation.ts'
import { layOutServerFolder, loadFixtureDatabase, siteInput } from '#test/support/backup-site.ts'
import { missingCeph, startS3, type TestS3 } from '#test/support/ceph.ts'
import { openTestContext } from '#test/support/engine-context.ts'
import { hasFixtures } from '#test/support/fixtures.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { type Postgres15, startPostgres15 } from '#test/support/postgres.ts'
import { codeOf } from '#test/support/repository-contract.ts'
import { filestoreSettings } from '#test/support/s3-repository.ts'

/* Nights into a filestore: a real database and radosgw; only the hour is made up, noon of today or later. */

const missing = missingCeph() ?? (hasFixtures ? null : 'the fixtures of a real server are missing')
if (missing) console.error(`SKIPPED test/integration/nights-filestore.test.ts: ${missing}`)

let postgres: Postgres15
let s3: TestS3
beforeAll(async () => {
  if (missing) return
  ;[postgres, s3] = await Promise.all([startPostgres15(), startS3()])
  await loadFixtureDatabase(postgres, 'nights')
}, 60_000)
afterAll(() => Promise.all([postgres?.stop(), s3?.stop()]))

const NIGHT: Schedule = { enabled: true, at: '03:00', to: 'filestore', databaseOnly: true, proofMinutes: 0 }
const DAY = 86_400
const NOON = new Date(`${utcDate(new Date())}T12:00:00Z`)
const after = (minutes: number) => () => new Date(NOON.getTime() + minutes * 60_000)

async function newSite(schedule = NIGHT) {
  const folder = await temporaryFolder()
  const test = await openTestContext(join(folder, 'home'), {
    secrets: {
      'site/testsite/database-password': postgres.password,
      'site/testsite/filestore-secret': s3.secretAccessKey,
    },
  })
  onTestFinished(test.close)
  const filestore = filestoreSettings(s3)
  await test.context.sites.add({
    ...siteInput('nights', postgres, await layOutServerFolder(folder)),
    filestore,
    schedule,
  })
  const site = await test.context.sites.get('testsite')
  return { ...test, site, filestore, store: await openRepository(test.context, site, 'filestore') }
}

/** Lets a program look at its nights once and waits for what it starts. */
async function tick(context: EngineContext, now: () => Date): Promise<NightlyState | undefined> {
  const scheduler = startScheduler(context, { now, ticks: false })
  await scheduler.tick()
  await scheduler.close()
  return (await nightlyStates(context, now()))[0]
}

/** The backups of the last three nights, as a server indexed and uploaded them. */
function ofServer(): [string, IndexEntry][] {
  return [1, 2, 3].map((days) => {
    const timestamp = NOON.getTime() / 1000 - days * DAY
    const name = `testsite-${slotFor('server', new Date(timestamp * 1000))}`
    return [name, { timestamp, database: `${name}.sql.gz`, is_filestore_uploaded: true, from_server: days }]
  })
}

describe.skipIf(missing !== null)('nights into the filestore', () => {
  it('take the slot that the server would, are merged into its index, made once, and shown ahead', async () => {
    const test = await newSite()
    const others = ofServer()
    await test.store.updateIndex((index) => {
      for (const [name, entry] of others) index.set(name, entry)
    })
    const preview = () => scheduleProcedures(test.context)['schedule.preview']({ site: 'testsite', nights: 14 })
    const ahead = await preview()
    expect(ahead).toMatchObject({ scheme: 'server', repository: 'filestore' })
    const elsewhere = await scheduleProcedures(test.context)['schedule.preview']({ site: 'testsite', nights: 14, to: 'vault' })
    expect(elsewhere).toMatchObject({
      repository: 'vault',
      nights: expect.arrayContaining([{ ...ahead.nights[6], replaces: null }]),
    })
    for (const [name, { timestamp }] of others) {
      const night = ahead.nights.find(({ name: written }) => written === name)
      // a Sunday's slot comes again after five weeks only
      if (night) expect(night.replaces?.timestamp).toBe(new Date(timestamp * 1000).toISOString().replace('.000', ''))
    }
    const name = `testsite-${slotFor('server', new Date())}`
    const state = await tick(test.context, after(0))
    expect(state).toMatchObject({ missed: null, last: { date: utcDate(NOON), outcome: 'made' } })
    expect(state?.last?.text).toMatch(new RegExp(`^${name} in the filestore, \\d+ kB\\.$`))
    const index = await test.store.readIndex()
    expect(index.get(name)).toMatchObject({ database: `${name}.sql.gz`, files: null, is_filestore_uploaded: true })
    for (const [other, entry] of others) expect(index.get(other)).toEqual(entry)
    expect((await buffer(await test.store.read(`${name}.sql.gz`))).length).toBeGreaterThan(100_000)
    await tick(test.context, after(90))
    const backups = (await test.context.jobs.list()).filter(({ kind }) => kind === 'backup')
    expect(backups.map(({ state: ended }) => ended)).toEqual(['done'])
    expect((await preview()).nights[0]?.date).toBe(utcDate(new Date(NOON.getTime() + DAY * 1000)))
  }, 30_000)

  it('leave a night to the server that uploaded it', async () => {
    const test = await newSite()
    const name = `testsite-${slotFor('server', NOON)}`
    const entry = { timestamp: NOON.getTime() / 1000 - 60, database: `${name}.sql.gz` }
    await test.store.updateIndex((index) => void index.set(name, entry))
    expect((await tick(test.context, after(0)))?.last?.outcome).toBe('skipped')
    expect((await test.store.readIndex()).get(name)).toEqual(entry)
  })

  it('fail with the reason while its key is refused, and are caught up an hour later', async () => {
    const { context, store, filestore } = await newSite()
    const wanted = { ...siteInput('nights', postgres, null), schedule: NIGHT }
    await context.sites.update({ ...wanted, filestore: { ...filestore, accessKeyId: 'nobody' } })
    const failed = await tick(context, after(0))
    expect(failed).toMatchObject({ last: { outcome: 'failed', text: expect.stringContaining('key') } })
    expect(failed?.missed).toContain('The next try is on')
    await context.sites.update({ ...wanted, filestore })
    expect((await tick(context, after(61)))?.last?.outcome).toBe('made')
    expect((await store.readIndex()).size).toBe(1)
  }, 30_000)

  it('are confirmed by a person once for each place, and refused without a filestore', async () => {
    const test = await newSite({ ...NIGHT, enabled: false })
    const asked: string[] = []
    const context: EngineContext = {
      ...test.context,
      confirm: async ({ question, facts }) => {
        asked.push(`${question} ${facts.find(({ label }) => label === 'Written')?.text}`)
        return asked.length > 1
      },
    }
    const set = scheduleProcedures(context)['schedule.set']
    const { bucket, prefix } = test.filestore
    expect(await set({ site: 'testsite', schedule: NIGHT })).toMatchObject({ saved: false })
    expect(await set({ site: 'testsite', schedule: NIGHT })).toMatchObject({ saved: true, state: { schedule: NIGHT } })
    expect(asked[1]).toBe(
      `Back up testsite into the filestore each night? One backup a night in s3://${bucket}/${prefix}/backup, from 03:00 UTC.`,
    )
    await set({ site: 'testsite', schedule: { ...NIGHT, at: '04:00' } })
    expect(asked).toHaveLength(2)
    await set({ site: 'testsite', schedule: { ...NIGHT, to: 'server' } })
    expect(asked[2]).toContain('onto the server')
    await context.sites.update(siteInput('nights', postgres, null))
    expect(await codeOf(set({ site: 'testsite', schedule: NIGHT }))).toBe('no-filestore')
    expect(asked).toHaveLength(3)
  })
})
