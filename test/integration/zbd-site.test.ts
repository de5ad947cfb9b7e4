import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasFixtures } from '#test/support/fixtures.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { type Postgres15, startPostgres15 } from '#test/support/postgres.ts'
import { makeQuickStore } from '#test/support/quick-store.ts'
import { makeRealSite, type RealSite } from '#test/support/real-site.ts'
import { spawnZbd, type ZbdOptions, zbd } from '#test/support/zbd.ts'

const run = promisify(execFile)
const PASSPHRASE = 'canary-passphrase-7tq'
const ENCRYPTION = 'canary-zażółć-🔐-encryption'

let postgres: Postgres15
beforeAll(async () => {
  postgres = await startPostgres15()
})
afterAll(() => postgres?.stop())

let databases = 0
/** A home folder with the fixture's site in it, alive. */
async function liveSite(settings: object = {}): Promise<{ options: ZbdOptions; site: RealSite; database: string }> {
  const folder = await temporaryFolder()
  const home = join(folder, 'home')
  await mkdir(home)
  await makeQuickStore(home, PASSPHRASE)
  const database = `site${databases++}`
  const site = await makeRealSite(postgres, folder, database, settings)
  const options = { home, env: { BACKUP_DESK_PASSPHRASE: PASSPHRASE } }
  const added = await zbd(['sites', 'add', '--file', site.siteFile, '--json'], options)
  expect([added.code, added.stderr]).toEqual([0, ''])
  return { options, site, database }
}

const schemaOf = (database: string) => postgres.pgDump(database, ['-n', 'testsite', '--quote-all-identifiers'])
/** A pg_dump without what differs between two runs of it. */
const settled = (dump: string) => dump.replace(/^\\(un)?restrict .*$/gm, '')

async function treeHash(folder: string): Promise<string> {
  const { stdout } = await run('tar', ['--sort=name', '-C', folder, '-cf', '-', '.'], { encoding: 'buffer', maxBuffer: 1 << 28 })
  return createHash('sha256').update(stdout).digest('hex')
}

interface BackupResult {
  name: string
  timestamp: string
  parts: { part: string; file: string; hash: string }[]
}

