import { createHash } from 'node:crypto'
import { copyFile, cp, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { fixture, hasFixtures } from '#test/support/fixtures.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { zbd } from '#test/support/zbd.ts'

const AUTO = 'g7t2a-y1fcW-sliow-BBad@<'
const UTF8 = 'zażółć-backup-🔐 pw'
const sha256 = async (path: string) =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex')

interface Listing {
  backups: Record<string, unknown>[]
  unknown: { file: string; kind: string }[]
}

async function rows(file: string): Promise<Record<string, string>[]> {
  const [head = '', ...lines] = (await readFile(file, 'utf8')).trimEnd().split('\n')
  const names = head.split('\t')
  return lines.map((line) => Object.fromEntries(line.split('\t').map((cell, index) => [names[index], cell])))
}

async function passwordFiles(home: string): Promise<string[]> {
  await writeFile(join(home, 'auto.pw'), `${AUTO}\n`)
  await writeFile(join(home, 'utf8.pw'), `${UTF8}\n`)
  return ['--password-file', join(home, 'auto.pw'), '--password-file', join(home, 'utf8.pw')]
}

describe.runIf(hasFixtures)('zbd on the files of a real server', () => {
  it.each(['1-plain-full', '2-encrypted-full-autopw', '3-slots-mixed'])('lists %s as the server itself does', async (name) => {
    const home = await temporaryFolder()
    const run = await zbd(['list', '--folder', fixture('backups', name), '--json'], { home })
    expect(run.code).toBe(0)
    const expected = JSON.parse(await readFile(fixture('backups', `${name}.expected-listing.json`), 'utf8')) as Record<
      string,
      unknown
    >[]
    const listing = run.json.result as Listing
    const keys = Object.keys(expected[0] ?? {})
    expect(listing.backups.map((backup) => Object.fromEntries(keys.map((key) => [key, backup[key]])))).toEqual(expected)
  })

  it('shows stale files apart', async () => {
    const home = await temporaryFolder()
    const run = await zbd(['list', '--folder', fixture('backups', '3-slots-mixed'), '--json'], { home })
    const { unknown } = run.json.result as Listing
    expect(unknown.filter((file) => file.kind === 'stale').map((file) => file.file)).toContain('testsite-w3.sql.gz.enc')
  })

  it('verifies every backup of the three folders', async () => {
    const home = await temporaryFolder()
    const passwords = await passwordFiles(home)
    for (const name of ['1-plain-full', '2-encrypted-full-autopw', '3-slots-mixed']) {
      const run = await zbd(['verify', '--folder', fixture('backups', name), '--level', '2', ...passwords, '--json'], { home })
      expect([run.code, run.json.result]).toMatchObject([0, { verdict: 'verified' }])
    }
  }, 240_000)

  it('says what it cannot know without a password: exit 3', async () => {
    const home = await temporaryFolder()
    const run = await zbd(['verify', '--folder', fixture('backups', '2-encrypted-full-autopw'), '--json'], { home })
    expect([run.code, run.json]).toMatchObject([3, { ok: true, result: { verdict: 'unknown' } }])
  })

  it.each([
    ['missing', async (file: string) => rm(file)],
    ['empty', async (file: string) => truncate(file, 0)],
    ['cut', async (file: string) => truncate(file, 1000)],
    [
      'flipped',
      async (file: string) => {
        const bytes = await readFile(file)
        bytes[700] = (bytes[700] ?? 0) ^ 4
        await writeFile(file, bytes)
      },
    ],
  ])('finds a part that is %s: exit 3, named', async (_, damage) => {
    const home = await temporaryFolder()
    for (const part of ['testsite-1.sql.gz', 'testsite-1.tar.gz', 'config-testsite-1.tar.gz']) {
      const folder = join(home, 'damaged')
      await cp(fixture('backups', '1-plain-full'), folder, { recursive: true })
      await damage(join(folder, part))
      const run = await zbd(['verify', '--folder', folder, 'testsite-1', '--json'], { home })
      expect(run.code).toBe(3)
      const { verdict, proofs } = run.json.result as {
        verdict: string
        proofs: { proof: { parts: { file: string; levels: Record<string, { outcome: string } | null> }[] } }[]
      }
      expect(verdict).toBe('failed')
      const failed = proofs[0]?.proof.parts.filter((found) =>
        Object.values(found.levels).some((level) => level?.outcome === 'failed'),
      )
      expect(failed?.map((found) => found.file)).toEqual([part])
      await rm(folder, { recursive: true })
    }
  })

  it('refuses a corrupt index and leaves it alone', async () => {
    const home = await temporaryFolder()
    const folder = join(home, 'corrupt')
    await mkdir(folder)
    await writeFile(join(folder, 'backup.json'), '{"testsite-1": {"timest')
    const run = await zbd(['list', '--folder', folder, '--json'], { home })
    expect([run.code, run.json]).toMatchObject([1, { ok: false, error: { code: 'index-corrupt' } }])
    expect(await readFile(join(folder, 'backup.json'), 'utf8')).toBe('{"testsite-1": {"timest')
  })

  it('decrypts every encrypted file to its listed content', async () => {
    const home = await temporaryFolder()
    const crypto = (await rows(fixture('crypto', 'crypto.tsv'))).map((row) => ({
      ...row,
      dir: row.pw_kind,
      path: fixture('crypto', row.file ?? ''),
    }))
    const backups = (await rows(fixture('backups', 'FILES.tsv'))).map((row) => ({
      ...row,
      path: fixture('backups', row.dir ?? '', row.file ?? ''),
    }))
    const encrypted: Record<string, string>[] = [
      ...crypto,
      ...backups.filter((row: Record<string, string>) => row.password !== '-'),
    ]
    for (const dir of new Set(encrypted.map((row) => row.dir))) {
      const group = encrypted.filter((row) => row.dir === dir)
      const out = join(home, dir ?? '')
      const passwords = [...new Set(group.map((row) => row.password ?? ''))]
      const files = await Promise.all(
        passwords.map(async (password, at) => {
          await writeFile(join(home, `pw${at}`), password)
          return ['--password-file', join(home, `pw${at}`)]
        }),
      )
      const run = await zbd(['decrypt', ...group.map((row) => row.path ?? ''), '--out', out, ...files.flat(), '--json'], { home })
      expect([dir, run.code, run.json.ok]).toEqual([dir, 0, true])
      for (const row of group)
        expect([row.file, await sha256(join(out, (row.file ?? '').replace(/\.enc$/, '')))]).toEqual([row.file, row.plain_sha256])
    }
  }, 240_000)

  it.each(['bad-header-only.enc', 'bad-prefix.enc', 'bad-truncated-header.enc'])(
    'refuses %s and writes nothing',
    async (file) => {
      const home = await temporaryFolder()
      const out = join(home, 'out')
      await mkdir(out)
      const run = await zbd(['decrypt', fixture('crypto', file), '--out', out, '--password-file', '-', '--json'], {
        home,
        stdin: 'correct horse battery 42!',
      })
      expect([run.code, run.json.ok]).toEqual([1, false])
      expect(run.json.error.code).toMatch(/^(not-a-backup|ends-too-early)$/)
      expect(await readdir(out)).toEqual([])
    },
  )

  it('refuses a wrong password, an existing output, and keeps both files as they were', async () => {
    const home = await temporaryFolder()
    const file = join(home, 'p31-ascii.bin.enc')
    await copyFile(fixture('crypto', 'p31-ascii.bin.enc'), file)
    const wrong = await zbd(['decrypt', file, '--password-file', '-', '--json'], { home, stdin: 'wrong\n' })
    expect([wrong.code, wrong.json]).toMatchObject([1, { ok: false, error: { code: 'wrong-password' } }])
    await writeFile(join(home, 'p31-ascii.bin'), 'mine')
    const exists = await zbd(['decrypt', file, '--password-file', '-', '--json'], { home, stdin: 'correct horse battery 42!\n' })
    expect([exists.code, exists.json]).toMatchObject([1, { ok: false, error: { code: 'output-exists' } }])
    expect(await readFile(join(home, 'p31-ascii.bin'), 'utf8')).toBe('mine')
    const over = await zbd(['decrypt', file, '--overwrite', '--password-file', '-', '--json'], {
      home,
      stdin: 'correct horse battery 42!\r\n',
    })
    expect(over.code).toBe(0)
    expect((await readFile(join(home, 'p31-ascii.bin'))).length).toBe(31)
    expect(await sha256(file)).toBe(await sha256(fixture('crypto', 'p31-ascii.bin.enc')))
    expect((await readdir(home)).filter((name) => name.includes('.part'))).toEqual([])
  })
})

describe('zbd as a command', () => {
  it.each([[['--help']], [['restore', '--help']], [['sites', 'add', '--help']], [['demo', '--help']]])(
    'explains %s',
    async (args) => {
      const home = await temporaryFolder()
      const run = await zbd(args, { home })
      expect(run.code).toBe(0)
      expect(run.stdout).toContain('Usage: zbd')
      for (const word of args.slice(0, -1)) expect(run.stdout).toContain(word)
    },
  )

  it.each([
    [[]],
    [['nonsense']],
    [['list']],
    [['list', 'a', '--folder', '/tmp']],
    [['verify', 'testsite']],
    [['verify', 'a', 'b', '--level', '9']],
    [['restore', 'testsite', 'testsite-1']],
    [['restore', 'testsite', 'testsite-1', '--confirm', 'other']],
    [['restore', 'testsite', 'testsite-1', '--plan', '--confirm', 'testsite']],
    [['backup', 'testsite', '--to', 'moon']],
    [['demo', 'dance']],
    [['decrypt']],
    [['sites', 'add']],
    [['list', '--no-such-option']],
    [['decrypt', 'x.enc', '--password-file', '-', '--passphrase-file', '-']],
  ])('calls %s wrong use: exit 2', async (args) => {
    const home = await temporaryFolder()
    const run = await zbd([...args, '--json'], { home })
    expect([run.code, run.json]).toMatchObject([2, { ok: false, error: { code: 'wrong-use' } }])
  })

  it('fails with 1 for what is not there', async () => {
    const home = await temporaryFolder()
    for (const [args, code] of [
      [['list', 'nosite'], 'unknown-site'],
      [['sites', 'show', 'nosite'], 'unknown-site'],
      [['list', '--folder', join(home, 'nothing')], 'not-found'],
      [['jobs', 'nothing'], 'unknown-job'],
      [['sites', 'add', '--file', join(home, 'nothing.json')], 'not-found'],
    ] as const) {
      const run = await zbd([...args, '--json'], { home })
      expect([args, run.code, run.json.error.code]).toEqual([args, 1, code])
    }
  })
})
