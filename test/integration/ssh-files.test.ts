import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
import { mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SshConnection } from '#engine/foundation/connections/ssh/types.ts'
import { openSshDesk, type SshDesk, targetOf } from '../support/ssh-desk.ts'
import { type Sshd, startSshd, whyNoSshd } from '../support/sshd.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'

let sshd: Sshd
let desk: SshDesk
let connection: SshConnection
let folder: string

beforeAll(async () => {
  sshd = await startSshd()
  desk = await openSshDesk({ trusted: [sshd] })
  connection = await desk.ssh.connect(targetOf(sshd))
  folder = join(sshd.folder, 'files')
  await mkdir(folder)
})
afterAll(async () => {
  await desk?.close()
  await sshd?.stop()
})

const bytesOf = async (stream: Readable): Promise<Buffer> => Buffer.concat((await stream.toArray()) as Buffer[])
const at = (name: string) => join(folder, name)

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => ({ code: 'none' }),
    (thrown) => thrown,
  )
  return error.code
}

describe('reading and writing', () => {
  // around the borders of requests and of what is in flight
  it.each([0, 1, 32_767, 32_768, 32_769, 2 * 1024 * 1024, 5_000_003])('%i bytes arrive as they are, both ways', async (size) => {
    const content = randomBytes(size)
    const { files } = connection
    expect(await files.write(at('content'), Readable.from(chunked(content)))).toBe(size)
    expect((await readFile(at('content'))).equals(content)).toBe(true)
    expect((await bytesOf(await files.read(at('content')))).equals(content)).toBe(true)
  })

  it('takes a range, and goes on from an offset', async () => {
    const { files } = connection
    const content = randomBytes(300_000)
    await files.write(at('range'), Readable.from([content]))
    const range = await bytesOf(await files.read(at('range'), { offset: 70_001, length: 100_001 }))
    expect(range.equals(content.subarray(70_001, 170_002))).toBe(true)
    expect(await bytesOf(await files.read(at('range'), { offset: 299_999 }))).toHaveLength(1)
    expect(await bytesOf(await files.read(at('range'), { offset: 400_000 }))).toHaveLength(0)
    const more = randomBytes(50_000)
    expect(await files.write(at('range'), Readable.from([more]), { offset: 300_000 })).toBe(350_000)
    expect((await readFile(at('range'))).equals(Buffer.concat([content, more]))).toBe(true)
    // a hole must not come about
    expect(await codeOf(files.write(at('range'), Readable.from([more]), { offset: 400_000 }))).toBe('remote-file-error')
    expect(await codeOf(files.write(at('none'), Readable.from([more]), { offset: 10 }))).toBe('not-found')
  })

  it('says when the server has all bytes, and not when it never got them', async () => {
    const { files } = connection
    const content = randomBytes(3_000_000)
    const taken: { end: number; size: number; isOver: boolean }[] = []
    let isOver = false
    const onTaken = (end: number) => taken.push({ end, size: statSync(at('taken')).size, isOver })
    await files.write(at('taken'), Readable.from(chunked(content)), { onTaken }).then(() => {
      isOver = true
    })
    await files.write(at('taken'), Readable.from(['more']), { offset: 3_000_000, onTaken })
    const broken = Readable.from(
      (async function* () {
        yield content
        throw new Error('the source broke')
      })(),
    )
    await expect(files.write(at('taken'), broken, { onTaken })).rejects.toThrow('the source broke')
    expect(await codeOf(files.write(at('taken'), Readable.from(['x']), { exclusive: true, onTaken }))).toBe('exists')
    expect(taken).toEqual([
      { end: 3_000_000, size: 3_000_000, isOver: false },
      { end: 3_000_004, size: 3_000_004, isOver: true },
    ])
  })

  it('makes a file, a link or a folder that others make and remove meanwhile, or says that it is there', async () => {
    const otherDesk = await openSshDesk({ trusted: [sshd] })
    const { files } = connection
    const other = (await otherDesk.ssh.connect(targetOf(sshd))).files
    await files.write(at('source'), Readable.from(['x']))
    const seen = new Map<string, number>()
    async function race(make: () => Promise<unknown>, remove: () => Promise<void>): Promise<void> {
      for (let round = 0; round < 150; round += 1) {
        const code = await codeOf(make())
        seen.set(code, (seen.get(code) ?? 0) + 1)
        if (code === 'none') await remove()
      }
    }
    const racing = [files, other].flatMap(({ write, link, makeFolder, remove, removeFolder }) => [
      race(
        () => write(at('once'), Readable.from(['x']), { exclusive: true }),
        () => remove(at('once')),
      ),
      race(
        () => link(at('source'), at('linked')),
        () => remove(at('linked')),
      ),
      race(
        () => makeFolder(at('made')),
        () => removeFolder(at('made')),
      ),
    ])
    await Promise.all(racing)
    await otherDesk.close()
    expect([...seen.keys()].sort()).toEqual(['exists', 'none'])
  })

  it('keeps no more in memory than what is in flight, when nobody reads on', async () => {
    await connection.files.write(at('large'), Readable.from(chunked(Buffer.alloc(16 * 1024 * 1024, 'x'))))
    const stream = await connection.files.read(at('large'))
    let taken = 0
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      taken += chunk.length
      if (taken > 1024 * 1024) break
      await sleep(5)
    }
    expect(stream.readableLength).toBeLessThan(8 * 1024 * 1024)
    // the channel is free again
    expect((await connection.files.facts(at('large')))?.size).toBe(16 * 1024 * 1024)
  })

  it('takes an input that fails as a failure, and an abort as one', async () => {
    const { files } = connection
    const broken = Readable.from(
      (async function* () {
        yield Buffer.alloc(100_000)
        throw new Error('the source broke')
      })(),
    )
    await expect(files.write(at('broken'), broken)).rejects.toThrow('the source broke')
    const controller = new AbortController()
    const endless = Readable.from(
      (async function* () {
        for (;;) {
          yield Buffer.alloc(100_000)
          await sleep(1)
        }
      })(),
    )
    const writing = files.write(at('aborted'), endless, { signal: controller.signal })
    await sleep(50)
    controller.abort()
    expect(await codeOf(writing)).toBe('cancelled')
    expect(endless.destroyed).toBe(true)
    const stopping = new AbortController()
    const reading = await files.read(at('large'), { signal: stopping.signal })
    await expect(
      (async () => {
        for await (const _chunk of reading) stopping.abort()
      })(),
    ).rejects.toMatchObject({ code: 'cancelled' })
  })
})

