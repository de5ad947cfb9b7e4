import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasFixtures } from '#test/support/fixtures.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { type Postgres15, startPostgres15 } from '#test/support/postgres.ts'
import { makeQuickStore } from '#test/support/quick-store.ts'
import { makeRealSite, type RealSite } from '#test/support/real-site.ts'
import { treeOf } from '#test/support/restore-site.ts'
import { type ZbdOptions, zbd } from '#test/support/zbd.ts'

if (!hasFixtures) console.error('SKIPPED test/integration/zbd-way-back.test.ts: the fixtures of a real server are missing')

const PASSPHRASE = 'a passphrase of tests'

let postgres: Postgres15
beforeAll(async () => {
  postgres = await startPostgres15()
})
afterAll(() => postgres?.stop())

describe.runIf(hasFixtures)('going back in a terminal', () => {
  async function liveSite(): Promise<{ options: ZbdOptions; site: RealSite }> {
    const folder = await temporaryFolder()
    const home = join(folder, 'home')
    await mkdir(home)
    await makeQuickStore(home, PASSPHRASE)
    const site = await makeRealSite(postgres, folder, 'terminal')
    const options = { home, env: { BACKUP_DESK_PASSPHRASE: PASSPHRASE } }
    expect((await zbd(['sites', 'add', '--file', site.siteFile, '--json'], options)).code).toBe(0)
    return { options, site }
  }
  const dump = async () =>
    (await postgres.pgDump('terminal', ['-n', 'testsite', '--quote-all-identifiers'])).replace(/^\\(un)?restrict .*$/gm, '')

  it('restores all parts after a safety backup, lists what is kept, undoes it and drops it', async () => {
    const { options, site } = await liveSite()
    const run = (...args: string[]) => zbd([...args, '--json'], options)
    expect((await run('kept', 'testsite')).json).toEqual({ ok: true, result: { kept: [] } })
    expect((await run('undo', 'testsite', '--plan')).json).toMatchObject({ ok: false, error: { code: 'unknown-kept' } })
    const { name } = (await run('backup', 'testsite')).json.result as { name: string }
    await postgres.psql('terminal', 'SET search_path = testsite; DELETE FROM edge', 'zotonic')
    const config = join(site.siteDir, 'priv', 'zotonic_site.config')
    await writeFile(config, '[{testsite, [{environment, test}]}].\n')
    await writeFile(join(site.securityDir, 'sign.key'), 'another key\n')
    await rm(join(site.filesDir, 'archive', '2026'), { recursive: true })
    const places = [site.siteDir, site.securityDir, join(site.filesDir, 'archive')]
    const trees = async () => (await Promise.all(places.map((place) => treeOf(place)))).join('\n')
    const before = { dump: await dump(), trees: await trees() }

    const parts = ['--parts', 'database,files,config,security']
    const plan = await run('restore', 'testsite', name, ...parts, '--plan')
    expect([plan.code, plan.json.result]).toMatchObject([
      0,
      {
        runnable: true,
        safetyBackup: expect.stringMatching(/^testsite-safety-\d{14}$/),
        parts: ['database', 'files', 'config', 'security'],
      },
    ])
    const restored = await run('restore', 'testsite', name, ...parts, '--confirm', 'testsite')
    expect([restored.code, restored.json.error]).toEqual([0, undefined])
    const { keptSchema, safetyBackup } = restored.json.result as { keptSchema: string; safetyBackup: string }
    expect(await readFile(config, 'utf8')).toContain('production')
    const listed = (await run('list', 'testsite')).json.result as {
      backups: { name: string; kind: string; slot: string | null }[]
    }
    expect(listed.backups).toContainEqual(expect.objectContaining({ name: safetyBackup, kind: 'safety', slot: null }))
    expect((await run('verify', 'testsite', safetyBackup)).code).toBe(0)

    const kept = await run('kept', 'testsite')
    expect([kept.code, kept.json.result]).toMatchObject([
      0,
      { kept: [{ id: keptSchema, schema: keptSchema, by: 'restore', backup: { name }, files: { replaced: 2 } }] },
    ])
    const undoPlan = await run('undo', 'testsite', '--plan')
    expect([undoPlan.code, undoPlan.json.result]).toMatchObject([0, { kind: 'undo', runnable: true, kept: { id: keptSchema } }])
    for (const [args, code] of [
      [['undo', 'testsite'], 2],
      [['undo', 'testsite', '--confirm', 'other'], 2],
      [['undo', 'testsite', '--plan', '--confirm', 'testsite'], 2],
      [['drop', 'testsite', keptSchema], 2],
      [['drop', 'testsite', '--plan'], 2],
      [['drop', 'testsite', 'testsite', '--plan'], 1],
      [['kept', 'nowhere'], 1],
    ] as const) {
      expect([args, (await run(...args)).code]).toEqual([args, code])
    }
    const undone = await run('undo', 'testsite', keptSchema, '--confirm', 'testsite')
    expect([undone.code, undone.json.error]).toEqual([0, undefined])
    expect({ dump: await dump(), trees: await trees() }).toEqual(before)
    const { keptSchema: now } = undone.json.result as { keptSchema: string }

    const text = await zbd(['kept', 'testsite'], options)
    expect(text.stdout).toContain(now)
    expect(text.stdout).toContain('an undo')
    await postgres.psql('terminal', `CREATE VIEW public.report AS SELECT id FROM "${now}".rsc`)
    expect((await run('drop', 'testsite', now, '--plan')).code).toBe(3)
    const refused = await run('drop', 'testsite', now, '--confirm', 'testsite')
    expect([refused.code, refused.json]).toMatchObject([
      3,
      { error: { code: 'not-safe', details: { plan: { runnable: false } } } },
    ])
    await postgres.psql('terminal', 'DROP VIEW public.report')
    const dropped = await zbd(['drop', 'testsite', now, '--confirm', 'testsite'], options)
    expect([dropped.code, dropped.stdout]).toEqual([0, expect.stringContaining('is deleted')])
    expect((await run('kept', 'testsite')).json.result).toEqual({ kept: [] })
    expect({ dump: await dump(), trees: await trees() }).toEqual(before)
  }, 240_000)

  it('asks for the safety backup to be given up when the site can’t be backed up', async () => {
    const folder = await temporaryFolder()
    const home = join(folder, 'home')
    await mkdir(home)
    await makeQuickStore(home, PASSPHRASE)
    const site = await makeRealSite(postgres, folder, 'unreadable')
    const options = { home, env: { BACKUP_DESK_PASSPHRASE: PASSPHRASE } }
    await zbd(['sites', 'add', '--file', site.siteFile, '--json'], options)
    const { name } = (await zbd(['backup', 'testsite', '--json'], options)).json.result as { name: string }
    await postgres.psql('unreadable', 'CREATE TABLE testsite.secret (id int); REVOKE ALL ON testsite.secret FROM zotonic')
    const args = ['restore', 'testsite', name, '--parts', 'database']
    const refused = await zbd([...args, '--confirm', 'testsite', '--json'], options)
    expect([refused.code, refused.json.error]).toMatchObject([
      3,
      { code: 'not-safe', message: expect.stringContaining('Safety backup') },
    ])
    const done = await zbd([...args, '--no-safety-backup', '--confirm', 'testsite', '--json'], options)
    expect([done.code, done.json.result]).toMatchObject([0, { safetyBackup: null }])
  })
})
