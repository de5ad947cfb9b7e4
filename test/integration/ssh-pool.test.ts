import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { SshConnection } from '#engine/foundation/connections/ssh/types.ts'
import { allowed } from '#test/support/patience.ts'
import { codeOf } from '#test/support/repository-contract.ts'
import { openSshDesk, type SshDesk, targetOf } from '#test/support/ssh-desk.ts'
import { type Sshd, startSshd, whyNoSshd } from '#test/support/sshd.ts'
import { startTcpProxy, type TcpProxy } from '#test/support/tcp-proxy.ts'

const names = vi.hoisted(() => ({ unknownFor: 0 }))
vi.mock('node:dns/promises', async (original) => {
  const dns = await original<typeof import('node:dns/promises')>()
  return {
    ...dns,
    lookup: async (host: string, options: object) => {
      if (names.unknownFor-- > 0) throw Object.assign(new Error('no network'), { code: 'EAI_AGAIN' })
      return dns.lookup(host, options)
    },
  }
})

const why = whyNoSshd()
if (why) console.error(`SKIPPED in ssh-pool.test.ts: ${why}`)

/** Far more than anything of this takes, and less than what is noticed by itself. */
const SOON_MS = 10_000

describe.skipIf(why !== null)('the pooled connection of a server', () => {
  let sshd: Sshd
  let proxy: TcpProxy
  let desk: SshDesk
  const opened: SshDesk[] = []

  beforeAll(async () => {
    sshd = await startSshd()
    desk = await newDesk()
  })
  afterAll(async () => {
    for (const { close } of opened) await close()
    await proxy?.close()
    await sshd?.stop()
  })

  async function newDesk(options: { idleMs?: number } = {}): Promise<SshDesk> {
    const made = await openSshDesk({ trusted: [sshd], ...options })
    opened.push(made)
    return made
  }

  /** A connection over a line of its own. */
  async function throughProxy(options: { delayMs?: number } = {}): Promise<SshConnection> {
    await proxy?.close()
    proxy = await startTcpProxy(sshd.port, options)
    await desk.put('known_hosts', (await sshd.knownHostsLine()).replace(`:${sshd.port} `, `:${proxy.port} `))
    return desk.ssh.connect(targetOf(sshd, { port: proxy.port }))
  }

  /** Breaks a connection off and waits until that is known here. */
  async function lose(connection: SshConnection, cut: () => void): Promise<void> {
    const underWay = await connection.start(['sleep', '60'])
    cut()
    expect(await codeOf(underWay.ended)).toBe('connection-lost')
  }

  it('does not fail one who comes when another has just given up connecting', async () => {
    const connection = await throughProxy({ delayMs: 50 })
    await lose(connection, () => proxy.cut())
    const controller = new AbortController()
    const first = codeOf(connection.run(['true'], { signal: controller.signal }))
    // the handshake is under way
    await sleep(100)
    controller.abort()
    expect(await first).toBe('cancelled')
    expect((await connection.run(['echo', 'there'])).stdout).toBe('there\n')
  })

  it('is not used any more from the moment on that it is closed for idleness', async () => {
    const { ssh } = await newDesk({ idleMs: 20 })
    const connection = await ssh.connect(targetOf(sshd))
    await connection.run(['true'])
    // both are due in the same turn of the event loop, the closing first
    const next = sleep(40)
    const until = performance.now() + 80
    while (performance.now() < until);
    await next
    expect((await connection.run(['echo', 'there'])).stdout).toBe('there\n')
  })

  it('hears an abort while the server does not answer', async () => {
    const connection = await throughProxy()
    await writeFile(join(sshd.folder, 'content'), 'x'.repeat(100_000))
    await connection.files.facts(sshd.folder)
    proxy.setWeather('answers-swallowed')
    const began = performance.now()
    const controller = new AbortController()
    const { signal } = controller
    const body = Readable.from(['content'])
    const waiting = Promise.all([
      codeOf(connection.files.read(join(sshd.folder, 'content'), { signal })),
      codeOf(connection.files.write(join(sshd.folder, 'new'), body, { signal })),
      codeOf(connection.forward({ host: '127.0.0.1', port: sshd.port }, signal)),
      codeOf(connection.run(['true'], { signal })),
      codeOf(connection.start(['true'], signal)),
    ])
    await sleep(100)
    controller.abort()
    expect(await waiting).toEqual(Array(5).fill('cancelled'))
    expect(body.destroyed).toBe(true)
    expect(performance.now() - began).toBeLessThan(SOON_MS)
  })

  it('hears an abort while it is made anew', async () => {
    const connection = await throughProxy()
    await lose(connection, () => {
      proxy.refuse()
      proxy.cut()
    })
    const began = performance.now()
    const controller = new AbortController()
    const { signal } = controller
    const waiting = Promise.all([
      codeOf(connection.files.read('/etc/hostname', { signal })),
      codeOf(connection.files.write(join(sshd.folder, 'new'), Readable.from(['content']), { signal })),
    ])
    await sleep(100)
    controller.abort()
    expect(await waiting).toEqual(['cancelled', 'cancelled'])
    // the tries go on for 7 s
    expect(performance.now() - began).toBeLessThan(allowed(5000))
  })

  it('goes on to connect when one who reads gave up, so that the next one finds it there', async () => {
    const connection = await throughProxy({ delayMs: 100 })
    await lose(connection, () => proxy.cut())
    const hurried = () => codeOf(connection.files.read('/etc/hostname', { signal: AbortSignal.timeout(500) }))
    expect(await hurried()).toBe('cancelled')
    const { up } = proxy.moved
    // the handshake takes longer than each of them waits
    await vi.waitFor(async () => expect(await hurried()).toBe('no error'), { timeout: 3 * SOON_MS })
    expect(proxy.moved.up).toBeGreaterThan(up)
  })

  it('comes back when the name of the server could not be looked up for a while', async () => {
    await desk.put('known_hosts', (await sshd.knownHostsLine()).replace('[127.0.0.1]', '[localhost]'))
    await desk.put('config', 'Host by-name\n HostName localhost\n AddressFamily inet\n')
    const connection = await desk.ssh.connect(targetOf(sshd, { host: 'by-name' }))
    await lose(connection, () => void sshd.killConnections())
    names.unknownFor = 2
    expect((await connection.run(['echo', 'there'])).stdout).toBe('there\n')
    expect(names.unknownFor).toBeLessThanOrEqual(0)
    names.unknownFor = 1
    const unknown = desk.ssh.connect(targetOf(sshd, { host: 'localhost', port: 1 }))
    expect(await codeOf(unknown)).toBe('host-unknown')
  })

  it('tells that files are out of reach when only their channel ended, and opens another', async () => {
    const connection = await desk.ssh.connect(targetOf(sshd))
    const pipe = join(sshd.folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    await connection.files.facts(pipe)
    // nobody writes into it: the server waits with its answer
    const reading = codeOf(connection.files.read(pipe))
    const session = Number((await connection.run(['sh', '-c', 'echo $PPID'])).stdout)
    const servers = childrenOf(session).filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('sftp'))
    expect(servers).not.toEqual([])
    for (const pid of servers) process.kill(pid, 'SIGKILL')
    expect(await reading).toBe('connection-lost')
    const all = await Promise.all(Array.from({ length: 4 }, () => connection.files.facts(sshd.folder)))
    expect(all.map((facts) => facts?.kind)).toEqual(Array(4).fill('folder'))
    expect(childrenOf(session).filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('sftp'))).toHaveLength(1)
  })

  it('lets go of a command that ended before its output was read', async () => {
    const { ssh } = await newDesk({ idleMs: 50 })
    const connection = await ssh.connect(targetOf(sshd))
    const command = await connection.start([
      'sh',
      '-c',
      'head -c 1000000 /dev/zero; echo $$ > "$1"',
      'sh',
      join(sshd.folder, 'pid'),
    ])
    const isOver = () => !existsSync(`/proc/${Number(readFileSync(join(sshd.folder, 'pid'), 'utf8')) || 'none yet'}`)
    await vi.waitFor(() => expect(readFileSync(join(sshd.folder, 'pid'), 'utf8') !== '' && isOver()).toBe(true), {
      timeout: SOON_MS,
    })
    // its code is here by the time of another answer
    await connection.run(['true'])
    command.stdout.destroy()
    expect((await command.ended).code).toBe(0)
  })

  it('leaves nothing unhandled when it is closed under commands that are given up', async () => {
    const { ssh } = await newDesk()
    const connection = await ssh.connect(targetOf(sshd))
    const controller = new AbortController()
    const command = await connection.start(['sleep', '60'], controller.signal)
    await connection.run(['true'])
    const closing = ssh.close()
    controller.abort()
    await closing
    expect(['cancelled', 'connection-lost']).toContain(await codeOf(command.ended))
    expect(await codeOf(connection.run(['true']))).toBe('cancelled')
  })
})

function childrenOf(parent: number): number[] {
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return processes.map(Number).filter((pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent
    } catch {
      return false
    }
  })
}