describe('files and folders', () => {
  it('are told apart, listed, renamed, linked, changed and removed', async () => {
    const { files } = connection
    await files.makeFolder(at('folder'), 0o750)
    await files.write(at('folder/a ü'), Readable.from(['one']), { mode: 0o640 })
    await symlink('a ü', at('folder/link'))
    await files.setFacts(at('folder/a ü'), {
      modified: 1_700_000_000,
      mode: 0o600,
      uid: process.getuid!(),
      gid: process.getgid!(),
    })
    const listed = (await files.list(at('folder'))).sort((a, b) => a.name.localeCompare(b.name))
    expect(listed.map(({ name, facts }) => [name, facts.kind, facts.mode, facts.modified])).toEqual([
      ['a ü', 'file', 0o600, 1_700_000_000],
      ['link', 'link', 0o777, expect.any(Number)],
    ])
    expect((await files.facts(at('folder')))?.kind).toBe('folder')
    expect((await files.facts(at('folder/link')))?.kind).toBe('link')
    expect(await files.facts(at('folder/none'))).toBeNull()
    await files.write(at('folder/b'), Readable.from(['two']))
    await files.rename(at('folder/a ü'), at('folder/b'))
    expect(await text(await files.read(at('folder/b')))).toBe('one')
    await files.link(at('folder/b'), at('folder/c'))
    expect((await stat(at('folder/c'))).nlink).toBe(2)
    for (const name of ['b', 'c', 'link']) await files.remove(at(`folder/${name}`))
    await files.removeFolder(at('folder'))
    expect(await files.facts(at('folder'))).toBeNull()
  })

  it('give reasons: not there, there already, not allowed', async () => {
    const { files } = connection
    await files.write(at('there'), Readable.from(['one']))
    await files.makeFolder(at('full'))
    await files.write(at('full/one'), Readable.from(['one']))
    expect(await codeOf(files.read(at('none')))).toBe('not-found')
    expect(await codeOf(files.list(at('none')))).toBe('not-found')
    expect(await codeOf(files.remove(at('none')))).toBe('not-found')
    expect(await codeOf(files.rename(at('none'), at('there')))).toBe('not-found')
    expect(await codeOf(files.write(at('there'), Readable.from(['two']), { exclusive: true }))).toBe('exists')
    expect(await codeOf(files.makeFolder(at('full')))).toBe('exists')
    expect(await codeOf(files.link(at('full/one'), at('there')))).toBe('exists')
    expect(await codeOf(files.removeFolder(at('full')))).toBe('remote-file-error')
    expect(await text(await files.read(at('there')))).toBe('one')
  })

  it.skipIf(whyNoSshd(true))('say that the disk is full, and that something is not allowed', async () => {
    const small = await startSshd({ password: 'password' })
    const tight = join(small.folder, 'tight')
    try {
      await mkdir(tight)
      const operator = await openSshDesk({ trusted: [small] })
      const { files, run } = await operator.ssh.connect(targetOf(small))
      const mounted = await run(['mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', tight])
      if (mounted.code === 0) {
        const body = () => Readable.from(chunked(Buffer.alloc(8 * 1024 * 1024)))
        expect(await codeOf(files.write(join(tight, 'file'), body()))).toBe('disk-full')
        await run(['umount', tight])
      } else console.log(`skipped, a full disk: ${mounted.stderr.trim()}`)
      const { name, password } = small.passwordUser!
      const settings = { host: small.host, port: small.port, user: name, auth: 'password' as const }
      const poor = await operator.ssh.connect({ settings, secrets: { password } })
      expect(await codeOf(poor.files.write(join(tight, 'file'), Readable.from(['one'])))).toBe('permission-denied')
      expect(await codeOf(poor.files.read('/etc/shadow'))).toBe('permission-denied')
      await operator.close()
    } finally {
      await small.stop()
    }
  })
})

