import { execFileSync } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { quoteCommand } from '#engine/foundation/connections/ssh/quote.ts'
import type { SshConnection } from '#engine/foundation/connections/ssh/types.ts'
import { openSshDesk, type SshDesk, targetOf } from '../support/ssh-desk.ts'
import { type Sshd, startSshd, whyNoSshd } from '../support/sshd.ts'

const noUser = whyNoSshd(true)
if (noUser) console.log(`skipped, commands of another user: ${noUser}`)

let sshd: Sshd
let desk: SshDesk
let connection: SshConnection

beforeAll(async () => {
  sshd = await startSshd()
  desk = await openSshDesk({ trusted: [sshd] })
  connection = await desk.ssh.connect(targetOf(sshd))
})
afterAll(async () => {
  await desk?.close()
  await sshd?.stop()
})

async function isRunning(mark: string): Promise<boolean> {
  const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const lines = await Promise.all(processes.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
  return lines.includes(`sleep\0${mark}\0`)
}

describe('quoting', () => {
  const word = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 40 }),
    fc.string({
      unit: fc.constantFrom("'", '"', '\\', '$', '`', '\n', ' ', '*', '~', '!', '-', '=', '#', ';', '&', '(', 'a', 'é'),
      maxLength: 30,
    }),
  )
  const words = fc.array(
    word.filter((text) => !text.includes('\0')),
    { minLength: 1, maxLength: 8 },
  )

  it('gives a program of a real shell every argument as it was', () => {
    fc.assert(
      fc.property(words, (args) => {
        const line = quoteCommand(['printf', '%s\\0', ...args])
        expect(execFileSync('/bin/sh', ['-c', line]).toString('utf8')).toBe(args.map((arg) => `${arg}\0`).join(''))
      }),
      { numRuns: 100 },
    )
  })

  it('does so through SSH', async () => {
    await fc.assert(
      fc.asyncProperty(words, async (args) => {
        const { stdout } = await connection.run(['printf', '%s\\0', ...args])
        expect(stdout).toBe(args.map((arg) => `${arg}\0`).join(''))
      }),
      { numRuns: 10 },
    )
  })

  it('refuses what can’t be an argument', () => {
    for (const command of [[], [''], ['a', 'b\0c']]) expect(() => quoteCommand(command)).toThrow('no command')
    // no assignment in front of a command
    expect(quoteCommand(['PATH=/x', 'y'])).toBe("'PATH=/x' y")
  })
})

describe('a command', () => {
  it('tells its output, its messages and its code', async () => {
    const result = await connection.run(['sh', '-c', 'cat; echo problem >&2; exit 7'], { input: 'in\n' })
    expect(result).toEqual({ code: 7, stdout: 'in\n', stderr: 'problem\n' })
    expect(await connection.run(['sh', '-c', 'kill -9 $$'])).toMatchObject({ code: null })
    expect((await connection.run(['no-such-command'])).code).toBe(127)
  })

  it('keeps the end of many messages, and refuses too much output', async () => {
    const loud = 'i=0; while [ $i -lt 5000 ]; do echo "message $i" >&2; i=$((i+1)); done'
    const { stderr } = await connection.run(['sh', '-c', loud])
    expect(stderr.length).toBeLessThanOrEqual(16 * 1024)
    expect(stderr).toMatch(/message 4999\n$/)
    const tooMuch = connection.run(['sh', '-c', 'yes; sleep 30'], { maxOutput: 100_000 })
    await expect(tooMuch).rejects.toMatchObject({ code: 'output-too-long' })
  })

  it('takes a large input, also when it reads no further', async () => {
    const input = () => Readable.from(Array.from({ length: 200 }, () => Buffer.alloc(50_000, 'x')))
    expect((await connection.run(['wc', '-c'], { input: input() })).stdout.trim()).toBe('10000000')
    expect(await connection.run(['head', '-c', '3'], { input: input() })).toMatchObject({ code: 0, stdout: 'xxx' })
    const broken = Readable.from(
      (async function* () {
        yield 'one'
        throw new Error('the source broke')
      })(),
    )
    await expect(connection.run(['cat'], { input: broken })).rejects.toThrow('the source broke')
  })

  it('is ended on the server by an abort and when it takes too long', async () => {
    const mark = String(300_000 + Math.floor(Math.random() * 100_000))
    const controller = new AbortController()
    const running = connection.run(['sh', '-c', `sleep ${mark}; true`], { signal: controller.signal })
    while (!(await isRunning(mark))) await sleep(20)
    controller.abort()
    await expect(running).rejects.toMatchObject({ code: 'cancelled' })
    await expect(connection.run(['sleep', mark], { timeoutMs: 200 })).rejects.toMatchObject({ code: 'command-timeout' })
    for (let tries = 0; (await isRunning(mark)) && tries < 500; tries++) await sleep(20)
    expect(await isRunning(mark)).toBe(false)
  })

  it.skipIf(noUser)('of another user is ended too', async () => {
    const server = await startSshd({ password: 'password' })
    const operator = await openSshDesk({ trusted: [server] })
    try {
      const { name, password } = server.passwordUser!
      const settings = { host: server.host, port: server.port, user: name, auth: 'password' as const }
      const theirs = await operator.ssh.connect({ settings, secrets: { password } })
      const mark = String(300_000 + Math.floor(Math.random() * 100_000))
      const controller = new AbortController()
      const ended = theirs.run(['sleep', mark], { signal: controller.signal })
      while (!(await isRunning(mark))) await sleep(20)
      controller.abort()
      await expect(ended).rejects.toMatchObject({ code: 'cancelled' })
      for (let tries = 0; (await isRunning(mark)) && tries < 500; tries++) await sleep(20)
      expect(await isRunning(mark)).toBe(false)
    } finally {
      await operator.close()
      await server.stop()
    }
  })

  it('streams as fast as its reader, and stops when nobody reads on', async () => {
    const mark = String(300_000 + Math.floor(Math.random() * 100_000))
    const { stdout, ended } = await connection.start(['sh', '-c', `head -c 20000000 /dev/zero; exec sleep ${mark}`])
    let taken = 0
    for await (const chunk of stdout as AsyncIterable<Buffer>) {
      taken += chunk.length
      if (taken === 20_000_000) break
    }
    expect(taken).toBe(20_000_000)
    await expect(ended).rejects.toMatchObject({ code: 'cancelled' })
    for (let tries = 0; (await isRunning(mark)) && tries < 500; tries++) await sleep(20)
    expect(await isRunning(mark)).toBe(false)

    const slow = await connection.start(['head', '-c', '50000000', '/dev/zero'])
    await sleep(300)
    // what waits here and in the channel, not all there is
    expect(slow.stdout.readableLength).toBeLessThan(4 * 1024 * 1024)
    let size = 0
    for await (const chunk of slow.stdout as AsyncIterable<Buffer>) size += chunk.length
    expect([size, (await slow.ended).code]).toEqual([50_000_000, 0])
  })

  it('whose connection is lost never looks as if it had ended well', async () => {
    const { stdout, ended } = await connection.start(['sh', '-c', 'echo first; sleep 20'])
    const reading = (async () => {
      for await (const _chunk of stdout) sshd.killConnections()
    })()
    await expect(reading).rejects.toMatchObject({ code: 'connection-lost' })
    await expect(ended).rejects.toMatchObject({ code: 'connection-lost' })
  })
})
