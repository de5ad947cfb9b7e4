import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { PART_FIELDS } from '#engine/foundation/repository/backup-index.ts'
import { partFileName, transferId } from '#engine/foundation/repository/names.ts'
import type { IncomingSlot, IndexEntry, Repository, SlotWriting } from '#engine/foundation/repository/types.ts'
import type { PartKind } from '#shared/model/backup.ts'
import { codeOf } from './repository-contract.ts'
import { contentOf, hashOf, SLOT_KINDS } from './slots.ts'

/** One place, and programs that open it: each has a repository of its own. */
export interface SlotPlace {
  open(): Promise<Repository>
  /** Writes a file there as another program does, past everything of ours; null: removes it. */
  putForeign(name: string, content: string | Uint8Array | null): Promise<void>
}

export interface SlotContractOptions {
  /** Only rotation slots may be stored there. */
  isServer: boolean
  /** Where a transfer is cut off, in bytes of a part of 65,000. */
  cuts?: number[]
}

const never = new AbortController().signal
const NAME = 'testsite-1'

export function incomingOf(version: string, change: Partial<IncomingSlot> = {}): IncomingSlot {
  const slot = {
    name: NAME,
    timestamp: 2000,
    isEncrypted: false,
    isFilestoreUploaded: false,
    unknownKeys: {},
    parts: SLOT_KINDS.map((kind) => ({ kind, size: contentOf(version, kind).length })),
    ...change,
  }
  const files = slot.parts.map(({ kind, size }) => ({ name: kind, size, version }))
  return { id: transferId({ name: slot.name, timestamp: slot.timestamp, from: 'test', files }), ...slot }
}

export const hashesOf = (version: string, kinds: readonly PartKind[] = SLOT_KINDS) =>
  Object.fromEntries(kinds.map((kind) => [kind, hashOf(contentOf(version, kind))]))

/** As a transfer does: what was stored is read again, the rest is sent. */
export async function sendPart(slot: SlotWriting, kind: PartKind, content: Buffer): Promise<{ resumed: number }> {
  const stored = await slot.storedBytes(kind)
  const again = stored > 0 ? await slot.readStored(kind, stored, never) : null
  const offset = again === null ? 0 : stored
  if (again) expect((await buffer(again)).equals(content.subarray(0, stored))).toBe(true)
  await slot.write(kind, Readable.from(pieces(content.subarray(offset))), offset, never)
  return { resumed: stored }
}

export function* pieces(content: Buffer, size = 7000): Generator<Buffer> {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size)
}

/** Stores a backup and puts it in place, under its lease. */
export async function storeBackup(
  repository: Repository,
  version: string,
  change: Partial<IncomingSlot> = {},
): Promise<IndexEntry> {
  const lease = await repository.lease()
  try {
    const incoming = incomingOf(version, change)
    const slot = await repository.openSlot(incoming)
    for (const { kind } of incoming.parts) await sendPart(slot, kind, contentOf(version, kind))
    return await slot.putInPlace(hashesOf(version), never)
  } finally {
    await lease.release()
  }
}

/** Every part of a backup is there as it should be. */
export async function expectWhole(repository: Repository, version: string, isEncrypted = false): Promise<void> {
  const entry = (await repository.readIndex()).get(NAME)
  for (const kind of SLOT_KINDS) {
    const { file, hash } = PART_FIELDS[kind]
    expect(entry?.[file]).toBe(partFileName(kind, NAME, isEncrypted))
    expect(entry?.[hash]).toBe(hashOf(contentOf(version, kind)))
    const stored = await buffer(await repository.read(String(entry?.[file])))
    expect(stored.equals(contentOf(version, kind)), `${version} ${kind}`).toBe(true)
  }
}

async function names(repository: Repository): Promise<string[]> {
  return (await repository.list()).map(({ name }) => name).sort()
}

const FILES = ['backup.json', `config-${NAME}.tar.gz`, `${NAME}.sql.gz`, `${NAME}.tar.gz`]

