import { execFile } from 'node:child_process'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AppError } from '#shared/errors.ts'
import { openSshDesk, type SshDesk, targetOf } from '../support/ssh-desk.ts'
import { type Sshd, startSshd } from '../support/sshd.ts'

const run = promisify(execFile)
let sshd: Sshd
const desks: SshDesk[] = []

beforeAll(async () => {
  sshd = await startSshd({ hostKeys: ['ed25519', 'ecdsa', 'rsa'] })
})
afterAll(async () => {
  for (const opened of desks) await opened.close()
  await sshd?.stop()
})

async function desk(): Promise<SshDesk> {
  const opened = await openSshDesk()
  desks.push(opened)
  return opened
}

/** The code of the refusal, with the error; null: it got in. */
async function tryIt({ ssh }: SshDesk): Promise<AppError | null> {
  const error = await ssh.connect(targetOf(sshd)).then(
    () => null,
    (thrown) => thrown,
  )
  if (error) expect(error).toBeInstanceOf(AppError)
  return error
}

const here = () => ({ host: '127.0.0.1', port: sshd.port })

describe('a host that is not known', () => {
  it('is shown with its fingerprint, and let in once that is accepted', async () => {
    const operator = await desk()
    const unknown = await tryIt(operator)
    const fingerprint = await sshd.fingerprint('ed25519')
    expect(unknown?.code).toBe('host-key-unknown')
    expect(unknown?.details).toEqual({ ...here(), type: 'ssh-ed25519', fingerprint })
    await expect(operator.ssh.hostKeys.accept({ ...here(), fingerprint: 'SHA256:another' })).rejects.toMatchObject({
      code: 'host-key-not-seen',
    })
    expect(await operator.ssh.hostKeys.accept({ ...here(), fingerprint })).toEqual(unknown?.details)
    expect(await tryIt(operator)).toBeNull()
    expect(await operator.ssh.hostKeys.list()).toEqual([unknown?.details])
    // the file is OpenSSH's own
    const { stdout } = await run('ssh-keygen', ['-l', '-F', `[127.0.0.1]:${sshd.port}`, '-f', operator.knownHostsFile])
    expect(stdout).toContain(fingerprint)
    expect((await stat(operator.knownHostsFile)).mode & 0o777).toBe(0o600)
  })

  it('can be accepted only after it showed its key to this program', async () => {
    const fingerprint = await sshd.fingerprint('ed25519')
    await expect((await desk()).ssh.hostKeys.accept({ ...here(), fingerprint })).rejects.toMatchObject({
      code: 'host-key-not-seen',
    })
  })

  it('is unknown again once it was forgotten', async () => {
    const operator = await desk()
    const other = 'other.example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS'
    await writeFile(operator.knownHostsFile, `${other}\n${await sshd.knownHostsLine('ed25519')}\n`)
    expect(await operator.ssh.hostKeys.forget('127.0.0.1', sshd.port + 1)).toBe(false)
    expect(await operator.ssh.hostKeys.forget('127.0.0.1', sshd.port)).toBe(true)
    expect(await readFile(operator.knownHostsFile, 'utf8')).toBe(`${other}\n`)
    expect((await tryIt(operator))?.code).toBe('host-key-unknown')
  })
})

describe('a host of ~/.ssh/known_hosts', () => {
  it('is let in, also when its line is hashed', async () => {
    const operator = await desk()
    const file = await operator.put('known_hosts', `# mine\n\n${await sshd.knownHostsLine('ed25519')}\n`)
    await run('ssh-keygen', ['-H', '-f', file])
    expect(await readFile(file, 'utf8')).toMatch(/^\|1\|/m)
    expect(await tryIt(operator)).toBeNull()
    expect(await operator.ssh.hostKeys.list()).toEqual([])
  })

  it.each(['ecdsa', 'rsa'] as const)('is asked for the type of key that is known: %s', async (type) => {
    const operator = await desk()
    await operator.put('known_hosts', await sshd.knownHostsLine(type))
    expect(await tryIt(operator)).toBeNull()
  })

  it('is known by patterns, unless one excludes it', async () => {
    const key = (await sshd.knownHostsLine('ed25519')).split(' ').slice(1).join(' ')
    const fitting = await desk()
    await fitting.put('known_hosts', `[127.0.0.?]:*,*.example.org ${key}`)
    expect(await tryIt(fitting)).toBeNull()
    const excluded = await desk()
    await excluded.put('known_hosts', `[127.*]:*,![127.0.0.1]:* ${key}`)
    expect((await tryIt(excluded))?.code).toBe('host-key-unknown')
  })

  it('is refused when the key is revoked, even when it is known', async () => {
    const operator = await desk()
    const line = await sshd.knownHostsLine('ed25519')
    await operator.put('known_hosts', `${line}\n@revoked ${line.replace(/^\S+/, '*')}\n`)
    expect((await tryIt(operator))?.code).toBe('host-key-revoked')
  })

  it('is not known by what an authority could say of it', async () => {
    const operator = await desk()
    await operator.put('known_hosts', `@cert-authority ${await sshd.knownHostsLine('ed25519')}`)
    expect((await tryIt(operator))?.code).toBe('host-key-unknown')
  })

  it('is looked for in UserKnownHostsFile, by HostKeyAlias', async () => {
    const operator = await desk()
    const key = (await sshd.knownHostsLine('ed25519')).split(' ').slice(1).join(' ')
    await operator.put('hosts', `the-server ${key}`)
    await operator.put('config', 'Host 127.*\n  UserKnownHostsFile ~/.ssh/hosts\n  HostKeyAlias the-server\n')
    expect(await tryIt(operator)).toBeNull()
  })
})

describe('a host with another key', () => {
  it('is refused with both fingerprints, and the new one can’t be accepted beside the old one', async () => {
    const moved = await startSshd()
    try {
      const operator = await openSshDesk({ trusted: [moved] })
      desks.push(operator)
      const target = targetOf(moved)
      const connection = await operator.ssh.connect(target)
      const before = await moved.fingerprint()
      await moved.setHostKey('ecdsa')
      const after = await moved.fingerprint()
      const error = await operator.ssh.connect(target).catch((thrown) => thrown)
      expect(error.code).toBe('host-key-changed')
      expect(error.message).toContain(before)
      expect(error.message).toContain(after)
      expect(error.details).toMatchObject({ fingerprint: after, known: [{ type: 'ssh-ed25519', fingerprint: before }] })
      await expect(connection.run(['true'])).rejects.toMatchObject({ code: 'host-key-changed' })
      const key = { host: moved.host, port: moved.port, fingerprint: after }
      await expect(operator.ssh.hostKeys.accept(key)).rejects.toMatchObject({ code: 'host-key-not-seen' })
      // only when the old one was given up by hand
      expect(await operator.ssh.hostKeys.forget(moved.host, moved.port)).toBe(true)
      await expect(operator.ssh.connect(target)).rejects.toMatchObject({ code: 'host-key-unknown' })
      await operator.ssh.hostKeys.accept(key)
      expect((await connection.run(['true'])).code).toBe(0)
    } finally {
      await moved.stop()
    }
  })
})
