import { readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { openFolderRepository } from '#engine/foundation/repository/folder.ts'
import type { Repository } from '#engine/foundation/repository/types.ts'
import { AppError } from '#shared/errors.ts'
import { hasFixtures } from '#test/support/fixtures.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { allowed } from '#test/support/patience.ts'
import { codeOf } from '#test/support/repository-contract.ts'
import { contentsOf, leftIn, makeBackup, QUICK, serverFolder, transfer } from '#test/support/transfers.ts'

const MIB = 1 << 20

async function twoFolders(sizes = { database: 3 * MIB, config: 2000, files: 2 * MIB }) {
  const root = await temporaryFolder()
  const source = join(root, 'source')
  const target = join(root, 'target')
  await makeBackup(source, sizes)
  const from = openFolderRepository({ folder: source, owner: 'server' })
  const to = await serverFolder(target, null)
  return { source, target, from, to }
}

/** The same repository whose reads break off at a place of the file, as often as asked for. */
function breaking(repository: Repository, place: number, times: number, code = 'connection-lost'): Repository {
  let left = times
  return {
    ...repository,
    async read(name, options) {
      const body = await repository.read(name, options)
      if (left <= 0) return body
      left -= 1
      async function* untilPlace(): AsyncGenerator<Buffer> {
        let at = options?.offset ?? 0
        for await (const chunk of body as AsyncIterable<Buffer>) {
          yield chunk.subarray(0, Math.max(0, place - at))
          at += chunk.length
          if (at >= place) throw new AppError(code, 'The connection is gone.')
        }
      }
      return Readable.from(untilPlace(), { objectMode: false })
    },
  }
}

describe('copying a backup', () => {
  it.skipIf(!hasFixtures)('copies what a real server made byte for byte, with an index of the same content', async () => {
    const root = await temporaryFolder()
    const from = await serverFolder(join(root, 'source'), '1-plain-full')
    const to = await serverFolder(join(root, 'target'), null)
    const { notes } = await transfer(from, to, 'testsite-1')
    expect(notes).toEqual([])
    expect(await contentsOf(to)).toEqual(await contentsOf(from))
    expect([...(await to.readIndex())]).toEqual([...(await from.readIndex())])
    expect(await leftIn(join(root, 'target'))).toEqual([])
  })

  it('refuses a source that is not what its index says, and keeps what the target has', async () => {
    const { source, target, from, to } = await twoFolders()
    await transfer(from, to, 'testsite-1')
    const before = await contentsOf(to)
    await makeBackup(source, { database: 3 * MIB }, { timestamp: 1_795_100_000 })
    const file = join(source, 'testsite-1.sql.gz')
    const bytes = await readFile(file)
    bytes[MIB] = (bytes[MIB] ?? 0) ^ 1
    await writeFile(file, bytes)
    expect(await codeOf(transfer(from, to, 'testsite-1'))).toBe('hash-differs')
    expect(await contentsOf(to)).toEqual(before)
    expect(await leftIn(target)).toEqual([])
  })

  it('goes on where a lost connection stopped it, without sending again what is stored', async () => {
    const { from, to } = await twoFolders({ database: 8 * MIB, config: 2000, files: 1000 })
    const { sent, notes } = await transfer(breaking(from, 5 * MIB, 1), to, 'testsite-1')
    expect(notes.join()).toContain('Trying again in')
    expect(sent).toBeLessThan(8 * MIB + 3000 + 2 * MIB)
    expect(await contentsOf(to)).toEqual(await contentsOf(from))
  })

  it('gives up after tries that bring nothing, and keeps what came', async () => {
    const { target, from, to } = await twoFolders({ database: 8 * MIB, config: 2000, files: 1000 })
    expect(await codeOf(transfer(breaking(from, 5 * MIB, 99), to, 'testsite-1'))).toBe('connection-lost')
    expect(await leftIn(target)).toHaveLength(1)
    const { sent } = await transfer(from, to, 'testsite-1')
    expect(sent).toBeLessThan(8 * MIB)
    expect(await contentsOf(to)).toEqual(await contentsOf(from))
  })

  it('does not try again what is no trouble of the moment', async () => {
    const { from, to } = await twoFolders()
    const tried = await transfer(breaking(from, 1000, 9, 'no-permission'), to, 'testsite-1').catch((error) => error)
    expect(tried).toMatchObject({ code: 'no-permission', notes: [] })
  })

  it('copies anew what was kept but is not what the source has', async () => {
    const { target, from, to } = await twoFolders({ database: 8 * MIB, config: 2000, files: 1000 })
    expect(await codeOf(transfer(breaking(from, 5 * MIB, 99), to, 'testsite-1'))).toBe('connection-lost')
    const [part] = await leftIn(target)
    const path = join(target, part ?? '')
    // as after a power cut: the length was written, the content was not
    const { length } = await readFile(path)
    await truncate(path, length - 5000)
    await truncate(path, length)
    const { notes } = await transfer(from, to, 'testsite-1')
    expect(notes.join()).toContain('copied anew')
    expect(await contentsOf(to)).toEqual(await contentsOf(from))
  })

  it('notices a source that sends nothing', async () => {
    const { from, to } = await twoFolders({ database: 4 * MIB, config: 2000, files: 1000 })
    let stalls = 1
    const silent: Repository = {
      ...from,
      async read(name, options) {
        const body = await from.read(name, options)
        if (stalls > 0) {
          stalls -= 1
          body.pause()
          body.push = () => false
        }
        return body
      },
    }
    const started = performance.now()
    const { notes } = await transfer(silent, to, 'testsite-1')
    expect(notes.join()).toContain('sent nothing')
    expect(performance.now() - started).toBeLessThan(allowed(QUICK.stallMs * 4))
    expect(await contentsOf(to)).toEqual(await contentsOf(from))
  })

  it('does not mix two versions of a file: what was replaced under way does not count', async () => {
    const { source, target, from, to } = await twoFolders({ database: 8 * MIB, config: 2000, files: 1000 })
    let replacing: Promise<void> | null = null
    const onProgress = () => {
      replacing ??= makeBackup(source, { database: 8 * MIB }, { timestamp: 1_795_100_000 })
    }
    expect(await codeOf(transfer(from, to, 'testsite-1', { onProgress }))).toBe('changed-while-reading')
    await replacing
    expect([...(await to.readIndex())]).toEqual([])
    expect(await leftIn(target)).toEqual([])
  })

  it('puts nothing in place when the backup was replaced after its last byte was read', async () => {
    const { source, from, to } = await twoFolders({ database: 2000, config: 2000, files: 1000 })
    const late: Repository = {
      ...to,
      async openSlot(slot) {
        const writing = await to.openSlot(slot)
        return {
          ...writing,
          async write(kind, body, offset, signal) {
            await writing.write(kind, body, offset, signal)
            if (kind === 'files') await utimes(join(source, 'testsite-1.sql.gz'), 1, 1)
          },
        }
      },
    }
    expect(await codeOf(transfer(from, late, 'testsite-1'))).toBe('changed-while-reading')
    expect([...(await to.readIndex())]).toEqual([])
  })

  it('never replaces a newer backup, nor takes anything but rotation slots to a server', async () => {
    const { source, from, to } = await twoFolders({ database: 2000, config: 2000, files: 1000 })
    await makeBackup(source, { database: 2000 }, { timestamp: 1_795_200_000 })
    await transfer(from, to, 'testsite-1')
    await makeBackup(source, { database: 2000 }, { timestamp: 1_795_100_000 })
    expect(await codeOf(transfer(from, to, 'testsite-1'))).toBe('slot-newer')
    await makeBackup(source, { database: 2000 }, { name: 'testsite-pinned-20261123000000' })
    expect(await codeOf(transfer(from, to, 'testsite-pinned-20261123000000'))).toBe('slot-not-rotation')
  })

  it('mends a backup that lost a file', async () => {
    const { target, from, to } = await twoFolders({ database: 2000, config: 2000, files: 1000 })
    await transfer(from, to, 'testsite-1')
    await rm(join(target, 'testsite-1.tar.gz'))
    await transfer(from, to, 'testsite-1')
    expect(await contentsOf(to)).toEqual(await contentsOf(from))
  })

  it('stops when it is cancelled, and goes on later', async () => {
    const { from, to } = await twoFolders({ database: 8 * MIB, config: 2000, files: 1000 })
    const cancel = new AbortController()
    const onProgress = (_kind: string, position: number) => {
      if (position > 4 * MIB) cancel.abort()
    }
    expect(await codeOf(transfer(from, to, 'testsite-1', { onProgress, signal: cancel.signal }))).toBe('cancelled')
    const { sent } = await transfer(from, to, 'testsite-1')
    expect(sent).toBeLessThan(6 * MIB)
    expect(await contentsOf(to)).toEqual(await contentsOf(from))
  })
})
