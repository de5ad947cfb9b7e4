import { copyFile, cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { slotFor } from '#shared/rotation.ts'
import { startZotonicServer, type ZotonicServer } from '#test/support/fake-zotonic/zotonic-server.ts'
import { fixture, hasFixtures } from '#test/support/fixtures.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { type Postgres15, startPostgres15 } from '#test/support/postgres.ts'
import { makeQuickStore } from '#test/support/quick-store.ts'
import { whyNoSshd } from '#test/support/sshd.ts'
import { type ZbdOptions, type ZbdRun, zbd } from '#test/support/zbd.ts'

const why = whyNoSshd() ?? (hasFixtures ? null : 'the fixtures are not here')
if (why) console.warn(`skipped: zbd and a server: ${why}`)

describe.skipIf(why !== null)('zbd and a server', () => {
  let postgres: Postgres15
  let server: ZotonicServer

  beforeAll(async () => {
    postgres = await startPostgres15()
    server = await startZotonicServer(postgres, 'zbdserver')
  })
  afterAll(async () => {
    await server?.stop()
    await postgres?.stop()
  })

  test('from its address alone to a backup that it makes', async () => {
    const home = await temporaryFolder()
    const options: ZbdOptions = { home, env: { BACKUP_DESK_PASSPHRASE: 'open sesame' } }
    await makeQuickStore(home, 'open sesame')
    const seen: string[] = []
    const run = async (...args: string[]): Promise<ZbdRun> => {
      const done = await zbd([...args, '--json'], options)
      seen.push(done.stdout, done.stderr)
      return done
    }
    const at = `${server.sshd.user}@127.0.0.1:${server.sshd.port}`
    const key = join(home, 'key')
    await copyFile(server.sshd.keyFile, key)
    const reach = ['--key', key, '--command', server.zotonic.command]

    const unknown = await run('discover', at, ...reach)
    expect([unknown.code, unknown.json.error.code]).toEqual([1, 'host-key-unknown'])
    const accepted = await run(
      'hosts',
      'accept',
      `127.0.0.1:${server.sshd.port}`,
      '--fingerprint',
      await server.sshd.fingerprint(),
    )
    expect(accepted.code).toBe(0)

    const found = await run('discover', at, ...reach)
    expect(found).toMatchObject({
      code: 0,
      json: { result: { sites: [{ name: 'testsite', hasDatabasePassword: true, missing: [] }] } },
    })
    const other = await run('sites', 'add', '--discover', at, '--site', 'other', ...reach)
    expect([other.code, other.json.error.code]).toEqual([1, 'site-unknown-there'])
    await writeFile(join(home, 'rest.json'), JSON.stringify({ label: 'Found', vault: { path: join(home, 'its-vault') } }))
    const added = await run('sites', 'add', '--discover', at, '--site', 'testsite', '--file', join(home, 'rest.json'), ...reach)
    expect(added).toMatchObject({
      code: 0,
      json: {
        result: {
          hasDatabasePassword: true,
          site: {
            label: 'Found',
            zotonic: { command: server.zotonic.command },
            server: { kind: 'ssh', ssh: { host: '127.0.0.1', port: server.sshd.port, keyFile: key } },
            database: { via: 'ssh', schema: 'testsite' },
          },
        },
      },
    })

    const tried = await run('test', 'testsite')
    expect(tried.code).toBe(0)
    const { checks } = tried.json.result as { checks: { connection: string; outcome: string }[] }
    expect(new Set(checks.map(({ connection, outcome }) => `${connection} ${outcome}`))).toEqual(
      new Set(['server passed', 'zotonic passed', 'database passed', 'vault passed']),
    )

    expect((await run('server', 'testsite', 'status')).json.result).toMatchObject({
      output: 'testsite: running on zotonic001@web1',
    })
    expect((await run('server', 'testsite', 'restart')).json.result).toMatchObject({ output: 'Restarting site testsite ... ok' })
    expect((await run('server', 'testsite', 'stop')).code).toBe(2)

    const made = await run('backup', 'testsite', '--on-server')
    expect(made).toMatchObject({ code: 0, json: { result: { name: `testsite-${slotFor('server', new Date())}`, isOurs: true } } })
    const listed = await run('list', 'testsite', '--in', 'server')
    expect((listed.json.result as { backups: object[] }).backups).toMatchObject([
      { name: (made.json.result as { name: string }).name },
    ])
    expect((await run('backup', 'testsite', '--on-server', '--database-only')).code).toBe(2)

    expect((await run('server', 'testsite', 'settings')).json.result).toMatchObject({
      settings: { daily_dump: 1 },
      hasPassword: false,
    })
    const set = ['server', 'testsite', 'settings', '--set', 'daily_dump=2', '--set', 'admin_panel=on']
    expect((await run(...set)).code).toBe(2)
    expect((await run('server', 'testsite', 'settings', '--set', 'daily_dump=7', '--confirm', 'testsite')).code).toBe(2)
    const changed = await run(...set, '--confirm', 'testsite')
    expect(changed).toMatchObject({
      code: 0,
      json: { result: { updated: true, flushed: true, settings: { daily_dump: 2, admin_panel: true } } },
    })

    const password = 'g7t2a-y1fcW-sliow-BBad@<'
    await postgres.psql(
      'zbdserver',
      `INSERT INTO testsite.config (module, key, value) VALUES ('mod_backup', 'backup_encrypt_password', '${password}')`,
    )
    await mkdir(join(home, 'its-vault'))
    await cp(fixture('backups', '2-encrypted-full-autopw'), join(home, 'its-vault'), { recursive: true })
    expect((await run('password', 'from-site', 'testsite')).json.result).toMatchObject({ outcome: 'fits' })
    expect((await run('sites', 'show', 'testsite')).json.result).toMatchObject({ hasEncryptionPassword: true })

    await server.zotonic.change((fake) => {
      fake.sites = {}
    })
    const gone = await run('test', 'testsite')
    expect(gone.code).toBe(3)
    expect(seen.join('\n')).not.toContain(password)
    expect(seen.join('\n')).not.toContain(postgres.password)
  }, 180_000)
})
