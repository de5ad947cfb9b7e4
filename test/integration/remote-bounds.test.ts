import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { remoteDisk } from '#engine/features/restore/remote-files/remote-disk.ts'
import { RemoteTree } from '#engine/features/restore/remote-files/remote-tree.ts'
import { recordsOf } from '#engine/features/restore/remote-files/server-tool.ts'
import { codeOf } from '#test/support/repository-contract.ts'
import { openTestSsh, type TestSsh } from '#test/support/ssh-connection.ts'
import { type Sshd, startSshd, whyNoSshd } from '#test/support/sshd.ts'

const why = whyNoSshd()
if (why) console.error(`SKIPPED test/integration/remote-bounds.test.ts: ${why}`)

const never = new AbortController().signal

describe.skipIf(why !== null)('what a server may say', () => {
  let sshd: Sshd
  let silent: Sshd
  let ssh: TestSsh
  let root: string

  beforeAll(async () => {
    ;[sshd, silent] = await Promise.all([startSshd(), startSshd({ config: ['ForceCommand /bin/true'] })])
    ssh = await openTestSsh(sshd)
    root = await mkdtemp(join(tmpdir(), 'backup-desk-bounds-'))
  })
  afterAll(async () => {
    await ssh?.close()
    await Promise.all([sshd?.stop(), silent?.stop()])
    await rm(root, { recursive: true, force: true })
  })

  async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
    const found: T[] = []
    for await (const item of items) found.push(item)
    return found
  }

  it('is no list without an end, and no line without one', async () => {
    const server = await ssh.connect()
    const endless = ['sh', '-c', "yes | tr -d '\\n'"]
    expect(await codeOf(all(recordsOf(server, endless, never)))).toBe('server-tool-failed')
    expect(await all(recordsOf(server, ['printf', '%s\\0', 'a', 'b'.repeat(60_000)], never))).toHaveLength(2)
    const file = join(root, 'journal.jsonl')
    await writeFile(file, `one\n\nthree\n${'x'.repeat(2 << 20)}`)
    expect(await codeOf(all(remoteDisk(server).lines(file)))).toBe('undo-unreadable')
    await writeFile(file, `one\n\n${'ż'.repeat(100_000)}\nlast`)
    expect(await all(remoteDisk(server).lines(file))).toEqual(['one', '', 'ż'.repeat(100_000), 'last'])
  })

  it('is nothing where no command runs, and that is not taken for an empty folder', async () => {
    await writeFile(join(root, 'a medium'), 'x')
    expect((await RemoteTree.read(await ssh.connect(), root, 'media', never)).files).toBeGreaterThan(0)
    const closed = await openTestSsh(silent)
    try {
      expect(await codeOf(RemoteTree.read(await closed.connect(), root, 'media', never))).toBe('server-tool-failed')
    } finally {
      await closed.close()
    }
  })
})