describe.runIf(hasFixtures)('the whole path of zbd on a live site', () => {
  it('backs up, lists, verifies, plans and restores', async () => {
    const { options, site, database } = await liveSite()
    const before = settled(await schemaOf(database))
    const made = await zbd(['backup', 'testsite', '--json'], options)
    expect([made.code, made.json?.error]).toEqual([0, undefined])
    const { name, parts } = made.json.result as BackupResult
    expect(parts.map((part) => part.part).sort()).toEqual(['config', 'database', 'files'])

    const list = await zbd(['list', 'testsite', '--json'], options)
    expect(list.json.result).toMatchObject({
      backups: [{ name, repository: 'vault', is_database_present: true, is_files_present: true }],
      unknown: [],
    })
    expect((await zbd(['verify', 'testsite', name, '--json'], options)).code).toBe(0)

    await postgres.psql(
      database,
      'set search_path to testsite; delete from edge; update rsc set version = version + 1; drop table protect;',
    )
    await rm(join(site.filesDir, 'archive'), { recursive: true })
    await mkdir(join(site.filesDir, 'archive'))
    const changed = settled(await schemaOf(database))

    const plan = await zbd(['restore', 'testsite', name, '--plan', '--json'], options)
    expect([plan.code, plan.json.result]).toMatchObject([0, { runnable: true, parts: ['database', 'files'] }])
    expect(settled(await schemaOf(database))).toBe(changed)

    const restored = await zbd(['restore', 'testsite', name, '--confirm', 'testsite', '--json'], options)
    expect([restored.code, restored.json?.error]).toEqual([0, undefined])
    expect(settled(await schemaOf(database))).toBe(before)
    expect((await readdir(join(site.filesDir, 'archive'), { recursive: true })).length).toBeGreaterThan(8)
    const { keptSchema } = restored.json.result as { keptSchema: string }
    expect(keptSchema).toMatch(/^testsite_before_\d{14}$/)
    expect(await postgres.psql(database, `select count(*) from "${keptSchema}".edge`)).toMatch(/\b0\b/)
    expect((restored.json.result as { note: string }).note).toMatch(/restart/i)
  })

  it('uses pg_dump and the level that the site says, or the command does, and restores what it made', async () => {
    const { options, database } = await liveSite({ dump: { engine: 'pg_dump', compression: 2 } })
    const before = settled(await schemaOf(database))
    expect((await zbd(['sites', 'show', 'testsite'], options)).stdout).toMatch(/Dump\s+pg_dump, compression 2/)
    const made = await zbd(['backup', 'testsite', '--database-only'], options)
    expect([made.code, made.stdout]).toEqual([0, expect.stringMatching(/dump engine: pg_dump\. .*pg_dump 15\./)])
    const name = made.stdout.split(' ')[0] ?? ''
    const log = (await zbd(['jobs', '--json'], options)).json.result as { jobs: { id: string; kind: string }[] }
    const job = log.jobs.find(({ kind }) => kind === 'backup')
    expect((await zbd(['jobs', job?.id ?? ''], options)).stdout).toContain('Dump engine: pg_dump.')
    await postgres.psql(database, 'set search_path to testsite; delete from edge; drop table protect;')
    const restored = await zbd(['restore', 'testsite', name, '--parts', 'database', '--confirm', 'testsite', '--json'], options)
    expect([restored.code, restored.json?.error]).toEqual([0, undefined])
    expect(settled(await schemaOf(database))).toBe(before)

    const other = await zbd(
      ['backup', 'testsite', '--database-only', '--engine', 'built-in', '--compression', '9', '--json'],
      options,
    )
    expect([other.code, other.json.result]).toMatchObject([0, { dump: { engine: 'built-in' } }])
    for (const wrong of [
      ['--engine', 'tar'],
      ['--compression', '10'],
      ['--compression', 'x'],
    ]) {
      const refused = await zbd(['backup', 'testsite', ...wrong], options)
      expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(wrong[0] ?? '')])
    }
  })

  it('encrypts when the site says so; nothing plain touches the disk', async () => {
    const { options } = await liveSite({ encryption: { enabled: true, password: ENCRYPTION } })
    const made = await zbd(['backup', 'testsite', '--json'], options)
    expect(made.code).toBe(0)
    const { name, parts } = made.json.result as BackupResult
    expect(parts.every((part) => part.file.endsWith('.enc'))).toBe(true)
    const vault = join(options.home, 'backups', 'testsite')
    expect((await readdir(vault)).sort()).toEqual([...parts.map((part) => part.file), 'backup.json'].sort())
    expect((await zbd(['verify', 'testsite', name, '--json'], options)).code).toBe(0)
    expect((await zbd(['restore', 'testsite', name, '--plan', '--json'], options)).code).toBe(0)
  })

  it('refuses to back up encrypted without a password, and writes nothing', async () => {
    const { options } = await liveSite({ encryption: { enabled: true } })
    const made = await zbd(['backup', 'testsite', '--json'], options)
    expect([made.code, made.json]).toMatchObject([1, { error: { code: 'encryption-no-password' } }])
    expect(await readdir(join(options.home, 'backups', 'testsite')).catch(() => [])).toEqual([])
  })

  it('writes a slot into the server’s folder, which the index of a server then has', async () => {
    const { options, site } = await liveSite()
    const made = await zbd(['backup', 'testsite', '--to', 'server', '--database-only', '--json'], options)
    expect(made.code).toBe(0)
    const { name } = made.json.result as BackupResult
    const index = JSON.parse(await readFile(join(site.backupDir, 'backup.json'), 'utf8'))
    expect(index[name]).toMatchObject({
      database: `${name}.sql.gz`,
      config_files: `config-${name}.tar.gz`,
      is_encrypted: false,
      is_filestore_uploaded: false,
    })
    const restored = await zbd(['restore', 'testsite', name, '--parts', 'database', '--plan', '--json'], options)
    expect([restored.code, restored.json.result]).toMatchObject([0, { backup: { repository: 'server' } }])
  })

  it('keeps every password out of what it writes, says and passes on', async () => {
    const { options } = await liveSite({ encryption: { enabled: true, password: ENCRYPTION } })
    const outputs: string[] = []
    for (const args of [
      ['sites'],
      ['sites', 'show', 'testsite'],
      ['backup', 'testsite'],
      ['list', 'testsite'],
      ['jobs'],
      ['restore', 'testsite', 'testsite-1', '--plan'],
    ]) {
      for (const json of [[], ['--json']]) {
        const { stdout, stderr } = await zbd([...args, ...json], options)
        outputs.push(stdout, stderr)
      }
    }
    const child = spawnZbd(['backup', 'testsite'], options)
    child.stdin?.end()
    await sleep(300)
    outputs.push(await readFile(`/proc/${child.pid}/cmdline`, 'utf8').catch(() => ''))
    await once(child, 'close')
    for (const file of await readdir(options.home, { recursive: true, withFileTypes: true })) {
      if (file.isFile()) outputs.push(await readFile(join(file.parentPath, file.name), 'latin1'))
    }
    const secrets = [
      PASSPHRASE,
      Buffer.from(ENCRYPTION).toString('latin1'),
      ENCRYPTION,
      postgres.password,
      Buffer.from(postgres.password).toString('base64'),
    ]
    for (const secret of secrets) expect(outputs.some((output) => output.includes(secret))).toBe(false)
  })

  it('leaves database and media as they were when a dump is hostile, though its hash fits', async () => {
    const { options, site, database } = await liveSite()
    const made = await zbd(['backup', 'testsite', '--json'], options)
    const { name } = made.json.result as BackupResult
    const vault = join(options.home, 'backups', 'testsite')
    const dumpFile = join(vault, `${name}.sql.gz`)
    const { stdout: good } = await run('gunzip', ['-c', dumpFile], { maxBuffer: 1 << 28 })
    const before = settled(await schemaOf(database))
    const media = await treeHash(join(site.filesDir, 'archive'))
    const marker = join(options.home, 'ran')
    const hostile: [string, string][] = [
      ['commit', good.replace('\nCREATE TABLE', '\nCOMMIT;\nCREATE TABLE')],
      ['program', good.replace('\nCREATE TABLE', `\nCOPY "testsite"."rsc" TO PROGRAM 'touch ${marker}';\nCREATE TABLE`)],
      ['wrong schema', good.replaceAll('"testsite"', '"othersite"')],
      ['cut', good.slice(0, good.length * 0.6)],
      ['no completion line', good.replace('-- PostgreSQL database dump complete', '-- PostgreSQL')],
      ['do', `${good}\nDO $$ BEGIN EXECUTE 'drop schema testsite cascade'; END $$;\n`],
      ['shell', good.replace('\nCREATE TABLE', `\n\\! touch ${marker}\nCREATE TABLE`)],
    ]
    for (const [what, script] of hostile) {
      expect(script).not.toBe(good)
      const bytes = gzipSync(script)
      await writeFile(dumpFile, bytes)
      const index = JSON.parse(await readFile(join(vault, 'backup.json'), 'utf8'))
      index[name].database_hash = createHash('sha256').update(bytes).digest('hex')
      await writeFile(join(vault, 'backup.json'), JSON.stringify(index))
      const restored = await zbd(['restore', 'testsite', name, '--confirm', 'testsite', '--json'], options)
      expect([what, restored.code === 1 || restored.code === 3, restored.json.ok]).toEqual([what, true, false])
      expect([what, settled(await schemaOf(database)) === before]).toEqual([what, true])
      expect([what, await treeHash(join(site.filesDir, 'archive'))]).toEqual([what, media])
    }
    await expect(readFile(marker)).rejects.toThrow()
  }, 300_000)

  it('survives kill -9 at ten random moments of backup, decrypt and restore', async () => {
    const { options, site, database } = await liveSite({ encryption: { enabled: true, password: ENCRYPTION } })
    const made = await zbd(['backup', 'testsite', '--json'], options)
    const { name, parts } = made.json.result as BackupResult
    const vault = join(options.home, 'backups', 'testsite')
    const before = settled(await schemaOf(database))
    await writeFile(join(options.home, 'pw'), ENCRYPTION)
    const out = join(options.home, 'out')
    await mkdir(out)
    const commands = [
      ['backup', 'testsite'],
      ['restore', 'testsite', name, '--confirm', 'testsite'],
      [
        'decrypt',
        join(vault, parts.find((part) => part.part === 'files')?.file ?? ''),
        '--out',
        out,
        '--overwrite',
        '--password-file',
        join(options.home, 'pw'),
      ],
    ]
    for (let round = 0; round < 10; round += 1) {
      const args = commands[round % commands.length] ?? []
      const child = spawnZbd(args, options)
      child.stdin?.end()
      const moment = 150 + Math.random() * 1800
      await Promise.race([sleep(moment), once(child, 'close')])
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'close')
      const what = `${args[0]} killed after ${Math.round(moment)} ms`

      const list = await zbd(['list', 'testsite', '--in', 'vault', '--json'], options)
      expect([what, list.code]).toEqual([what, 0])
      const { backups, unknown } = list.json.result as { backups: { name: string }[]; unknown: unknown[] }
      // a restore that got so far has left its safety backup
      const slots = backups.map((backup) => backup.name).filter((found) => !found.includes('-safety-'))
      expect([what, slots, unknown]).toEqual([what, [name], []])
      expect([what, (await zbd(['verify', 'testsite', name, '--from', 'vault', '--json'], options)).code]).toEqual([what, 0])
      expect([what, (await readdir(vault)).filter((file) => file.includes('.part') || file.includes('intent'))]).toEqual([
        what,
        [],
      ])
      expect([what, settled(await schemaOf(database)) === before]).toEqual([what, true])
      for (const file of await readdir(out)) {
        if (file.includes('.part')) continue
        await run('tar', ['-tzf', join(out, file)])
      }
      expect((await readdir(site.filesDir)).sort()).toEqual(expect.arrayContaining(['archive', 'backup']))
    }
    const { jobs } = (await zbd(['jobs', '--json'], options)).json.result as { jobs: { state: string }[] }
    expect(jobs.length).toBeGreaterThan(1)
    expect(jobs.filter((job) => ['queued', 'running', 'waiting'].includes(job.state))).toEqual([])
  }, 300_000)
})
