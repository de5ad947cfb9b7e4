import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { temporaryFolder } from '#test/support/home.ts'
import { allowed } from '#test/support/patience.ts'
import { spawnZbd, type ZbdOptions, zbd } from '#test/support/zbd.ts'

/** A machine that takes connections and says nothing, as a firewall or a hung server does. */
async function silentServer() {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  const address = server.address()
  return { server, port: typeof address === 'object' && address ? address.port : 0 }
}

it('Ctrl-C ends whatever waits for a server that does not answer', async () => {
  const { server, port } = await silentServer()
  const root = await temporaryFolder()
  const run = async (name: string, ...args: string[]) => {
    const home = join(root, name)
    await mkdir(home)
    const options: ZbdOptions = { home }
    const site = {
      version: 1,
      name: 'testsite',
      database: { host: 'localhost', database: 'd', schema: 'testsite', user: 'u', via: 'ssh' },
      server: {
        kind: 'ssh',
        ssh: { host: '127.0.0.1', port, user: 'u', auth: 'password' },
        siteDir: '/s',
        filesDir: '/f',
        securityDir: '/k',
      },
    }
    await writeFile(join(home, 'site.json'), JSON.stringify(site))
    expect((await zbd(['sites', 'add', '--file', 'site.json'], options)).code).toBe(0)
    const reached = once(server, 'connection')
    const child = spawnZbd([...args, '--json'], options)
    let output = ''
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    child.stdin?.end()
    await reached
    const interrupted = performance.now()
    child.kill('SIGINT')
    const [code] = await once(child, 'close')
    // by itself it would give up after 25 s
    expect(performance.now() - interrupted).toBeLessThan(Math.min(24_000, allowed(7500)))
    return { code, error: (JSON.parse(output) as { error: { code: string; message: string } }).error }
  }
  const cancelled = { code: 130, error: { code: 'cancelled', message: expect.stringContaining('Nothing half-made') } }
  for (const [name, ...args] of [
    ['test', 'test', 'testsite'],
    ['list', 'list', 'testsite', '--in', 'server'],
    ['settings', 'server', 'testsite', 'settings'],
    ['accept', 'hosts', 'accept', `127.0.0.1:${port}`, '--fingerprint', 'SHA256:x'],
    ['dump', 'backup', 'testsite', '--engine', 'server'],
    // nothing was begun there, and nothing is said to go on
    ['on-server', 'backup', 'testsite', '--on-server'],
  ] as const) {
    expect(await run(name, ...args), name).toMatchObject(cancelled)
  }
})
