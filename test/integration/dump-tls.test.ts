import { execFile } from 'node:child_process'
import { chown, copyFile, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { dumpInChild } from '../bench/dump-in-child.ts'
import { type Postgres15, startPostgres15 } from '../support/postgres.ts'

const run = promisify(execFile)
let server: Postgres15
let folder: string

/** A server that speaks TLS with a certificate for "localhost" of an authority of its own. */
beforeAll(async () => {
  server = await startPostgres15()
  folder = await mkdtemp(join(tmpdir(), 'backup-desk-tls-'))
  const openssl = (...args: string[]) => run('openssl', args, { cwd: folder })
  await openssl(
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=Test authority',
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
  )
  await openssl(
    'req',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-subj',
    '/CN=localhost',
    '-addext',
    'subjectAltName=DNS:localhost',
    '-keyout',
    'server.key',
    '-out',
    'server.csr',
  )
  await openssl(
    'x509',
    '-req',
    '-in',
    'server.csr',
    '-CA',
    'ca.pem',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-days',
    '2',
    '-copy_extensions',
    'copy',
    '-out',
    'server.crt',
  )
  const data = (await server.psql('postgres', 'SHOW data_directory')).trim()
  const { uid, gid } = await stat(data)
  for (const file of ['server.key', 'server.crt']) {
    await copyFile(join(folder, file), join(data, file))
    await chown(join(data, file), uid, gid)
    await run('chmod', ['600', join(data, file)])
  }
  await server.psql('postgres', 'ALTER SYSTEM SET ssl = on')
  await server.psql('postgres', 'SELECT pg_reload_conf()')
  await server.createDatabase('site')
  await server.psql('site', 'CREATE SCHEMA s; CREATE TABLE s.t AS SELECT 1 AS a')
  for (let tries = 0; (await server.psql('postgres', 'SHOW ssl')).trim() !== 'on' && tries < 600; tries++) await sleep(50)
})

afterAll(async () => {
  delete process.env.NODE_EXTRA_CA_CERTS
  await server?.stop()
  if (folder) await rm(folder, { recursive: true, force: true })
})

/** In a process of its own: Node reads its authorities when it starts. */
async function dump(engine: 'built-in' | 'pg_dump', tls: 'require' | 'verify-full', host = 'localhost'): Promise<string> {
  const file = join(folder, `${engine}-${tls}-${Math.random()}.sql.gz`)
  const connection = { ...server.connection('site'), host, tls }
  await dumpInChild({ connection, schema: 's', engine, file, compression: 1, isChecked: true })
  return gunzipSync(await readFile(file)).toString()
}

test.each(['built-in', 'pg_dump'] as const)('%s checks the server’s certificate as the site’s TLS mode says', async (engine) => {
  delete process.env.NODE_EXTRA_CA_CERTS
  expect(await dump(engine, 'require')).toContain('dump complete')
  await expect(dump(engine, 'verify-full')).rejects.toThrow(/code 1: No connection to PostgreSQL .*certificate/)
  process.env.NODE_EXTRA_CA_CERTS = join(folder, 'ca.pem')
  expect(await dump(engine, 'verify-full')).toContain('dump complete')
  // the certificate is for another name
  await expect(dump(engine, 'verify-full', '127.0.0.1')).rejects.toThrow(/code 1: No connection to PostgreSQL .*altnames/)
})
