import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ConnectionCheck } from '#shared/contract/sites.ts'
import type { SshSecrets } from '#shared/model/site.ts'
import { type HostKeyType, makeKey, type Sshd, startSshd, whyNoSshd } from '#test/support/sshd.ts'
import { type Desk, expect, test } from './support/desk.ts'

/* SSH inside of Electron, whose cryptography is another one than Node's. */

const why = whyNoSshd()
test.skip(why !== null, why ?? '')

/** What the engine of the app finds when it tries the server. */
async function tryServer(desk: Desk, sshd: Sshd, keyFile: string, sshSecrets: SshSecrets): Promise<ConnectionCheck[]> {
  const folders = { siteDir: '/srv/site', filesDir: '/srv/files', securityDir: '/srv/security' }
  const ssh = { host: sshd.host, port: sshd.port, user: sshd.user, auth: 'key' as const, keyFile }
  const database = { host: '127.0.0.1', port: 1, database: 'd', schema: 's', user: 'u' }
  const site = { name: 'by-ssh', database, server: { kind: 'ssh' as const, ssh, ...folders }, sshSecrets }
  const tried = await desk.window.evaluate((site) => window.desk.invoke('sites.test', { site }), site)
  if (tried.unknownHost) {
    const { host, port, fingerprint } = tried.unknownHost
    expect([host, port]).toEqual([sshd.host, sshd.port])
    await desk.window.evaluate((key) => window.desk.invoke('hosts.accept', key), { host, port, fingerprint })
    return tryServer(desk, sshd, keyFile, sshSecrets)
  }
  return tried.checks.filter(({ connection }) => connection === 'server')
}

const KINDS: [HostKeyType, HostKeyType, { passphrase?: string; format?: 'PEM' | 'PKCS8' }][] = [
  ['ed25519', 'ed25519', { passphrase: 'open sesame' }],
  ['ecdsa', 'rsa', { passphrase: 'open sesame', format: 'PEM' }],
  ['rsa', 'ecdsa', { passphrase: 'open sesame', format: 'PKCS8' }],
]

for (const [hostKey, userKey, options] of KINDS) {
  test(`a host with an ${hostKey} key is logged in to with a protected ${options.format ?? 'OpenSSH'} ${userKey} key`, async ({
    desk,
  }) => {
    const sshd = await startSshd({ hostKeys: [hostKey] })
    try {
      const keyFile = join(sshd.folder, 'key')
      await makeKey(keyFile, userKey, options)
      await sshd.authorize(await readFile(`${keyFile}.pub`, 'utf8'))
      const checks = await tryServer(desk, sshd, keyFile, { passphrase: options.passphrase })
      const logIn = checks.find(({ name }) => /log.?in/i.test(name))
      expect(logIn, JSON.stringify(checks)).toMatchObject({ outcome: 'passed' })
      const refused = await tryServer(desk, sshd, keyFile, { passphrase: 'another' })
      expect(JSON.stringify(refused)).toContain('did not open with the stored passphrase')
    } finally {
      await sshd.stop()
    }
  })
}
