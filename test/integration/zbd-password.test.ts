import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { fixture, hasFixtures } from '#test/support/fixtures.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { type ZbdOptions, type ZbdRun, zbd } from '#test/support/zbd.ts'

/** Of the server's own backups; and two that a person chose. */
const OF_SERVER = 'g7t2a-y1fcW-sliow-BBad@<'
const [CANARY, OTHER] = ['canary-żółty-🔐-one', 'canary-two']

let folder: string
let options: ZbdOptions

/** Runs a command with passwords in files, as they have to come. */
async function withPasswords(args: string[], ...passwords: string[]): Promise<ZbdRun> {
  const files = await Promise.all(
    passwords.map(async (password, index) => {
      const path = join(folder, `password-${index}`)
      await writeFile(path, `${password}\n`)
      return ['--password-file', path]
    }),
  )
  return zbd([...args, ...files.flat()], options)
}

beforeEach(async () => {
  folder = await temporaryFolder()
  const home = join(folder, 'home')
  await mkdir(home)
  options = { home, env: { BACKUP_DESK_PASSPHRASE: 'canary-passphrase' } }
  const path = join(folder, 'vault')
  await cp(fixture('backups', '2-encrypted-full-autopw'), path, { recursive: true })
  const site = { name: 'testsite', database: { database: 'd', schema: 's', user: 'u' }, vault: { path } }
  await writeFile(join(folder, 'site.json'), JSON.stringify(site))
  expect((await zbd(['sites', 'add', '--file', join(folder, 'site.json')], options)).code).toBe(0)
})

describe.runIf(hasFixtures)('zbd password', () => {
  it('makes another password each time, and keeps none', async () => {
    const first = await zbd(['password', 'generate'], options)
    expect([first.code, first.stderr]).toEqual([0, ''])
    expect(first.stdout).toMatch(/^[0-9a-hjkmnp-tv-z]{4}(-[0-9a-hjkmnp-tv-z]{4}){6}\n$/)
    const second = await zbd(['password', 'generate', '--json'], options)
    expect(second.json.result).toEqual({ password: expect.stringMatching(/^[0-9a-z-]{34}$/) })
    expect(second.stdout).not.toContain(first.stdout.trim())
    expect(await homeText()).not.toContain(first.stdout.trim())
  })

  it('sets one, keeps the one before for older files, and tells which opens the newest backup', async () => {
    const set = await withPasswords(['password', 'set', 'testsite', '--encrypt', '--json'], OF_SERVER)
    expect([set.code, set.json.result]).toEqual([
      0,
      { site: 'testsite', encryption: { enabled: true }, hasEncryptionPassword: true },
    ])
    const opens = await zbd(['password', 'test', 'testsite', '--json'], options)
    expect([opens.code, opens.json.result]).toMatchObject([0, { verdict: 'opens', trials: [{ file: 'testsite-1.sql.gz.enc' }] }])

    expect((await withPasswords(['password', 'set', 'testsite'], CANARY)).stdout).toContain(
      'The next backup is encrypted with it.',
    )
    const older = await zbd(['password', 'test', 'testsite', '--json'], options)
    expect([older.code, older.json.result]).toMatchObject([0, { verdict: 'opens-with-older' }])
    const shown = await zbd(['sites', 'show', 'testsite'], options)
    expect(shown.stdout).toContain('on, password stored')
    // the older one still opens its files by itself
    const file = join(folder, 'vault', 'testsite-1.sql.gz.enc')
    expect((await zbd(['decrypt', file, '--out', join(folder, 'out')], options)).code).toBe(0)

    const runs = [set, opens, older, shown]
    for (const text of [...runs.map(({ stdout, stderr }) => stdout + stderr), await homeText()]) {
      for (const secret of [OF_SERVER, CANARY, 'canary-passphrase']) expect(text).not.toContain(secret)
    }
  })

  it('tries a given one, and ends with 3 when it does not open, or when there is nothing to open', async () => {
    expect((await withPasswords(['password', 'test', 'testsite'], OF_SERVER)).code).toBe(0)
    const wrong = await withPasswords(['password', 'test', 'testsite'], OTHER)
    expect([wrong.code, wrong.stderr]).toEqual([3, ''])
    expect(wrong.stdout).toContain('The given password does not open testsite-1.sql.gz.enc of')
    await writeFile(join(folder, 'vault', 'backup.json'), '{}')
    const none = await withPasswords(['password', 'test', 'testsite', '--json'], OTHER)
    expect([none.code, none.json.result]).toEqual([3, { verdict: 'nothing-to-open', trials: [], problems: [] }])
  })

  it('refuses what is no use', async () => {
    const codes = async (run: Promise<ZbdRun>) => {
      const { code, json } = await run
      return [code, json.error.code]
    }
    expect(await codes(zbd(['password', 'test', 'testsite', '--json'], options))).toEqual([1, 'no-password'])
    expect(await codes(zbd(['password', 'set', 'testsite', '--json'], options))).toEqual([2, 'wrong-use'])
    expect(await codes(withPasswords(['password', 'set', 'testsite', '--json'], CANARY, OTHER))).toEqual([2, 'wrong-use'])
    expect(await codes(withPasswords(['password', 'set', 'nosuch', '--json'], CANARY))).toEqual([1, 'unknown-site'])
    expect(await codes(zbd(['password', 'set', 'testsite', OTHER, '--json'], options))).toEqual([2, 'wrong-use'])
    expect((await zbd(['password', 'test', 'testsite', '--json'], options)).json.error.code).toBe('no-password')
  })
})

/** Everything that the home folder holds, as text. */
async function homeText(): Promise<string> {
  const texts: string[] = []
  for (const entry of await readdir(options.home, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) texts.push(await readFile(join(entry.parentPath, entry.name), 'utf8'))
  }
  return texts.join('\n')
}