describe('a connection that is lost', () => {
  it('fails what was under way, and comes back at the next use', async () => {
    const { files } = connection
    const reading = await files.read(at('large'))
    let taken = 0
    const broken = (async () => {
      for await (const chunk of reading as AsyncIterable<Buffer>) {
        taken += chunk.length
        if (taken > 1024 * 1024) sshd.killConnections()
      }
    })()
    const endless = Readable.from(
      (async function* () {
        for (;;) {
          yield Buffer.alloc(100_000)
          await sleep(1)
        }
      })(),
    )
    const writing = codeOf(files.write(at('half'), endless))
    const command = codeOf(connection.run(['sleep', '20']))
    await expect(broken).rejects.toMatchObject({ code: 'connection-lost' })
    expect([await writing, await command]).toEqual(['connection-lost', 'connection-lost'])
    const again = await bytesOf(await files.read(at('large'), { offset: taken }))
    expect(again).toHaveLength(16 * 1024 * 1024 - taken)
    expect((await connection.run(['echo', 'there'])).stdout).toBe('there\n')
  })

  it('is waited for while the server starts anew', async () => {
    const underWay = await connection.start(['sleep', '60'])
    await sshd.kill()
    expect(await codeOf(underWay.ended)).toBe('connection-lost')
    const waiting = connection.run(['echo', 'there'])
    await sleep(500)
    await sshd.start()
    expect((await waiting).stdout).toBe('there\n')
  })

  it('is noticed when nothing is heard any more', async () => {
    const proxy = await startTcpProxy(sshd.port)
    const operator = await openSshDesk({ keepAliveMs: 500 })
    try {
      const target = targetOf(sshd, { port: proxy.port })
      const unknown = await operator.ssh.connect(target).catch((error) => error)
      await operator.ssh.hostKeys.accept(unknown.details)
      const through = await operator.ssh.connect(target)
      const command = codeOf(through.run(['sleep', '60']))
      await sleep(50)
      proxy.setWeather('swallowed')
      const since = Date.now()
      expect(await command).toBe('connection-lost')
      expect(Date.now() - since).toBeLessThan(30_000)
      expect((await through.run(['echo', 'there'])).stdout).toBe('there\n')
    } finally {
      await operator.close()
      await proxy.close()
    }
  })

  it('is closed when it is idle, and one attempt serves all who ask at the same time', async () => {
    const operator = await openSshDesk({ trusted: [sshd], idleMs: 100 })
    const target = targetOf(sshd)
    const connections = await Promise.all(Array.from({ length: 8 }, () => operator.ssh.connect(target)))
    expect(new Set(connections).size).toBe(1)
    const sessionOf = async () => (await connections[0]!.run(['sh', '-c', 'echo $SSH_CONNECTION'])).stdout
    const first = await sessionOf()
    expect(await sessionOf()).toBe(first)
    await connections[0]!.run(['sleep', '0.3'])
    expect(await sessionOf()).toBe(first)
    await sleep(300)
    expect(await sessionOf()).not.toBe(first)
    await operator.close()
    expect(await codeOf(connections[0]!.run(['true']))).toBe('cancelled')
  })

  it('can be given up by one who waits, without taking it from the others', async () => {
    const operator = await openSshDesk({ trusted: [sshd] })
    const controller = new AbortController()
    const one = codeOf(operator.ssh.connect(targetOf(sshd), { signal: controller.signal }))
    const other = operator.ssh.connect(targetOf(sshd))
    controller.abort()
    expect(await one).toBe('cancelled')
    expect((await (await other).run(['true'])).code).toBe(0)
    await operator.close()
  })
})

