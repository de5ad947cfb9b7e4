import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { NightlyState } from '#shared/contract/schedule.ts'
import { hasFixtures } from '#test/support/fixtures.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { type Postgres15, startPostgres15 } from '#test/support/postgres.ts'
import { makeQuickStore } from '#test/support/quick-store.ts'
import { makeRealSite, type RealSite } from '#test/support/real-site.ts'
import { type ZbdOptions, zbd } from '#test/support/zbd.ts'

if (!hasFixtures) console.error('SKIPPED in zbd-nights.test.ts: the fixtures of a real server are missing')

const PASSPHRASE = 'a passphrase'

let postgres: Postgres15
let options: ZbdOptions
let site: RealSite
let vault: string

beforeAll(async () => {
  if (!hasFixtures) return
  postgres = await startPostgres15()
})
afterAll(() => postgres?.stop())

let databases = 0
async function addSite(): Promise<void> {
  const folder = await temporaryFolder()
  const home = join(folder, 'home')
  await mkdir(home)
  await makeQuickStore(home, PASSPHRASE)
  site = await makeRealSite(postgres, folder, `nights${databases++}`)
  options = { home, env: { BACKUP_DESK_PASSPHRASE: PASSPHRASE } }
  vault = join(home, 'backups', 'testsite')
  expect((await zbd(['sites', 'add', '--file', site.siteFile], options)).code).toBe(0)
}

const run = (...args: string[]) => zbd([...args, '--json'], options)
const indexOf = async (folder: string) => JSON.parse(await readFile(join(folder, 'backup.json'), 'utf8').catch(() => '{}'))

