import { chmod, chown, readdir, readFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { testConnections } from '#engine/features/connection-test/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { ConnectionCheck } from '#shared/contract/sites.ts'
import type { SiteInput } from '#shared/model/site.ts'
import { trust, type ZotonicServer } from '#test/support/fake-zotonic/zotonic-server.ts'
import { freePort, type Postgres15 } from '#test/support/postgres.ts'
import { useZotonicServer, whyNoServer } from '#test/support/server-stage.ts'

const why = whyNoServer('test/integration/connection-test.test.ts')
const isRoot = process.getuid?.() === 0
if (!isRoot) console.warn('skipped: trying connections as another user: only root can make one')

describe.skipIf(why !== null)('trying the connections of a site', () => {
  let postgres: Postgres15
  let server: ZotonicServer
  let context: EngineContext

  useZotonicServer(
    'ztest',
    (stage) => {
      ;({ postgres, server, context } = stage)
    },
    { isTrusted: false, sshd: isRoot ? { password: 'password' } : {} },
  )

  const outcomes = (checks: readonly ConnectionCheck[], connection: string) =>
    checks.filter((check) => check.connection === connection).map(({ name, outcome }) => `${name}: ${outcome}`)
  const find = (checks: readonly ConnectionCheck[], connection: string, name: string) =>
    checks.find((check) => check.connection === connection && check.name === name)
  /** Who logs in with a password, and may do less. */
  const asOther = (): Partial<SiteInput> => ({
    server: {
      kind: 'ssh',
      ssh: { host: server.sshd.host, port: server.sshd.port, user: server.sshd.passwordUser?.name ?? '', auth: 'password' },
      siteDir: server.site.siteDir,
      filesDir: server.site.filesDir,
      securityDir: server.site.securityDir,
    },
    sshSecrets: { password: server.sshd.passwordUser?.password },
  })

  test('passes step by step, and leaves nothing behind', async () => {
    await trust(context, server.ssh)
    // the connection that was made for trusting is another one's
    const before = await readdir(server.site.backupDir)
    const { checks, unknownHost } = await testConnections(context, server.input())
    expect(unknownHost).toBeNull()
    expect(checks.filter(({ outcome }) => outcome !== 'passed')).toEqual([])
    expect(outcomes(checks, 'server')).toEqual(
      ['Resolve', 'Connect', 'Host key', 'Log in', 'Clock', 'Tools', 'Site folder', 'Media', 'Security', 'Backup folder'].map(
        (name) => `${name}: passed`,
      ),
    )
    expect(find(checks, 'server', 'Tools')?.finding).toMatch(
      /^pg_dump 15\.\d+, psql 15\.\d+, tar [\d.]+, gunzip [\d.]+, sha256sum [\d.]+$/,
    )
    expect(find(checks, 'zotonic', 'Command')?.finding).toBe(`${server.zotonic.command}, Zotonic 1.0.0-rc.17 [Erlang/OTP 25]`)
    expect(find(checks, 'zotonic', 'Site')?.finding).toBe('testsite: running on zotonic001@web1')
    expect(find(checks, 'database', 'Connect')?.finding).toMatch(/^zotonic at 127\.0\.0\.1:\d+, through /)
    expect(find(checks, 'database', 'Rights')?.finding).toBe('Reads all tables, owns the schema, may create schemas')
    expect(outcomes(checks, 'vault')).toEqual(['Vault: passed'])
    expect(await readdir(server.site.backupDir)).toEqual(before)
    // it is open now: it is asked whether it still answers
    const again = await testConnections(context, server.input())
    expect(outcomes(again.checks, 'server').slice(0, 2)).toEqual(['Connect: passed', 'Clock: passed'])
  })

  test('stops at a host that is not known, shows its key, and tries what does not stand on it', async () => {
    const { checks, unknownHost } = await testConnections(context, server.input())
    expect(unknownHost).toEqual({
      host: '127.0.0.1',
      port: server.sshd.port,
      type: 'ssh-ed25519',
      fingerprint: await server.sshd.fingerprint(),
    })
    expect(outcomes(checks, 'server').slice(0, 5)).toEqual([
      'Resolve: passed',
      'Connect: passed',
      'Host key: failed',
      'Log in: skipped',
      'Clock: skipped',
    ])
    expect([...outcomes(checks, 'zotonic'), ...outcomes(checks, 'database')].every((text) => text.endsWith('skipped'))).toBe(true)
    const direct = await testConnections(
      context,
      server.input({ database: { ...postgres.connection('ztest', 'zotonic'), schema: 'testsite' } }),
    )
    expect(outcomes(direct.checks, 'database')).toEqual(
      ['Connect', 'Version', 'Schema', 'Rights', 'Clock'].map((name) => `${name}: passed`),
    )
    // it was seen by this engine, and can be accepted now
    if (unknownHost) await context.ssh.hostKeys.accept(unknownHost)
    expect((await testConnections(context, server.input())).unknownHost).toBeNull()
  })

  test('names the step that failed: an unknown name, a port that is closed, a log-in that is refused', async () => {
    await trust(context, server.ssh)
    const failing = async (ssh: object) => {
      const { siteDir, filesDir, securityDir } = server.site
      const input = server.input({ server: { kind: 'ssh', ssh: { ...server.ssh, ...ssh }, siteDir, filesDir, securityDir } })
      const { checks } = await testConnections(context, input)
      const [step, ...more] = checks.filter(({ connection, outcome }) => connection === 'server' && outcome === 'failed')
      expect(more).toEqual([])
      expect(step?.advice).not.toBe('')
      return step?.name
    }
    expect(await failing({ host: 'nowhere.invalid' })).toBe('Resolve')
    expect(await failing({ port: await freePort() })).toBe('Connect')
    expect(await failing({ user: 'nobody-of-that-name' })).toBe('Log in')
  })

  test.skipIf(!isRoot)('tells what the user that logs in may not do', async () => {
    await trust(context, server.ssh)
    await chmod(server.site.backupDir, 0o755)
    const { checks } = await testConnections(context, server.input(asOther()))
    expect(find(checks, 'server', 'Backup folder')).toMatchObject({
      outcome: 'warning',
      finding: expect.stringMatching(/can be read only$/),
    })
    await chmod(server.site.backupDir, 0o777)
    const asAnother = await testConnections(context, server.input(asOther()))
    expect(find(asAnother.checks, 'server', 'Backup folder')).toMatchObject({
      outcome: 'warning',
      finding: expect.stringMatching(/as another user than the server’s own files$/),
    })
    expect(await readdir(server.site.backupDir)).toEqual([])
    await chmod(server.site.securityDir, 0o700)
    await chown(server.site.securityDir, 0, 0)
    const closed = await testConnections(context, server.input(asOther()))
    expect(find(closed.checks, 'server', 'Security')?.outcome).toBe('failed')
  })

  test('a port that takes connections and ends them has each step once', async () => {
    const deaf = createServer((socket) => socket.destroy())
    await new Promise<void>((resolve) => deaf.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => new Promise<void>((resolve) => deaf.close(() => resolve())))
    const { port } = deaf.address() as AddressInfo
    const input = server.input()
    if (input.server?.kind === 'ssh') input.server = { ...input.server, ssh: { ...server.ssh, port } }
    const { checks } = await testConnections(context, input)
    expect(outcomes(checks, 'server').slice(0, 4)).toEqual([
      'Resolve: passed',
      'Connect: passed',
      'Host key: failed',
      'Log in: skipped',
    ])
  })

  test('tells which rights the database user lacks', async () => {
    const password = postgres.password
    await postgres.psql('ztest', `CREATE ROLE reader LOGIN PASSWORD '${password}'`)
    const database = { ...postgres.connection('ztest', 'reader'), schema: 'testsite' }
    const rights = async () => find((await testConnections(context, { name: 'testsite', database })).checks, 'database', 'Rights')
    expect(await rights()).toMatchObject({ outcome: 'failed', finding: 'Permission denied for schema testsite' })
    await postgres.psql(
      'ztest',
      'GRANT USAGE ON SCHEMA testsite TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA testsite TO reader',
    )
    expect(await rights()).toMatchObject({ outcome: 'failed', finding: expect.stringMatching(/^Permission denied for .*_seq/) })
    await postgres.psql('ztest', 'GRANT SELECT ON ALL SEQUENCES IN SCHEMA testsite TO reader')
    expect(await rights()).toMatchObject({
      outcome: 'warning',
      finding: 'Reads all tables, but does not own the schema and may not create schemas',
    })
    await postgres.psql('ztest', 'ALTER TABLE testsite.edge ENABLE ROW LEVEL SECURITY')
    expect(await rights()).toMatchObject({ outcome: 'failed', finding: 'Row security hides rows of edge from this user' })
    await postgres.psql('ztest', 'ALTER TABLE testsite.edge DISABLE ROW LEVEL SECURITY')
    const { checks } = await testConnections(context, { name: 'testsite', database: { ...database, schema: 'other' } })
    expect(find(checks, 'database', 'Schema')).toMatchObject({
      outcome: 'failed',
      advice: expect.stringContaining('public, testsite'),
    })
    expect(outcomes(checks, 'database').at(-2)).toBe('Rights: skipped')
  })

  test('tells that Zotonic’s command is missing, refuses, or does not have the site', async () => {
    await trust(context, server.ssh)
    const missing = await testConnections(context, server.input({ zotonic: { command: '/nowhere/zotonic' } }))
    expect(outcomes(missing.checks, 'zotonic')).toEqual(['Command: failed', 'Site: skipped'])
    const { checks } = await testConnections(context, server.input({ name: 'othersite' }))
    expect(find(checks, 'zotonic', 'Site')).toMatchObject({ outcome: 'failed', advice: 'There are: testsite.' })
    await server.zotonic.change((fake) => Object.assign(fake.sites.testsite ?? {}, { state: 'stopped' }))
    onTestFinished(() => server.zotonic.change((fake) => Object.assign(fake.sites.testsite ?? {}, { state: 'running' })))
    const stopped = await testConnections(context, server.input())
    expect(find(stopped.checks, 'zotonic', 'Site')).toMatchObject({
      outcome: 'warning',
      advice: expect.stringContaining('startsite testsite'),
    })
  })

  test('of a folder on this computer, and of a filestore that does not answer', async () => {
    const { siteDir, filesDir, securityDir } = server.site
    const input: SiteInput = {
      name: 'testsite',
      database: { ...postgres.connection('ztest', 'zotonic'), schema: 'testsite' },
      server: { kind: 'folder', siteDir, filesDir, securityDir },
      filestore: { endpoint: `http://127.0.0.1:${await freePort()}`, bucket: 'b', accessKeyId: 'k' },
    }
    const without = await testConnections(context, input)
    expect(outcomes(without.checks, 'server')).toEqual(
      ['Site folder', 'Media', 'Security', 'Backup folder'].map((name) => `${name}: passed`),
    )
    expect(find(without.checks, 'filestore', 'Log in')).toMatchObject({ outcome: 'failed', finding: 'There is no secret key.' })
    const { checks } = await testConnections(context, { ...input, filestoreSecret: 's' })
    expect(outcomes(checks, 'filestore').slice(0, 3)).toEqual(['Resolve: passed', 'Connect: failed', 'Log in: skipped'])
    expect(await readFile(`${siteDir}/priv/zotonic_site.config`, 'utf8')).toContain('testsite')
  })
})
