import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pgDumpSchema } from '#engine/features/backup/pg-dump/index.ts'
import { connectPostgres, type PostgresConnection } from '#engine/foundation/connections/postgres.ts'
import { databaseTunnel } from '#engine/foundation/connections/ssh/database-tunnel.ts'
import { allowed } from '#test/support/patience.ts'
import { openTestContext } from '../support/engine-context.ts'
import { temporaryFolder } from '../support/home.ts'
import { type Postgres15, startPostgres15 } from '../support/postgres.ts'
import { switchOnTls, type TlsSetup } from '../support/postgres-tls.ts'
import { openSshDesk, type SshDesk, targetOf } from '../support/ssh-desk.ts'
import { type Sshd, startSshd } from '../support/sshd.ts'

const NAME = 'localhost'

let server: Postgres15
let tls: TlsSetup
let sshd: Sshd
let desk: SshDesk

beforeAll(async () => {
  server = await startPostgres15({ hasSocket: true })
  tls = await switchOnTls(server, { name: NAME, certificateUser: 'by_certificate' })
  await server.createDatabase('site')
  await server.psql('site', 'CREATE SCHEMA s; CREATE TABLE s.t AS SELECT generate_series(1, 100000) AS a')
  sshd = await startSshd()
  desk = await openSshDesk({ trusted: [sshd] })
})
afterAll(async () => {
  await desk?.close()
  await sshd?.stop()
  await tls?.remove()
  await server?.stop()
})

/** Through the SSH server, as it sees the database. */
function tunnelled(change: Partial<PostgresConnection> = {}): PostgresConnection {
  const connection = { ...server.connection('site'), host: NAME, ...change }
  return { ...connection, tunnel: databaseTunnel(desk.ssh, targetOf(sshd), connection) }
}

async function ask(connection: PostgresConnection, sql: string): Promise<unknown> {
  const client = await connectPostgres(connection)
  try {
    const { rows } = await client.query(sql)
    return rows[0]
  } finally {
    await client.end()
  }
}

const isSecure = 'SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()'

describe('a database through a server', () => {
  it('answers over TCP and over its Unix socket', async () => {
    expect(await ask(tunnelled(), 'SELECT count(*)::int AS n FROM s.t')).toEqual({ n: 100_000 })
    const client = "SELECT inet_client_addr() IS NULL AS is_socket, current_setting('application_name') AS program"
    expect(await ask(tunnelled({ host: server.socketFolder }), client)).toEqual({ is_socket: true, program: 'Backup Desk' })
    // without the tunnel a socket is one of this computer
    expect(await ask({ ...server.connection('site'), host: server.socketFolder }, client)).toMatchObject({ is_socket: true })
  })

  it('says what does not answer: the server or the database behind it', async () => {
    await expect(connectPostgres(tunnelled({ port: 1 }))).rejects.toMatchObject({
      code: 'database-unreachable',
      message: expect.stringContaining(`localhost:1 through ${sshd.user}@127.0.0.1`),
    })
    await expect(connectPostgres(tunnelled({ password: 'wrong' }))).rejects.toMatchObject({ code: 'database-password' })
    const nowhere = databaseTunnel(desk.ssh, targetOf(sshd, { port: 1 }), server)
    await expect(connectPostgres({ ...tunnelled(), tunnel: nowhere })).rejects.toMatchObject({ code: 'host-unreachable' })
  })

  it('stops at once when a statement is aborted, and its connection ends', async () => {
    const controller = new AbortController()
    const client = await connectPostgres(tunnelled(), controller.signal)
    const since = Date.now()
    const asked = client
      .query("COPY (SELECT repeat('x', 10000), pg_sleep(0.05) FROM generate_series(1, 10000)) TO STDOUT")
      .catch((error) => error)
    await sleep(200)
    controller.abort()
    expect(await asked).toBeInstanceOf(Error)
    expect(Date.now() - since).toBeLessThan(allowed(5000))
    const left = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE query LIKE 'COPY (SELECT repeat%'"
    for (let tries = 0; tries < 300; tries++) {
      if (((await ask(tunnelled(), left)) as { n: number }).n === 0) return
      await sleep(100)
    }
    throw new Error('the statement runs on')
  })

  it('gives a statement up after the time it was given', async () => {
    const client = await connectPostgres(tunnelled(), undefined, { statementMs: 100 })
    await expect(client.query('SELECT pg_sleep(20)')).rejects.toMatchObject({ code: '57014' })
    await client.end()
  })

  it('fails with its connection, and can be asked again', async () => {
    const client = await connectPostgres(tunnelled())
    const asked = client.query('SELECT pg_sleep(20)').catch((error) => error)
    await sleep(100)
    sshd.killConnections()
    expect(await asked).toBeInstanceOf(Error)
    expect(await ask(tunnelled(), 'SELECT 1 AS one')).toEqual({ one: 1 })
  })
})