describe.skipIf(!hasFixtures)('zbd nights', () => {
  it('sets them, lists them, looks ahead, runs what is due once, and is scriptable', async () => {
    await addSite()
    expect((await run('nights')).json.result).toMatchObject({
      sites: [{ schedule: { enabled: false }, nextAt: null, missed: null }],
    })
    const set = await run('nights', 'set', 'testsite', '--at', '00:00', '--proof-minutes', '0', '--database-only')
    expect([set.code, set.json.result]).toMatchObject([
      0,
      { saved: true, state: { schedule: { enabled: true, at: '00:00', to: 'vault', databaseOnly: true, proofMinutes: 0 } } },
    ])
    const ahead = await run('nights', 'preview', 'testsite', '--nights', '9')
    const preview = ahead.json.result as { nights: { date: string; name: string; replaces: { bytes: number | null } | null }[] }
    expect(preview.nights).toHaveLength(9)
    expect(preview.nights[0]).toMatchObject({ date: new Date().toISOString().slice(0, 10), replaces: null })
    expect(new Set(preview.nights.slice(0, 7).map(({ name }) => name)).size).toBe(7)
    const again = preview.nights.filter(({ replaces }) => replaces !== null)
    expect(again.map(({ replaces }) => replaces?.bytes)).toEqual(again.map(() => null))
    const ran = await run('nights', 'run')
    expect([ran.code, ran.json.result]).toMatchObject([0, { nights: [{ site: 'testsite', outcome: 'made', proofs: null }] }])
    // progress is told at intervals: a short phase may pass unseen, the first one does not
    expect(ran.stderr).toContain('Looking at what there is to back up')
    expect(Object.keys(await indexOf(vault))).toEqual([preview.nights[0]?.name])
    expect((await run('nights', 'run')).json.result).toEqual({ nights: [] })
    expect(Object.keys(await indexOf(vault))).toHaveLength(1)
    const listed = await zbd(['nights'], options)
    expect([listed.code, listed.stdout]).toEqual([
      0,
      expect.stringMatching(/testsite +00:00 UTC, vault, database only .* made: testsite-/),
    ])
    expect((await run('nights', 'set', 'testsite', '--off', '--with-media')).json.result).toMatchObject({
      state: { schedule: { enabled: false, databaseOnly: false, at: '00:00' } },
    })
  })

  it('exits with 1 when a night failed, and with 3 while one is missed', async () => {
    await addSite()
    await run('nights', 'set', 'testsite', '--at', '00:00', '--proof-minutes', '0')
    await rm(vault, { recursive: true, force: true })
    await writeFile(vault, 'in the way of the vault')
    const failed = await run('nights', 'run')
    expect([failed.code, failed.json.error]).toMatchObject([
      1,
      { code: 'nights-failed', message: expect.stringContaining('testsite: ') },
    ])
    expect(failed.json.error.details.nights).toMatchObject([{ site: 'testsite', outcome: 'failed' }])
    const listed = await run('nights')
    const [state] = (listed.json.result as { sites: NightlyState[] }).sites
    expect([listed.code, state?.last?.outcome]).toEqual([3, 'failed'])
    expect(state?.missed).not.toBeNull()
    await rm(vault)
    expect((await run('nights', 'run')).code).toBe(0)
    expect((await run('nights')).code).toBe(0)
  })

  it('writes onto the server only after it was told so by name', async () => {
    await addSite()
    for (const wrong of [
      ['--at', '25:00'],
      ['--database-only', '--with-media'],
      ['--proof-minutes', 'ten'],
    ]) {
      expect((await run('nights', 'set', 'testsite', ...wrong)).code, wrong.join(' ')).toBe(2)
    }
    const refused = await run('nights', 'set', 'testsite', '--to', 'server')
    expect([refused.code, refused.json.error]).toMatchObject([1, { code: 'not-confirmed', hint: 'Add --confirm testsite.' }])
    expect((await run('nights', 'set', 'testsite', '--to', 'server', '--confirm', 'other')).code).toBe(2)
    const nowhere = await run('nights', 'set', 'testsite', '--to', 'filestore', '--confirm', 'testsite')
    expect([nowhere.code, nowhere.json.error]).toMatchObject([1, { code: 'no-filestore' }])
    const file = JSON.parse(await readFile(site.siteFile, 'utf8'))
    await writeFile(site.siteFile, JSON.stringify({ ...file, name: 'other', schedule: { enabled: true, to: 'server' } }))
    const smuggled = await run('sites', 'add', '--file', site.siteFile)
    expect([smuggled.code, smuggled.json.error]).toMatchObject([1, { code: 'not-confirmed' }])
    expect((await run('sites')).json.result).toMatchObject({ sites: [{ site: { name: 'testsite' } }] })
    const set = await run(
      'nights',
      'set',
      'testsite',
      '--at',
      '00:00',
      '--to',
      'server',
      '--proof-minutes',
      '0',
      '--confirm',
      'testsite',
    )
    expect(set.json.result).toMatchObject({ saved: true, state: { schedule: { to: 'server' } } })
    expect((await run('nights', 'run')).code).toBe(0)
    expect(Object.keys(await indexOf(site.backupDir))).toHaveLength(1)
    expect(await readdir(vault).catch(() => [])).toEqual([])
  })
})

describe.skipIf(!hasFixtures)('zbd pin and remove', () => {
  it('keep a backup outside of its rotation, and delete it when told by name', async () => {
    await addSite()
    const { name } = (await run('backup', 'testsite', '--database-only')).json.result as { name: string }
    const pinned = await run('pin', 'testsite', name)
    const kept = pinned.json.result as { name: string; bytes: number; already: boolean }
    expect(kept).toMatchObject({ name: expect.stringMatching(/^testsite-pinned-\d{14}$/), bytes: 0, already: false })
    expect((await stat(join(vault, `${kept.name}.sql.gz`))).nlink).toBe(2)
    expect((await run('pin', 'testsite', name)).json.result).toMatchObject({ name: kept.name, already: true })
    expect((await run('verify', 'testsite', kept.name)).code).toBe(0)
    expect((await run('remove', 'testsite', kept.name)).code).toBe(2)
    expect((await run('remove', 'testsite', name, '--confirm', 'testsite')).json.error.code).toBe('not-removable')
    expect((await run('remove', 'testsite', kept.name, '--confirm', 'testsite')).code).toBe(0)
    expect(Object.keys(await indexOf(vault))).toEqual([name])
    expect((await run('verify', 'testsite', name)).code).toBe(0)
  })
})
