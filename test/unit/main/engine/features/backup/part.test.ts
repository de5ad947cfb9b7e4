import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { open, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { checkPart } from '#engine/features/backup/part-check.ts'
import { type StoredPart, writePart } from '#engine/features/backup/part-writer.ts'
import { decryptStream } from '#engine/features/encryption/index.ts'
import { workerFile } from '#engine/foundation/bundles.ts'
import { createWorkers, type Workers } from '#engine/foundation/workers.ts'
import { temporaryFolder } from '#test/support/home.ts'

const run = promisify(execFile)
const DUMP = Buffer.concat([
  Buffer.from('--\n-- PostgreSQL database dump\n--\n\nCREATE SCHEMA "s";\n'),
  Buffer.from(randomBytes(300_000).toString('hex')),
  Buffer.from('\n--\n-- PostgreSQL database dump complete\n--\n\n'),
])

let workers: Workers
beforeAll(() => {
  workers = createWorkers({ file: workerFile() })
})
afterAll(() => workers.close())

let folder: string
let path: string
beforeEach(async () => {
  folder = await temporaryFolder()
  path = join(folder, 'a.part')
})

const signal = () => new AbortController().signal

async function store(content: Buffer, password: string | null = null): Promise<StoredPart> {
  const pieces: Buffer[] = []
  for (let at = 0; at < content.length; at += 50_000) pieces.push(content.subarray(at, at + 50_000))
  return writePart(Readable.from(pieces), await open(path, 'wx', 0o600), { password, compression: 6, workers, signal: signal() })
}

const check = (stored: StoredPart, part: 'database' | 'files' = 'database', password: string | null = null) =>
  checkPart(path, part, stored, { password, workers, signal: signal() })

describe('writePart', () => {
  it('stores gzip with the size and hash of the file', async () => {
    const stored = await store(DUMP)
    const bytes = await readFile(path)
    expect(gunzipSync(bytes).equals(DUMP)).toBe(true)
    expect(stored).toMatchObject({ size: bytes.length, plainSize: DUMP.length })
    expect((await run('sha256sum', [path])).stdout.slice(0, 64)).toBe(stored.hash)
    await check(stored)
  })

  it('stores nothing but encrypted bytes with a password', async () => {
    const stored = await store(DUMP, 'zażółć 🔐')
    const bytes = await readFile(path)
    expect(bytes.subarray(0, 2).toString()).toBe('Z1')
    expect(bytes).toHaveLength(stored.size)
    const { plain } = await decryptStream(Readable.from([bytes]), ['zażółć 🔐'])
    expect(gunzipSync(Buffer.concat(await plain.toArray())).equals(DUMP)).toBe(true)
    await check(stored, 'database', 'zażółć 🔐')
    await expect(check(stored, 'database', 'other')).rejects.toMatchObject({ code: 'part-unreadable' })
  })

  it('fails with what the source fails with', async () => {
    const source = Readable.from(
      (async function* () {
        yield DUMP
        throw new Error('the server went away')
      })(),
    )
    const file = await open(path, 'wx')
    await expect(writePart(source, file, { password: null, compression: 6, workers, signal: signal() })).rejects.toThrow(
      'the server went away',
    )
  })
})

describe('checkPart', () => {
  it('finds a cut and a flipped bit anywhere', async () => {
    const stored = await store(DUMP)
    const bytes = await readFile(path)
    for (const position of [0, 5, Math.floor(bytes.length / 2), bytes.length - 6, bytes.length - 1]) {
      const flipped = Buffer.from(bytes)
      flipped[position] = (flipped[position] ?? 0) ^ 4
      await writeFile(path, flipped)
      await expect(check(stored), `bit at ${position}`).rejects.toMatchObject({ code: 'part-unreadable' })
    }
    for (const length of [0, 9, bytes.length - 1]) {
      await writeFile(path, bytes)
      await truncate(path, length)
      await expect(check(stored), `cut at ${length}`).rejects.toMatchObject({ code: 'part-unreadable' })
    }
  })

  it('finds a dump without its last line, and an archive without its end', async () => {
    await expect(check(await store(DUMP.subarray(0, -30)))).rejects.toThrow('the dump is cut')
    path = join(folder, 'b.part')
    await writeFile(join(folder, 'x'), randomBytes(5000))
    const { stdout: tar } = await run('tar', ['-C', folder, '-c', './x'], { encoding: 'buffer' })
    await check(await store(tar), 'files')
    for (const [length, reason] of [
      [512 + 4096, 'the archive is cut'],
      [512 + 5120, 'the archive is cut'],
      [512 + 5120 + 512, 'the archive is cut'],
      [700, 'the archive is cut'],
    ] as const) {
      path = join(folder, `cut-${length}.part`)
      await expect(check(await store(tar.subarray(0, length)), 'files')).rejects.toThrow(reason)
    }
    path = join(folder, 'damaged.part')
    const damaged = Buffer.from(tar)
    damaged[10] = 1
    await expect(check(await store(damaged), 'files')).rejects.toThrow('damaged')
  })

  it('ends with a cancel', async () => {
    const stored = await store(DUMP)
    const cancel = new AbortController()
    const checked = checkPart(path, 'database', stored, {
      password: null,
      workers,
      signal: cancel.signal,
      onProgress: () => cancel.abort(),
    })
    await expect(checked).rejects.toMatchObject({ code: 'cancelled' })
  })
})
