import { createHmac, randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openHostKeys } from '#engine/foundation/connections/ssh/host-keys.ts'
import { isAbout, parseKnownHosts, publicHostKey } from '#engine/foundation/connections/ssh/known-hosts-line.ts'
import { openLocks } from '#engine/foundation/locks.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { codeOf } from '#test/support/repository-contract.ts'

const HOST = { host: 'web1.example.org', port: 2222 }

function newKey() {
  const type = Buffer.from('ssh-ed25519')
  const length = (bytes: Buffer) => Buffer.from([0, 0, 0, bytes.length])
  const point = randomBytes(32)
  return publicHostKey(Buffer.concat([length(type), type, length(point), point]))!
}

const lineOf = (key: ReturnType<typeof newKey>, marker = '') =>
  `${marker}[${HOST.host}]:${HOST.port} ${key.type} ${key.blob.toString('base64')}\n`

it.each([
  ['host-key-changed', ''],
  ['host-key-revoked', '@revoked '],
])('accepts no key that was shown before somebody else made it %s', async (code, marker) => {
  const folder = await temporaryFolder()
  const file = join(folder, 'known_hosts')
  await mkdir(join(folder, 'locks'))
  const keys = openHostKeys(file, openLocks(join(folder, 'locks'), 'test'))
  const shown = newKey()
  expect((await keys.knowledge(HOST.host, HOST.port, [])).check(shown)?.code).toBe('host-key-unknown')
  await writeFile(file, lineOf(code === 'host-key-changed' ? newKey() : shown, marker))
  expect(await codeOf(keys.accept({ ...HOST, fingerprint: shown.fingerprint }))).toBe(code)
  expect((await keys.knowledge(HOST.host, HOST.port, [])).check(shown)?.code).toBe(code)
})

it('takes a hashed line for that of its own host only', () => {
  const salt = randomBytes(20)
  const hash = createHmac('sha1', salt).update(HOST.host).digest('base64')
  const key = newKey()
  const [line] = parseKnownHosts(`|1|${salt.toString('base64')}|${hash} ${key.type} ${key.blob.toString('base64')}`)
  expect(isAbout(line!, HOST.host)).toBe(true)
  expect(isAbout(line!, 'web2.example.org')).toBe(false)
})
