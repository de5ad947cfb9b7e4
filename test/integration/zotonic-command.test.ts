import { execFileSync } from 'node:child_process'
import { chown } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { discovered, startDiscovery, withDiscovered } from '#engine/features/discovery/index.ts'
import { restartSite, startServerCommand } from '#engine/features/server-command/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { ZotonicServer } from '#test/support/fake-zotonic/zotonic-server.ts'
import type { Postgres15 } from '#test/support/postgres.ts'
import { useZotonicServer, whyNoServer } from '#test/support/server-stage.ts'

const why = whyNoServer('test/integration/zotonic-command.test.ts')

const isRoot = process.getuid?.() === 0

/** As another user the command needs the Node that runs this. */
function whyNotAs(user: string): string | null {
  if (!isRoot) return 'only root may run commands as somebody else'
  try {
    execFileSync('sudo', ['-n', '-u', user, '--', process.execPath, '-e', '0'], { stdio: 'ignore' })
    return null
  } catch {
    return `sudo is not there, or ${user} may not run ${process.execPath}`
  }
}
const whyNotPostgres = whyNotAs('postgres')
if (whyNotPostgres) console.warn(`skipped: as another user: ${whyNotPostgres}`)

describe.skipIf(why !== null)('Zotonic’s command over SSH', () => {
  let postgres: Postgres15
  let server: ZotonicServer
  let context: EngineContext

  useZotonicServer(
    'zcommand',
    (stage) => {
      ;({ postgres, server, context } = stage)
    },
    { sshd: isRoot ? { password: 'password' } : {} },
  )
  beforeEach(() => {
    onTestFinished(() =>
      server.zotonic.change((fake) => {
        delete fake.refuses
        delete fake.onlyAs
        delete fake.slowMs
      }),
    )
  })

  const discover = (zotonic: object = { command: server.zotonic.command }) =>
    startDiscovery(context, { ssh: server.ssh, zotonic }).done

  describe('a server tells its sites', () => {
    test('with database, folders and environment; its passwords stay here until a site is added with them', async () => {
      const result = await discover()
      const { folder } = server.sshd
      expect(result).toMatchObject({
        command: server.zotonic.command,
        runAs: null,
        sites: [
          {
            name: 'testsite',
            state: 'running',
            environment: 'production',
            hostname: 'www.example.org',
            found: {
              database: {
                host: '127.0.0.1',
                port: postgres.port,
                database: 'zcommand',
                schema: 'testsite',
                user: 'zotonic',
                via: 'ssh',
              },
              siteDir: server.site.siteDir,
              filesDir: join(folder, 'data/sites/testsite/files'),
              securityDir: join(folder, 'secrets/testsite'),
            },
            hasDatabasePassword: true,
            hasFilestoreSecret: false,
            missing: [],
          },
        ],
      })
      expect(JSON.stringify(result)).not.toContain(postgres.password)
      expect(discovered(context, result.discovery).sites).toEqual(result.sites)
      const [job] = await context.jobs.list()
      expect(JSON.stringify(await context.jobs.show(job?.id ?? ''))).not.toContain(postgres.password)

      const { database, siteDir = '', filesDir = '', securityDir = '' } = result.sites[0]?.found ?? {}
      if (!database) throw new Error('no database')
      await context.secrets.unlock('open sesame')
      const input = {
        name: 'testsite',
        database,
        server: { kind: 'ssh' as const, ssh: server.ssh, siteDir, filesDir, securityDir },
      }
      await context.sites.add(withDiscovered(context, { ...input, discovery: result.discovery }))
      expect(await context.secrets.get('site/testsite/database-password')).toBe(postgres.password)
    })

    test('and the file store that its database names', async () => {
      await postgres.psql(
        'zcommand',
        `INSERT INTO testsite.config (module, key, value) VALUES ('mod_filestore', 's3url', 'https://s3.example.org/media/sites/one'),
          ('mod_filestore', 's3key', 'AKIAX'), ('mod_filestore', 's3secret', 'a secret of the store')`,
      )
      onTestFinished(() => postgres.psql('zcommand', "DELETE FROM testsite.config WHERE module = 'mod_filestore'").then(() => {}))
      const result = await discover()
      expect(result.sites[0]).toMatchObject({
        found: { filestore: { endpoint: 'https://s3.example.org', bucket: 'media', prefix: 'sites/one', accessKeyId: 'AKIAX' } },
        hasFilestoreSecret: true,
        missing: [],
      })
      expect(JSON.stringify(result)).not.toContain('a secret of the store')
    })

    test('what can’t be found is asked for, one by one', async () => {
      await server.zotonic.change((fake) => {
        const { testsite } = fake.sites
        if (!testsite) throw new Error('no site')
        fake.sites.bare = { ...testsite, siteDir: '/nowhere', config: { dbdatabase: 'none' } }
        fake.sites.open = { ...testsite, config: { ...testsite.config, dbpassword: 'wrong' } }
      })
      onTestFinished(() =>
        server.zotonic.change((fake) => {
          delete fake.sites.bare
          delete fake.sites.open
        }),
      )
      const { sites } = await discover()
      const missing = Object.fromEntries(sites.map((site) => [site.name, site.missing]))
      expect(missing.testsite).toEqual([])
      expect(missing.bare).toEqual([expect.stringMatching(/^The files folder/), expect.stringMatching(/^The database/)])
      expect(missing.open).toEqual([
        'The files folder, which holds archive and backup.',
        expect.stringMatching(/^Its file store, if it has one\. \(PostgreSQL .* refused user "zotonic"/),
      ])
    })

    test.skipIf(whyNotPostgres !== null)(
      'as the user that owns the command, when Zotonic does not answer who logs in',
      async () => {
        await server.zotonic.change((fake) => {
          fake.onlyAs = 'postgres'
        })
        const uid = Number(execFileSync('id', ['-u', 'postgres']).toString())
        await chown(server.zotonic.command, uid, -1)
        onTestFinished(() => chown(server.zotonic.command, 0, -1))
        const result = await discover()
        expect([result.runAs, result.sites.map(({ name }) => name)]).toEqual(['postgres', ['testsite']])
        expect((await server.zotonic.calls()).at(-1)).toMatch(/^postgres /)
      },
    )

    test('a discovery that is not known any more saves nothing', async () => {
      expect(() => withDiscovered(context, { ...server.input(), discovery: 'gone' })).toThrow(
        expect.objectContaining({ code: 'discovery-unknown' }),
      )
    })
  })

  describe('what can’t be done is said, with what to do by hand', () => {
    const failure = async (zotonic: object) => {
      await context.secrets.unlock('open sesame')
      await context.sites.add(server.input({ zotonic }))
      return startServerCommand(context, 'testsite', 'restart').done.then(
        () => null,
        (error: unknown) => error,
      )
    }

    test('the command is missing', async () => {
      expect(await failure({ command: '/nowhere/zotonic' })).toMatchObject({
        code: 'zotonic-missing',
        message: expect.stringContaining('testsite was not restarted'),
        hint: expect.stringContaining('zotonic restartsite testsite'),
      })
      const found = await startDiscovery(context, { ssh: server.ssh }).done.catch((error: unknown) => error)
      // a machine with a Zotonic of its own has one
      if (found instanceof Error) expect(found).toMatchObject({ code: 'zotonic-missing' })
    })

    test('it refuses: what it said is shown, without secrets', async () => {
      await server.zotonic.change((fake) => {
        fake.refuses = { restartsite: 'Error: nothing works\ndbpassword: open sesame' }
      })
      const error = await failure({ command: server.zotonic.command })
      expect(error).toMatchObject({
        code: 'zotonic-refused',
        message: expect.stringMatching(/nothing works[\s\S]*So testsite was not restarted\.$/),
        hint: expect.stringContaining(`${server.zotonic.command} restartsite testsite`),
      })
      expect(String(error)).not.toContain('sesame')
    })

    test('the server does not know the site', async () => {
      await server.zotonic.change((fake) => {
        const { testsite } = fake.sites
        fake.sites = testsite ? { other: testsite } : {}
      })
      onTestFinished(() =>
        server.zotonic.change((fake) => {
          const { other } = fake.sites
          fake.sites = other ? { testsite: other } : {}
        }),
      )
      expect(await failure({ command: server.zotonic.command })).toMatchObject({
        code: 'site-unknown-there',
        hint: 'It has other.',
      })
    })

    test.skipIf(!isRoot)('sudo asks for a password', async () => {
      const { passwordUser } = server.sshd
      const ssh = { host: server.sshd.host, port: server.sshd.port, user: passwordUser?.name ?? '', auth: 'password' as const }
      await context.secrets.unlock('open sesame')
      await context.sites.add({
        ...server.input({ zotonic: { command: server.zotonic.command, runAs: 'postgres' } }),
        server: { kind: 'ssh', ssh, siteDir: '/a', filesDir: '/b', securityDir: '/c' },
        sshSecrets: { password: passwordUser?.password },
      })
      const site = await context.sites.get('testsite')
      const outcome = await restartSite(context, site)
      expect(outcome).toEqual({
        done: false,
        text: expect.stringMatching(/sudo asks for a password, so testsite was not restarted/),
      })
      expect(outcome.text).toContain(`sudo -u postgres ${server.zotonic.command} restartsite testsite`)
    })

    test('a server in a folder has no command', async () => {
      const { siteDir, filesDir, securityDir } = server.site
      await context.secrets.unlock('open sesame')
      await context.sites.add(
        server.input({
          server: { kind: 'folder', siteDir, filesDir, securityDir },
          database: { database: 'd', schema: 's', user: 'u' },
          zotonic: undefined,
        }),
      )
      expect(await restartSite(context, await context.sites.get('testsite'))).toEqual({
        done: false,
        text: 'To do, by you, on the server: zotonic restartsite testsite',
      })
    })
  })

  test.skipIf(whyNotPostgres !== null)('flush, restart and status run as the user that is set', async () => {
    await server.zotonic.change((fake) => {
      fake.onlyAs = 'postgres'
    })
    await context.secrets.unlock('open sesame')
    await context.sites.add(server.input({ zotonic: { command: server.zotonic.command, runAs: 'postgres' } }))
    const output = async (command: 'flush' | 'restart' | 'status') =>
      (await startServerCommand(context, 'testsite', command).done).output
    expect([await output('flush'), await output('restart'), await output('status')]).toEqual([
      'ok',
      'Restarting site testsite ... ok',
      'testsite: running on zotonic001@web1',
    ])
    expect((await server.zotonic.calls()).slice(-3)).toEqual([
      'postgres flush testsite',
      'postgres restartsite testsite',
      'postgres status',
    ])
  })
})
