import { execFile } from 'node:child_process'
import { chmod, chown, copyFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Postgres15 } from './postgres.ts'

const run = promisify(execFile)

/** The files of an authority of its own, and of a user whom the server knows by certificate. */
export interface TlsSetup {
  folder: string
  caFile: string
  certificateFile: string
  keyFile: string
  remove(): Promise<void>
}

/**
 * Makes a cluster speak TLS with a certificate of an authority of its own.
 * @param options.name what the server's certificate is for
 * @param options.certificateUser this user logs in by certificate only
 */
export async function switchOnTls(server: Postgres15, options: { name: string; certificateUser: string }): Promise<TlsSetup> {
  const { name, certificateUser } = options
  const folder = await mkdtemp(join(tmpdir(), 'backup-desk-tls-'))
  const openssl = (...args: string[]) => run('openssl', args, { cwd: folder })
  const newKey = ['-newkey', 'rsa:2048', '-nodes']
  await openssl('req', '-x509', ...newKey, '-days', '2', '-subj', '/CN=Test authority', '-keyout', 'ca.key', '-out', 'ca.pem')
  const issue = async (file: string, subject: string, more: string[]) => {
    await openssl('req', ...newKey, '-subj', `/CN=${subject}`, ...more, '-keyout', `${file}.key`, '-out', `${file}.csr`)
    const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial']
    await openssl('x509', '-req', '-in', `${file}.csr`, ...by, '-days', '2', '-copy_extensions', 'copy', '-out', `${file}.crt`)
  }
  await issue('server', name, ['-addext', `subjectAltName=DNS:${name}`])
  await issue('client', certificateUser, [])
  const data = (await server.psql('postgres', 'SHOW data_directory')).trim()
  const { uid, gid } = await stat(data)
  for (const file of ['server.key', 'server.crt', 'ca.pem']) {
    await copyFile(join(folder, file), join(data, file))
    await chown(join(data, file), uid, gid)
    await chmod(join(data, file), 0o600)
  }
  const rules = join(data, 'pg_hba.conf')
  await writeFile(rules, `hostssl all ${certificateUser} 127.0.0.1/32 cert\n${await readFile(rules, 'utf8')}`)
  await server.psql('postgres', `CREATE ROLE ${certificateUser} LOGIN SUPERUSER`)
  await server.psql('postgres', "ALTER SYSTEM SET ssl_ca_file = 'ca.pem'")
  await server.psql('postgres', 'ALTER SYSTEM SET ssl = on')
  await server.psql('postgres', 'SELECT pg_reload_conf()')
  for (let tries = 0; (await server.psql('postgres', 'SHOW ssl')).trim() !== 'on' && tries < 600; tries++) await sleep(50)
  return {
    folder,
    caFile: join(folder, 'ca.pem'),
    certificateFile: join(folder, 'client.crt'),
    keyFile: join(folder, 'client.key'),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}