describe.each(['directly', 'through a server'])('TLS, %s', (way) => {
  const to = (change: Partial<PostgresConnection>): PostgresConnection => {
    const connection = tunnelled(change)
    if (way === 'through a server') return connection
    const { tunnel: _tunnel, ...direct } = connection
    return direct
  }

  it('takes a server by its own authority and name, and no other', async () => {
    expect(await ask(to({ tls: 'require' }), isSecure)).toMatchObject({ ssl: true })
    expect(await ask(to({ tls: 'verify-full', caFile: tls.caFile }), isSecure)).toMatchObject({ ssl: true })
    const refused = { code: 'database-unreachable', message: expect.stringMatching(/certificate|altnames/) }
    await expect(connectPostgres(to({ tls: 'verify-full' }))).rejects.toMatchObject(refused)
    await expect(connectPostgres(to({ tls: 'verify-full', caFile: tls.caFile, host: '127.0.0.1' }))).rejects.toMatchObject(
      refused,
    )
    // with an authority named, `require` asks who signed, but not for whom
    expect(await ask(to({ tls: 'require', caFile: tls.caFile, host: '127.0.0.1' }), isSecure)).toMatchObject({ ssl: true })
    await expect(connectPostgres(to({ tls: 'require', caFile: tls.certificateFile }))).rejects.toMatchObject(refused)
  })

  it('logs in by a client certificate', async () => {
    const { caFile, certificateFile, keyFile } = tls
    const { password: _password, ...byCertificate } = to({ tls: 'verify-full', caFile, user: 'by_certificate' })
    await expect(connectPostgres(byCertificate)).rejects.toMatchObject({ code: 'database-password' })
    expect(await ask({ ...byCertificate, certificateFile, keyFile }, 'SELECT current_user AS me')).toEqual({
      me: 'by_certificate',
    })
    await expect(connectPostgres({ ...byCertificate, certificateFile })).rejects.toMatchObject({ code: 'tls-file' })
    await expect(connectPostgres({ ...byCertificate, certificateFile, keyFile: caFile })).rejects.toMatchObject({
      code: 'tls-file',
    })
    await expect(connectPostgres({ ...byCertificate, caFile: join(tls.folder, 'none') })).rejects.toMatchObject({
      code: 'tls-file',
    })
  })

  it('is used by pg_dump in the same way, which leaves nothing behind', async () => {
    const scratch = join(await temporaryFolder(), 'scratch')
    await mkdir(scratch)
    const { caFile, certificateFile, keyFile } = tls
    const dump = async (connection: PostgresConnection) => text((await pgDumpSchema({ connection, schema: 's', scratch })).stream)
    const byCertificate = to({ tls: 'verify-full', caFile, user: 'by_certificate', certificateFile, keyFile })
    expect(await dump(byCertificate)).toContain('dump complete')
    if (way === 'through a server') expect(await dump(to({ host: server.socketFolder }))).toContain('dump complete')
    for (let tries = 0; (await readdir(scratch)).length > 0 && tries < 1500; tries++) await sleep(20)
    expect(await readdir(scratch)).toEqual([])
  })
})

describe('a site', () => {
  it('has the way to its database through its server, or is told that it has none', async () => {
    const { context, close } = await openTestContext(await temporaryFolder(), {
      secrets: { 'site/testsite/database-password': server.password },
    })
    try {
      const folders = { siteDir: '/srv/site', filesDir: '/srv/files', securityDir: '/srv/security' }
      const database = { host: NAME, port: server.port, database: 'site', schema: 's', user: 'postgres', via: 'ssh' as const }
      await context.sites.add({ name: 'testsite', database, server: { kind: 'folder', ...folders } })
      const site = await context.sites.get('testsite')
      await expect(context.sites.connection(site)).rejects.toMatchObject({ code: 'no-ssh-server' })
      const ssh = targetOf(sshd).settings
      await context.sites.update({ name: 'testsite', database, server: { kind: 'ssh', ssh, ...folders } })
      const connection = await context.sites.connection(await context.sites.get('testsite'))
      const unknown = await connectPostgres(connection).catch((error) => error)
      expect(unknown.code).toBe('host-key-unknown')
      await context.ssh.hostKeys.accept(unknown.details)
      expect(await ask(connection, 'SELECT current_user AS me')).toEqual({ me: 'postgres' })
    } finally {
      await close()
    }
  })
})
