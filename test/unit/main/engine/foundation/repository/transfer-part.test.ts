import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { BLOCK_BYTES, lendBlock } from '#engine/foundation/lent-memory.ts'
import { noRateLimit } from '#engine/foundation/rate-limit.ts'
import { openFolderRepository } from '#engine/foundation/repository/folder.ts'
import { transferPart } from '#engine/foundation/repository/transfer-part.ts'
import type { Repository } from '#engine/foundation/repository/types.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { QUICK, sha256 } from '#test/support/transfers.ts'

const BLOCKS = 5
const PIECE = 1024 * 1024
const file = 'testsite-1.sql.gz'
const never = new AbortController().signal

/** The same blocks again and again, with other bytes in each, as a filestore lends them. */
async function* lentBytes(): AsyncGenerator<Buffer> {
  for (let count = 1; count <= BLOCKS; count += 1) {
    const block = lendBlock().fill(count)
    for (let at = 0; at < BLOCK_BYTES; at += PIECE) {
      yield block.subarray(at, at + PIECE)
      await sleep(0)
    }
  }
}

const whole = Buffer.concat(Array.from({ length: BLOCKS }, (_, at) => Buffer.alloc(BLOCK_BYTES, at + 1)))

async function copied(contentHash: ((stored: Readable) => Promise<string | null>) | null) {
  const folder = await temporaryFolder()
  const target = openFolderRepository({ folder, owner: 'server' })
  const from: Repository = { ...target, read: async () => Readable.from(lentBytes(), { highWaterMark: 2 }) }
  const part = { kind: 'database' as const, size: whole.length }
  const incoming = { id: 'aaaabbbbccccdddd', name: 'testsite-1', timestamp: 1_795_000_000, isEncrypted: false, parts: [part] }
  const slot = await target.openSlot({ ...incoming, isFilestoreUploaded: false, unknownKeys: {} })
  const done = await transferPart({
    from,
    slot,
    isGathering: false,
    part: { kind: 'database', facts: { name: file, size: whole.length, modified: new Date(0), version: 'v' }, hash: null },
    limit: noRateLimit,
    patience: QUICK,
    signal: never,
    contentHash,
    onProgress() {},
    onNote() {},
  })
  await slot.putInPlace({ database: done.sha256 }, never)
  return { done, stored: await readFile(join(folder, file)) }
}

it('writes what was hashed, though the memory it comes in is used again', async () => {
  const { done, stored } = await copied(null)
  expect(stored.equals(whole)).toBe(true)
  expect(done.sha256).toBe(sha256(whole))
})

it('leaves its chunks to who looks into a part, for as long as they are held', async () => {
  const { done, stored } = await copied(async (bytes) => {
    const held: Buffer[] = []
    for await (const chunk of bytes) held.push(chunk as Buffer)
    return sha256(Buffer.concat(held))
  })
  expect(done.content).toBe(sha256(whole))
  expect(stored.equals(whole)).toBe(true)
})