/** What every kind of repository does with backups that are stored in it. `make` gives an empty place. */
export function slotContract(kind: string, make: () => Promise<SlotPlace>, options: SlotContractOptions): void {
  describe(`${kind}: the contract of storing backups`, () => {
    it('shows nothing of a backup until it is put in place, then all of it', async () => {
      const place = await make()
      await place.putForeign('backup.json', '{"other-1":{"timestamp":5,"odd":[1]},"strange":1}')
      const repository = await place.open()
      const lease = await repository.lease()
      const incoming = incomingOf('new', { isFilestoreUploaded: true, unknownKeys: { note: { kept: [1] } } })
      const slot = await repository.openSlot(incoming)
      for (const part of SLOT_KINDS) {
        expect(await slot.storedBytes(part)).toBe(0)
        await sendPart(slot, part, contentOf('new', part))
        expect(await names(repository)).toEqual(['backup.json'])
      }
      const entry = await slot.putInPlace(hashesOf('new'), never)
      await lease.release()
      expect(entry).toMatchObject({ timestamp: 2000, is_filestore_uploaded: true, is_encrypted: false, note: { kept: [1] } })
      expect(await names(repository)).toEqual(FILES)
      await expectWhole(repository, 'new')
      const other = await place.open()
      expect((await other.readIndex()).get(NAME)).toEqual(entry)
      expect((await other.readIndex()).get('other-1')).toEqual({ timestamp: 5, odd: [1] })
      expect(String(await buffer(await other.read('backup.json')))).toContain('"strange":1')
    })

    it.each(options.cuts ?? [0, 1, 33_000, 64_999])('goes on in another program with what was cut off at %i', async (cut) => {
      const place = await make()
      const content = contentOf('new', 'database')
      const first = await place.open()
      const lease = await first.lease()
      const broken = Readable.from(
        (async function* () {
          yield* pieces(content.subarray(0, cut))
          throw new Error('cut off')
        })(),
      )
      const slot = await first.openSlot(incomingOf('new'))
      await expect(slot.write('database', broken, 0, never)).rejects.toThrow('cut off')
      await lease.release()
      const second = await place.open()
      const again = await second.lease()
      const resumed = await second.openSlot(incomingOf('new'))
      const { resumed: stored } = await sendPart(resumed, 'database', content)
      expect(stored).toBeLessThanOrEqual(cut)
      if (second.capabilities.append) expect(stored).toBe(cut)
      for (const part of SLOT_KINDS.slice(1)) await sendPart(resumed, part, contentOf('new', part))
      await resumed.putInPlace(hashesOf('new'), never)
      await again.release()
      await expectWhole(second, 'new')
      expect(await names(second)).toEqual(FILES)
    })

    it('begins anew when the source is another one, and after it was given up', async () => {
      const repository = await (await make()).open()
      const lease = await repository.lease()
      const slot = await repository.openSlot(incomingOf('new'))
      await slot.write('database', Readable.from(pieces(contentOf('new', 'database'))), 0, never)
      const other = await repository.openSlot(incomingOf('newer'))
      expect(await other.storedBytes('database')).toBe(0)
      await slot.discard()
      expect(await (await repository.openSlot(incomingOf('new'))).storedBytes('database')).toBe(0)
      await lease.release()
    })

    it('stops when asked to, and keeps what was stored', async () => {
      const repository = await (await make()).open()
      const lease = await repository.lease()
      const slot = await repository.openSlot(incomingOf('new'))
      const abort = new AbortController()
      const stalled = Readable.from(
        (async function* () {
          yield contentOf('new', 'database').subarray(0, 10)
          setTimeout(() => abort.abort(), 50)
          await new Promise(() => {})
        })(),
      )
      await expect(slot.write('database', stalled, 0, abort.signal)).rejects.toThrow()
      await sendPart(await repository.openSlot(incomingOf('new')), 'database', contentOf('new', 'database'))
      await lease.release()
    })

    it('puts nothing in place that is not whole', async () => {
      const repository = await (await make()).open()
      const lease = await repository.lease()
      const slot = await repository.openSlot(incomingOf('new'))
      expect(await codeOf(slot.putInPlace(hashesOf('new'), never))).toBe('slot-part-differs')
      for (const part of SLOT_KINDS) await sendPart(slot, part, contentOf('new', part))
      await slot.write('files', Readable.from(pieces(contentOf('new', 'files').subarray(1))), 0, never).catch(() => {})
      expect(await codeOf(slot.putInPlace(hashesOf('new'), never))).toBe('slot-part-differs')
      await lease.release()
      expect((await repository.readIndex()).size).toBe(0)
      expect(await names(repository)).toEqual([])
    })

    it('replaces an older backup and what only its entry named, and keeps keys that it does not know', async () => {
      const place = await make()
      const repository = await place.open()
      await storeBackup(repository, 'old', { timestamp: 1000, unknownKeys: { by: 'old' } })
      await storeBackup(repository, 'new', { isEncrypted: true })
      await expectWhole(repository, 'new', true)
      expect(await names(repository)).toEqual(FILES.map((file) => (file === 'backup.json' ? file : `${file}.enc`)).sort())
      expect((await repository.readIndex()).get(NAME)?.by).toBe('old')
    })

    it('never replaces a newer backup, nor a whole one of the same moment', async () => {
      const repository = await (await make()).open()
      await storeBackup(repository, 'old', { timestamp: 3000 })
      expect(await codeOf(storeBackup(repository, 'new'))).toBe('slot-newer')
      expect(await codeOf(storeBackup(repository, 'new', { timestamp: 3000 }))).toBe('slot-newer')
      await expectWhole(repository, 'old')
      expect(await names(repository)).toEqual(FILES)
    })

    it('puts the same backup in place again to mend it, and leaves it alone when it is whole', async () => {
      const place = await make()
      const repository = await place.open()
      const entry = await storeBackup(repository, 'new')
      expect(await storeBackup(repository, 'new')).toEqual(entry)
      await place.putForeign(`${NAME}.tar.gz`, 'damaged')
      await storeBackup(repository, 'new')
      await expectWhole(repository, 'new')
      // or what was mended would look like a backup whose entry is still to come
      const times = new Map((await repository.list()).map(({ name, modified }) => [name, modified.getTime()]))
      expect(times.get('backup.json')).toBeGreaterThanOrEqual(Math.max(...times.values()))
      await place.putForeign(`${NAME}.sql.gz`, null)
      await storeBackup(repository, 'new')
      await expectWhole(repository, 'new')
      expect(await names(repository)).toEqual(FILES)
    })

    it('replaces what is known to be damaged, though the index and the sizes say nothing of it', async () => {
      const place = await make()
      const repository = await place.open()
      await storeBackup(repository, 'new')
      const damaged = contentOf('new', 'database')
      damaged[100] = (damaged[100] ?? 0) ^ 1
      await place.putForeign(`${NAME}.sql.gz`, damaged)
      await repository.updateIndex((index) => {
        const entry = index.get(NAME)
        if (entry) index.set(NAME, { ...entry, database_hash: null })
      })
      expect(await codeOf(storeBackup(repository, 'new'))).toBe('slot-newer')
      await storeBackup(repository, 'new', { mends: true })
      await expectWhole(repository, 'new')
      expect(await names(repository)).toEqual(FILES)
    })

    it('never overwrites an index that can’t be read', async () => {
      const place = await make()
      await place.putForeign('backup.json', '{"testsite-1":')
      const repository = await place.open()
      expect(await codeOf(storeBackup(repository, 'new'))).toBe('index-corrupt')
      expect(String(await buffer(await repository.read('backup.json')))).toBe('{"testsite-1":')
      expect(await names(repository)).toEqual(['backup.json'])
    })

    it.each(['testsite-safety-20261123034300', 'testsite-pinned-20261123034300', 'testsite-9'])(
      'knows where %s may go',
      async (name) => {
        const repository = await (await make()).open()
        const opened = Promise.resolve().then(() => repository.openSlot(incomingOf('new', { name })))
        expect(await codeOf(opened)).toBe(options.isServer ? 'slot-not-rotation' : 'no error')
      },
    )

    it('removes one backup: its entry and the files that only it named', async () => {
      const place = await make()
      const repository = await place.open()
      await storeBackup(repository, 'new')
      await repository.updateIndex((index) =>
        index.set('testsite-2', { timestamp: 900, database: 'testsite-2.sql.gz', config_files: `config-${NAME}.tar.gz` }),
      )
      await place.putForeign('testsite-2.sql.gz', 'neighbour')
      const lease = await repository.lease()
      expect(await codeOf(repository.removeSlot({ name: NAME, timestamp: 1999 }))).toBe('unknown-backup')
      expect(await codeOf(repository.removeSlot({ name: 'testsite-3', timestamp: 2000 }))).toBe('unknown-backup')
      expect(await codeOf(repository.removeSlot({ name: 'testsite-pinned-20261123034300', timestamp: 2000 }))).toBe(
        'not-removable',
      )
      await repository.removeSlot({ name: NAME, timestamp: 2000 })
      await lease.release()
      expect([...(await repository.readIndex()).keys()]).toEqual(['testsite-2'])
      expect((await names(repository)).filter((file) => !file.startsWith('config-'))).toEqual([
        'backup.json',
        'testsite-2.sql.gz',
      ])
    })

    it('lets one program in at a time, and stops waiting when asked to', async () => {
      const place = await make()
      const [first, second] = [await place.open(), await place.open()]
      const lease = await first.lease()
      const abort = new AbortController()
      const waiting = second.lease(abort.signal)
      abort.abort()
      await expect(waiting).rejects.toThrow()
      let isIn = false
      const next = second.lease().then((taken) => {
        isIn = true
        return taken
      })
      await new Promise((resolve) => setTimeout(resolve, 300))
      expect(isIn).toBe(false)
      expect(await names(second)).toEqual([])
      await lease.release()
      await (await next).release()
      expect(await names(second)).toEqual([])
    })
  })
}