it('gives the same file back that it was given, of 40 MB', async () => {
  const file = at('source')
  await writeFile(file, '')
  const hash = createHash('sha256')
  const source = Readable.from(
    (async function* () {
      for (let n = 0; n < 40; n++) {
        const chunk = randomBytes(1024 * 1024)
        hash.update(chunk)
        yield chunk
      }
    })(),
  )
  await connection.files.write(file, source)
  const expected = hash.digest('hex')
  const there = createHash('sha256')
  for await (const chunk of createReadStream(file)) there.update(chunk)
  const back = createHash('sha256')
  for await (const chunk of await connection.files.read(file)) back.update(chunk)
  expect([there.digest('hex'), back.digest('hex')]).toEqual([expected, expected])
})

function* chunked(content: Buffer, size = 100_000): Generator<Buffer> {
  for (let from = 0; from < content.length; from += size) yield content.subarray(from, from + size)
}

describe('ciphers', () => {
  it.each([
    ['aes128-gcm@openssh.com', 'RekeyLimit 1M'],
    ['aes256-gcm@openssh.com', 'RekeyLimit 1M'],
    ['aes256-ctr', 'RekeyLimit default'],
  ])('%s carries bytes of all lengths both ways, also over changes of keys', async (cipher, rekey) => {
    const server = await startSshd({ config: [`Ciphers ${cipher}`, rekey] })
    const ownDesk = await openSshDesk({ trusted: [server] })
    try {
      const { files } = await ownDesk.ssh.connect(targetOf(server))
      const file = join(server.folder, 'ciphers')
      const content = randomBytes(6 * 1024 * 1024)
      await files.write(file, Readable.from(chunked(content)))
      expect((await readFile(file)).equals(content)).toBe(true)
      expect((await bytesOf(await files.read(file))).equals(content)).toBe(true)
      // every length of padding
      for (let length = 1; length <= 17; length += 1) await files.write(file, Readable.from([content.subarray(0, length)]))
      expect((await readFile(file)).equals(content.subarray(0, 17))).toBe(true)
    } finally {
      await ownDesk.close()
      await server.stop()
    }
  })
})
