import { cp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { testPassword } from '#engine/features/password-test/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import { openTestContext } from '#test/support/engine-context.ts'
import { fixture } from '#test/support/fixtures.ts'
import { temporaryFolder } from '#test/support/home.ts'

/** Of the server's backups in `2-encrypted-full-autopw`, and of the newest ones in `3-slots-mixed`. */
const OF_SECOND = 'g7t2a-y1fcW-sliow-BBad@<'
const OF_THIRD = 'zażółć-backup-🔐 pw'

let root: string
let vault: string
let backupDir: string
let context: EngineContext

async function save(encryption: { enabled: boolean; password?: string }): Promise<void> {
  const folder = (name: string) => join(root, name)
  await context.sites.update({
    name: 'testsite',
    database: { database: 'd', schema: 's', user: 'u' },
    vault: { path: vault },
    server: { kind: 'folder', siteDir: folder('site'), filesDir: folder('files'), securityDir: folder('security'), backupDir },
    encryption,
  })
}

beforeEach(async () => {
  root = await temporaryFolder()
  vault = join(root, 'vault')
  backupDir = join(root, 'files', 'backup')
  await cp(fixture('backups', '2-encrypted-full-autopw'), vault, { recursive: true })
  await cp(fixture('backups', '2-encrypted-full-autopw'), backupDir, { recursive: true })
  const opened = await openTestContext(join(root, 'home'))
  onTestFinished(opened.close)
  context = opened.context
  await context.secrets.unlock('open sesame')
  await context.sites.add({ name: 'testsite', database: { database: 'd', schema: 's', user: 'u' } })
  await save({ enabled: true, password: OF_SECOND })
})

describe('trying a password on the newest encrypted backups', () => {
  test('the stored one opens those of vault and server', async () => {
    const { verdict, trials, problems } = await testPassword(context, 'testsite')
    expect([verdict, problems]).toEqual(['opens', []])
    expect(trials.map(({ repository, file, outcome }) => [repository, file, outcome])).toEqual([
      ['vault', 'testsite-1.sql.gz.enc', 'opens'],
      ['server', 'testsite-1.sql.gz.enc', 'opens'],
    ])
    expect(trials[0]?.finding).toMatch(
      /^The stored password opens testsite-1\.sql\.gz\.enc of .* in the vault; at least .* kB inside\.$/,
    )
  })

  test('one that was kept for older files is told from the present one', async () => {
    await save({ enabled: true, password: 'a new one' })
    const { verdict, trials } = await testPassword(context, 'testsite')
    expect(verdict).toBe('opens-with-older')
    expect(trials[0]?.finding).toContain('An older stored password opens testsite-1.sql.gz.enc')
  })

  test('the given one is tried alone', async () => {
    expect((await testPassword(context, 'testsite', OF_SECOND)).verdict).toBe('opens')
    const { verdict, trials } = await testPassword(context, 'testsite', OF_THIRD)
    expect(verdict).toBe('does-not-open')
    expect(trials[0]?.finding).toMatch(/^The given password does not open testsite-1\.sql\.gz\.enc of /)
  })

  test('of mixed backups the newest encrypted one is taken, and the least good outcome is the verdict', async () => {
    await rm(backupDir, { recursive: true })
    await cp(fixture('backups', '3-slots-mixed'), backupDir, { recursive: true })
    const given = await testPassword(context, 'testsite', OF_THIRD)
    const index = JSON.parse(await readFile(join(backupDir, 'backup.json'), 'utf8')) as Record<
      string,
      { timestamp: number; is_encrypted: boolean }
    >
    const [newest] = Object.entries(index)
      .filter(([, entry]) => entry.is_encrypted)
      .sort(([, a], [, b]) => b.timestamp - a.timestamp)
    expect(given.trials[1]).toMatchObject({ repository: 'server', name: newest?.[0] })
    expect(given.trials.map(({ outcome }) => outcome)).toContain('does-not-open')
    expect(given.verdict).toBe('does-not-open')
  })

  test('a file that is cut off, and one whose end is not that of a .gz', async () => {
    await truncate(join(vault, 'testsite-1.sql.gz.enc'), 30)
    const end = await readFile(join(backupDir, 'testsite-1.sql.gz.enc'))
    await writeFile(join(backupDir, 'testsite-1.sql.gz.enc'), Buffer.concat([end.subarray(0, -8), Buffer.alloc(8, 0xa5)]))
    const { verdict, trials } = await testPassword(context, 'testsite')
    expect(verdict).toBe('unreadable')
    expect(trials[0]).toMatchObject({ outcome: 'unreadable', finding: expect.stringContaining('ends too early') })
    expect(trials[1]?.outcome).toBe('opens')
  })

  test('nothing encrypted, no password, no such site', async () => {
    for (const folder of [vault, backupDir]) {
      await rm(folder, { recursive: true })
      await cp(fixture('backups', '1-plain-full'), folder, { recursive: true })
    }
    expect(await testPassword(context, 'testsite')).toEqual({ verdict: 'nothing-to-open', trials: [], problems: [] })
    await context.sites.add({ name: 'other', database: { database: 'd', schema: 's', user: 'u' } })
    await expect(testPassword(context, 'other')).rejects.toMatchObject({ code: 'no-password' })
    await expect(testPassword(context, 'nosuch')).rejects.toMatchObject({ code: 'unknown-site' })
    await rm(backupDir, { recursive: true })
    expect((await testPassword(context, 'testsite')).problems).toMatchObject([{ repository: 'server' }])
  })
})
