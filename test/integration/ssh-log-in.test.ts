import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { copyFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { plainEd25519 } from '#engine/foundation/connections/ssh/plain-key.ts'
import type { ConnectStep, SshTarget } from '#engine/foundation/connections/ssh/types.ts'
import { AppError } from '#shared/errors.ts'
import { codeOf } from '../support/repository-contract.ts'
import { openSshDesk, type SshDesk, targetOf } from '../support/ssh-desk.ts'
import { makeKey, type Sshd, startSshd, whyNoSshd } from '../support/sshd.ts'

const run = promisify(execFile)
const noRoot = whyNoSshd(true)
if (noRoot) console.log(`skipped, log-in by password: ${noRoot}`)

let sshd: Sshd
let withPassword: Sshd | null = null
let withKeyboard: Sshd | null = null
const desks: SshDesk[] = []

beforeAll(async () => {
  sshd = await startSshd()
  if (noRoot) return
  withPassword = await startSshd({ password: 'password' })
  withKeyboard = await startSshd({ password: 'keyboard' })
})

afterAll(async () => {
  for (const opened of desks) await opened.close()
  for (const server of [sshd, withPassword, withKeyboard]) await server?.stop()
})

async function desk(env: NodeJS.ProcessEnv = {}): Promise<SshDesk> {
  const trusted = [sshd, withPassword, withKeyboard].filter((server) => server !== null)
  const opened = await openSshDesk({ env, trusted })
  desks.push(opened)
  return opened
}

async function whoAmI({ ssh }: SshDesk, target: SshTarget): Promise<string> {
  const connection = await ssh.connect(target)
  return (await connection.run(['id', '-un'])).stdout.trim()
}

async function refusal(work: Promise<unknown>): Promise<AppError> {
  const error = await work.then(
    () => null,
    (thrown) => thrown,
  )
  expect(error).toBeInstanceOf(AppError)
  return error
}

describe('with a key file', () => {
  const kinds = [
    ['OpenSSH ed25519', 'ed25519', {}],
    ['OpenSSH ed25519 with a passphrase', 'ed25519', { passphrase: 'open sesame' }],
    ['OpenSSH ecdsa', 'ecdsa', {}],
    ['PEM rsa', 'rsa', { format: 'PEM' }],
    ['PEM rsa with a passphrase', 'rsa', { format: 'PEM', passphrase: 'open sesame' }],
    ['PEM ecdsa', 'ecdsa', { format: 'PEM' }],
    ['PKCS#8 rsa', 'rsa', { format: 'PKCS8' }],
    ['PKCS#8 rsa with a passphrase', 'rsa', { format: 'PKCS8', passphrase: 'open sesame' }],
    ['PKCS#8 ecdsa with a passphrase', 'ecdsa', { format: 'PKCS8', passphrase: 'open sesame' }],
  ] as const
  it.each(kinds)('%s', async (name, type, options) => {
    const keyFile = join(sshd.folder, name.replaceAll(/[ #]/g, '-'))
    await makeKey(keyFile, type, options)
    await sshd.authorize(await readFile(`${keyFile}.pub`, 'utf8'))
    const { passphrase } = options as { passphrase?: string }
    const here = await desk()
    expect(await whoAmI(here, targetOf(sshd, { keyFile }, passphrase ? { passphrase } : {}))).toBe(sshd.user)
    if (!passphrase) return
    const missing = await refusal(here.ssh.connect(targetOf(sshd, { keyFile })))
    expect([missing.code, missing.details.isMissing]).toEqual(['key-passphrase', true])
    const wrong = await refusal(here.ssh.connect(targetOf(sshd, { keyFile }, { passphrase: 'canary-wrong' })))
    expect([wrong.code, wrong.details.isMissing]).toEqual(['key-passphrase', false])
    expect(JSON.stringify(wrong.toData())).not.toContain('canary')
  })

  it.each([null, 'open sesame'])('PKCS#8 ed25519, which ssh-keygen does not write (passphrase: %s)', async (passphrase) => {
    const { privateKey } = generateKeyPairSync('ed25519')
    const protection = passphrase === null ? {} : { cipher: 'aes-256-cbc', passphrase }
    const here = await desk()
    const keyFile = await here.put('key', privateKey.export({ type: 'pkcs8', format: 'pem', ...protection }).toString())
    const plain = await here.put('plain', plainEd25519(privateKey.export({ type: 'pkcs8', format: 'der' })))
    await sshd.authorize((await run('ssh-keygen', ['-y', '-f', plain])).stdout)
    expect(await whoAmI(here, targetOf(sshd, { keyFile }, passphrase === null ? {} : { passphrase }))).toBe(sshd.user)
  })

  it('says what is wrong with it', async () => {
    const here = await desk()
    const none = await refusal(here.ssh.connect(targetOf(sshd, { keyFile: join(sshd.folder, 'none') })))
    expect([none.code, none.message]).toEqual(['key-unreadable', expect.stringContaining('no such file')])
    const text = await here.put('text', 'no key at all')
    expect((await refusal(here.ssh.connect(targetOf(sshd, { keyFile: text })))).code).toBe('key-unreadable')
    const publicHalf = await refusal(here.ssh.connect(targetOf(sshd, { keyFile: `${sshd.keyFile}.pub` })))
    expect([publicHalf.code, publicHalf.message]).toEqual(['key-unreadable', expect.stringContaining('no private key')])
  })

  it('says that the server does not know it', async () => {
    const keyFile = join(sshd.folder, 'stranger')
    await makeKey(keyFile, 'ed25519')
    const error = await refusal((await desk()).ssh.connect(targetOf(sshd, { keyFile })))
    expect(error.code).toBe('log-in-refused')
    expect(error.details).toEqual({ place: expect.any(String), tried: [`the key ${keyFile}`], offered: ['publickey'] })
  })

  it('finds the usual ones by itself', async () => {
    const here = await desk()
    await copyFile(sshd.keyFile, join(here.userHome, '.ssh', 'id_ed25519'))
    const { keyFile: _keyFile, ...settings } = targetOf(sshd, { auth: 'auto' }).settings
    expect(await whoAmI(here, { settings, secrets: {} })).toBe(sshd.user)
  })
})

describe('with the agent', () => {
  let agent: ChildProcess
  let socket: string
  beforeAll(async () => {
    socket = join(sshd.folder, 'agent')
    agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' })
    const env = { ...process.env, SSH_AUTH_SOCK: socket }
    for (let tries = 0; tries < 1000; tries++) {
      await sleep(20)
      if (await run('ssh-add', ['-q', sshd.keyFile], { env }).catch(() => null)) return
    }
    throw new Error('no agent')
  })
  afterAll(() => void agent.kill())

  const settings = () => {
    const { keyFile: _keyFile, ...others } = targetOf(sshd, { auth: 'agent' }).settings
    return others
  }

  it('signs with a key that it keeps', async () => {
    expect(await whoAmI(await desk({ SSH_AUTH_SOCK: socket }), { settings: settings(), secrets: {} })).toBe(sshd.user)
  })

  it('is found by IdentityAgent, and asked only for the keys that are named', async () => {
    const here = await desk()
    await here.put('config', `Host site\n  HostName 127.0.0.1\n  IdentityAgent ${socket}\n`)
    expect(await whoAmI(here, { settings: { ...settings(), host: 'site' }, secrets: {} })).toBe(sshd.user)
    const strict = await desk()
    await makeKey(join(strict.userHome, '.ssh', 'other'), 'ed25519')
    await strict.put('config', `Host *\n  IdentityAgent ${socket}\n  IdentitiesOnly yes\n  IdentityFile ~/.ssh/other\n`)
    const error = await refusal(strict.ssh.connect({ settings: settings(), secrets: {} }))
    expect([error.code, error.message]).toEqual(['log-in-refused', expect.stringContaining('none of the keys')])
  })

  it('is said to be missing', async () => {
    const error = await refusal((await desk()).ssh.connect({ settings: settings(), secrets: {} }))
    expect([error.code, error.message]).toEqual(['log-in-refused', expect.stringContaining('SSH_AUTH_SOCK')])
    const dead = await desk({ SSH_AUTH_SOCK: join(sshd.folder, 'nothing') })
    const silent = await refusal(dead.ssh.connect({ settings: settings(), secrets: {} }))
    expect([silent.code, silent.message]).toEqual(['log-in-refused', expect.stringContaining('did not answer')])
  })

  it('is never forwarded', async () => {
    const { ssh } = await desk({ SSH_AUTH_SOCK: socket })
    const connection = await ssh.connect({ settings: settings(), secrets: {} })
    expect((await connection.run(['sh', '-c', 'echo "[$SSH_AUTH_SOCK]"'])).stdout).toBe('[]\n')
  })
})

describe.skipIf(noRoot)('with a password', () => {
  it.each(['password', 'keyboard-interactive'])('by %s', async (method) => {
    const server = (method === 'password' ? withPassword : withKeyboard)!
    const { name, password } = server.passwordUser!
    const settings = { host: server.host, port: server.port, user: name, auth: 'password' as const }
    const here = await desk()
    expect(await whoAmI(here, { settings, secrets: { password } })).toBe(name)
    // the one that is open must not let a wrong one pass
    const error = await refusal(here.ssh.connect({ settings, secrets: { password: 'canary-wrong' } }))
    expect(error.code).toBe('log-in-refused')
    expect(error.details.tried).toEqual(['the stored password'])
    expect(error.details.offered).toContain(method)
    expect(JSON.stringify(error.toData())).not.toContain('canary')
    const missing = await refusal(here.ssh.connect({ settings, secrets: {} }))
    expect([missing.code, missing.message]).toEqual(['log-in-refused', expect.stringContaining('no password is stored')])
  })

  it('after the keys, when nothing was chosen', async () => {
    const server = withPassword!
    const { name, password } = server.passwordUser!
    const here = await desk()
    await makeKey(join(here.userHome, '.ssh', 'id_ed25519'), 'ed25519')
    const settings = { host: server.host, port: server.port, user: name, auth: 'auto' as const }
    expect(await whoAmI(here, { settings, secrets: { password } })).toBe(name)
  })
})

describe('by ~/.ssh/config', () => {
  it('uses what it says of an alias, and the operator’s own settings before it', async () => {
    const here = await desk()
    const entry = `Host web\n  HostName 127.0.0.1\n  Port ${sshd.port}\n  User ${sshd.user}\n  IdentityFile ${sshd.keyFile}\n`
    await here.put('config', `Include more/*.conf\n${entry}Host *\n  User nobody\n  Port 1\n`)
    const steps: ConnectStep[] = []
    const connection = await here.ssh.connect(
      { settings: { host: 'web', auth: 'key' }, secrets: {} },
      { onStep: (step) => steps.push(step) },
    )
    expect(connection.place).toBe(`${sshd.user}@127.0.0.1:${sshd.port}`)
    expect(steps.map(({ name }) => name)).toEqual(['resolve', 'connect', 'host-key', 'log-in'])
    expect(steps[2]?.finding).toContain(await sshd.fingerprint())
    expect(await here.ssh.aliases()).toEqual([{ alias: 'web', host: '127.0.0.1', user: sshd.user }])
    const other = await refusal(here.ssh.connect({ settings: { host: 'web', port: 1, auth: 'key' }, secrets: {} }))
    expect([other.code, other.message]).toEqual(['host-unreachable', expect.stringContaining('nothing answers')])
  })

  it('says that a host has no address', async () => {
    const error = await refusal(
      (await desk()).ssh.connect({ settings: { host: 'no-such-host.invalid', auth: 'auto' }, secrets: {} }),
    )
    expect(error.code).toBe('host-unknown')
  })
})

describe('through a jump host', () => {
  it('checks the key of each host, and takes it from ~/.ssh/config too', async () => {
    const jump = await startSshd()
    try {
      const here = await openSshDesk({ trusted: [sshd] })
      desks.push(here)
      const jumps = [`${jump.user}@127.0.0.1:${jump.port}`]
      const unknown = await refusal(here.ssh.connect(targetOf(sshd, { jumps })))
      expect([unknown.code, unknown.details.port]).toEqual(['host-key-unknown', jump.port])
      await here.ssh.hostKeys.accept({
        host: '127.0.0.1',
        port: jump.port,
        fingerprint: await jump.fingerprint(),
      })
      // the key that the server takes, the jump host does not
      expect((await refusal(here.ssh.connect(targetOf(sshd, { jumps })))).code).toBe('log-in-refused')
      await jump.authorize(await readFile(`${sshd.keyFile}.pub`, 'utf8'))
      const connection = await here.ssh.connect(targetOf(sshd, { jumps }))
      const { stdout } = await connection.run(['sh', '-c', 'echo $SSH_CONNECTION'])
      expect(stdout).toContain(` ${sshd.port}`)
      const underWay = await connection.start(['sleep', '60'])
      expect(jump.killConnections()).toBeGreaterThan(0)
      expect(await codeOf(underWay.ended)).toBe('connection-lost')
      expect((await connection.run(['true'])).code).toBe(0)

      const configured = await openSshDesk({ trusted: [sshd, jump] })
      desks.push(configured)
      await configured.put(
        'config',
        `Host target\n HostName 127.0.0.1\n ProxyJump ${jumps[0]}\nHost 127.0.0.1\n ProxyJump none\n`,
      )
      const there = await configured.ssh.connect(targetOf(sshd, { host: 'target' }))
      expect((await there.run(['true'])).code).toBe(0)
      expect(jump.killConnections()).toBeGreaterThan(0)
    } finally {
      await jump.stop()
    }
  })
})
