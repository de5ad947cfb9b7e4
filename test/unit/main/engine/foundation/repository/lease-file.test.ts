import { mkdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { openFilesRepository } from '#engine/foundation/repository/files-repository.ts'
import { takeLeaseFile } from '#engine/foundation/repository/lease-file.ts'
import { localFiles } from '#engine/foundation/repository/local-files.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { codeOf } from '#test/support/repository-contract.ts'
import { expectWhole, hashesOf, incomingOf, sendPart, storeBackup } from '#test/support/slot-contract.ts'
import { contentOf, SLOT_KINDS } from '#test/support/slots.ts'

const OTHER = { token: 'x', host: 'elsewhere', machine: null, pid: 1, start: null, since: '2026-11-23T03:43:00Z' }
const OTHERS = `${JSON.stringify(OTHER).padEnd(1023)}\n`

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

describe('the lease of a folder', () => {
  async function place() {
    const files = localFiles({ folder: await temporaryFolder(), owner: 'server' })
    return { files, lease: join(files.folder, '.backup-desk.lease') }
  }

  it('goes by the clock of the disk, however wrong that of this computer is', async () => {
    const { files, lease } = await place()
    await writeFile(lease, OTHERS)
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 600_000 })
    expect(await codeOf(takeLeaseFile(files, { waitMs: 0 }))).toBe('repository-busy')
    vi.setSystemTime(Date.now() - 1_200_000)
    const old = (await files.now()) / 1000 - 61
    await utimes(lease, old, old)
    await (await takeLeaseFile(files, { waitMs: 0 })).release()
  })

  it('is not taken for dead when a clock is set while it is waited for', async () => {
    const { files, lease } = await place()
    await writeFile(lease, OTHERS)
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
    const waiting = codeOf(takeLeaseFile(files, { waitMs: 500 }))
    await sleep(150)
    vi.setSystemTime(Date.now() + 3_600_000)
    expect(await waiting).toBe('repository-busy')
    expect(await readFile(lease, 'utf8')).toBe(OTHERS)
  })

  it('is not taken for as old as the dead one that it replaced', async () => {
    const { files, lease } = await place()
    await writeFile(lease, OTHERS)
    await utimes(lease, 1, 1)
    let quicker: Awaited<ReturnType<typeof takeLeaseFile>> | null = null
    const slow = {
      ...files,
      async stat(name: string) {
        const facts = await files.stat(name)
        quicker ??= await takeLeaseFile(files, { waitMs: 0 })
        return facts
      },
    }
    expect(await codeOf(takeLeaseFile(slow, { waitMs: 0 }))).toBe('repository-busy')
    await quicker!.assertHeld()
    await quicker!.release()
  })

  it('is put back when it was another one by the time it was to be broken', async () => {
    const { files, lease } = await place()
    await writeFile(lease, OTHERS)
    await utimes(lease, 1, 1)
    let quicker: Awaited<ReturnType<typeof takeLeaseFile>> | null = null
    const slow = {
      ...files,
      async rename(from: string, to: string) {
        quicker ??= await takeLeaseFile(files, { waitMs: 0 })
        await files.rename(from, to)
      },
    }
    expect(await codeOf(takeLeaseFile(slow, { waitMs: 0 }))).toBe('repository-busy')
    await quicker!.assertHeld()
    await quicker!.release()
    expect(await files.list()).toEqual([])
  })

  it('is not taken for that of one who is gone while it is being written', async () => {
    const { files } = await place()
    let meanwhile = ''
    const slow = {
      ...files,
      async create(name: string, text: string) {
        await files.create(name, text)
        meanwhile = await codeOf(takeLeaseFile(files, { waitMs: 0 }))
      },
    }
    const mine = await takeLeaseFile(slow, { waitMs: 0 })
    expect(meanwhile).toBe('repository-busy')
    await mine.assertHeld()
    await mine.release()
  })

  it('is asked for before anything is changed', async () => {
    const { files, lease } = await place()
    const repository = openFilesRepository({ kind: 'folder', files })
    await storeBackup(repository, 'old', { timestamp: 1000 })
    const held = await repository.lease()
    const slot = await repository.openSlot(incomingOf('new'))
    for (const kind of SLOT_KINDS) await sendPart(slot, kind, contentOf('new', kind))
    await writeFile(lease, OTHERS)
    const changes = [
      slot.putInPlace(hashesOf('new'), new AbortController().signal),
      repository.updateIndex((index) => index.clear()),
      repository.removeSlot({ name: 'testsite-1', timestamp: 1000 }),
    ]
    expect(await Promise.all(changes.map(codeOf))).toEqual(Array(3).fill('lease-lost'))
    await held.release()
    await expectWhole(repository, 'old')
  })

  it('says that something else of that name is in the way', async () => {
    const { files, lease } = await place()
    await mkdir(lease)
    expect(await codeOf(takeLeaseFile(files, { waitMs: 0, signal: AbortSignal.timeout(10_000) }))).toBe('not-a-file')
  })

  it('is not kept alive by one who has lost it', async () => {
    const { files, lease } = await place()
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const mine = await takeLeaseFile(files, { waitMs: 0 })
    const beaten = async () => (await stat(lease)).mtimeMs > 1000
    await utimes(lease, 1, 1)
    vi.advanceTimersByTime(10_000)
    vi.useRealTimers()
    await vi.waitFor(async () => expect(await beaten()).toBe(true), { timeout: 10_000 })
    await mine.release()

    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const lost = await takeLeaseFile(files, { waitMs: 0 })
    await writeFile(lease, OTHERS)
    expect(await codeOf(lost.assertHeld())).toBe('lease-lost')
    await utimes(lease, 1, 1)
    vi.advanceTimersByTime(30_000)
    await sleep(100)
    expect(await beaten()).toBe(false)
    await lost.release()
    expect(await readFile(lease, 'utf8')).toBe(OTHERS)
  })

  it('is let go of when nothing answers', async () => {
    const { files } = await place()
    let isSilent = false
    const silent = {
      ...files,
      readText: (name: string, maxBytes: number) => (isSilent ? new Promise<never>(() => {}) : files.readText(name, maxBytes)),
    }
    const lease = await takeLeaseFile(silent, { waitMs: 0 })
    isSilent = true
    const timeout = AbortSignal.timeout.bind(AbortSignal)
    vi.spyOn(AbortSignal, 'timeout').mockImplementation((milliseconds) => timeout(milliseconds / 100))
    await lease.release()
    // it is known to be nobody's all the same
    isSilent = false
    await (await takeLeaseFile(silent, { waitMs: 0 })).release()
    await rm(files.folder, { recursive: true })
  })
})
