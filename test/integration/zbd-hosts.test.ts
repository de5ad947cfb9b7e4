import { spawn } from 'node:child_process'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { temporaryFolder } from '../support/home.ts'
import { type Sshd, startSshd } from '../support/sshd.ts'
import { zbd } from '../support/zbd.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
let sshd: Sshd

beforeAll(async () => {
  sshd = await startSshd()
})
afterAll(() => sshd?.stop())

it('accepts the key that was named and no other, lists it, and forgets it when it is named twice', async () => {
  const home = await temporaryFolder()
  const place = `127.0.0.1:${sshd.port}`
  const fingerprint = await sshd.fingerprint()
  const other = await zbd(['hosts', 'accept', place, '--fingerprint', 'SHA256:another', '--json'], { home })
  expect([other.code, other.json.error.code, other.json.error.details.fingerprint]).toEqual([1, 'host-key-not-seen', fingerprint])
  expect((await zbd(['hosts', '--json'], { home })).json.result).toEqual({ hosts: [] })

  const accepted = await zbd(['hosts', 'accept', place, '--fingerprint', fingerprint], { home })
  expect([accepted.code, accepted.stdout]).toEqual([0, expect.stringContaining(fingerprint)])
  const again = await zbd(['hosts', 'accept', place, '--fingerprint', fingerprint, '--json'], { home })
  expect([again.code, again.json.result]).toEqual([0, { accepted: false, known: true, fingerprint }])
  const key = { host: '127.0.0.1', port: sshd.port, type: 'ssh-ed25519', fingerprint }
  expect((await zbd(['hosts', '--json'], { home })).json.result).toEqual({ hosts: [key] })

  expect((await zbd(['hosts', 'forget', place], { home })).code).toBe(2)
  expect((await zbd(['hosts', 'forget', place, '--confirm', 'other'], { home })).code).toBe(2)
  expect(await readFile(join(home, 'known_hosts'), 'utf8')).toContain('ssh-ed25519')
  const forgotten = await zbd(['hosts', 'forget', place, '--confirm', '127.0.0.1', '--json'], { home })
  expect([forgotten.code, forgotten.json.result]).toEqual([0, { forgotten: true }])
  expect(await readFile(join(home, 'known_hosts'), 'utf8')).not.toContain('ssh-ed25519')
})

it('needs nothing but what was built', async () => {
  const home = await temporaryFolder()
  const copy = join(home, 'copy')
  await mkdir(copy)
  await cp(join(root, 'out'), join(copy, 'out'), { recursive: true })
  await cp(join(root, 'bin'), join(copy, 'bin'), { recursive: true })
  await writeFile(join(copy, 'package.json'), '{ "type": "module" }')
  const fingerprint = await sshd.fingerprint()
  const env = { PATH: process.env.PATH, HOME: home, BACKUP_DESK_HOME: home }
  const args = ['hosts', 'accept', `127.0.0.1:${sshd.port}`, '--fingerprint', fingerprint]
  const child = spawn(process.execPath, [join(copy, 'bin', 'zbd'), ...args], {
    cwd: home,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (said += text.toString()))
  const code = await new Promise((resolve) => child.once('close', resolve))
  expect([code, said]).toEqual([0, expect.stringContaining(fingerprint)])
})
