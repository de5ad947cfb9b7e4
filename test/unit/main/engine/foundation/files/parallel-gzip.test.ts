import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Readable, Writable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { createGunzip, gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HashMeter } from '#engine/features/backup/part-writer.ts'
import { CLOSING_BYTES, MEMBER_BYTES, ParallelGzip, plainSizeByTail } from '#engine/foundation/files/parallel-gzip.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { allowed } from '#test/support/patience.ts'
import { watchTurns } from '#test/support/turns.ts'

const run = promisify(execFile)

/** Lines that compress as a dump's do; different from each other, so that an exchanged member shows. */
function lines(bytes: number): Buffer {
  const text: string[] = []
  let length = 0
  for (let n = 0; length < bytes; n++) {
    const line = `${n}\tpage_${n % 997}\t\\N\tt\t2026-03-${(n % 28) + 1} 12:00:00+00\t${(n * 2654435761) % 4294967296}\n`
    text.push(line)
    length += line.length
  }
  return Buffer.from(text.join('')).subarray(0, bytes)
}

async function compress(pieces: Buffer[], level = 7): Promise<Buffer> {
  const gzip = new ParallelGzip(level)
  const [made] = await Promise.all([buffer(gzip), pipeline(Readable.from(pieces), gzip)])
  expect(gzip.plainBytes).toBe(pieces.reduce((sum, piece) => sum + piece.length, 0))
  return made
}

/** Plain sizes of the members, found by unpacking one after the other. */
async function memberSizes(file: Buffer): Promise<number[]> {
  const sizes: number[] = []
  for (let at = 0; at < file.length; ) {
    // a member ends where it can be unpacked without what follows
    let end = at + 18
    for (;;) {
      end = file.indexOf(Buffer.from([0x1f, 0x8b, 8]), end)
      if (end < 0) end = file.length
      try {
        sizes.push(gunzipSync(file.subarray(at, end)).length)
        break
      } catch (error) {
        if (end === file.length) throw error
        end += 1
      }
    }
    at = end
  }
  return sizes
}

describe('ParallelGzip', () => {
  it('gives back what came in, however it was cut, in members of 1 MiB', async () => {
    const source = Buffer.concat([lines(2 * MEMBER_BYTES), randomBytes(MEMBER_BYTES), Buffer.alloc(MEMBER_BYTES)])
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: source.length }),
        fc.array(fc.integer({ min: 0, max: 2 * MEMBER_BYTES }), { maxLength: 12 }),
        fc.integer({ min: 1, max: 9 }),
        async (length, cuts, level) => {
          const plain = source.subarray(0, length)
          const at = [0, ...cuts.map((cut) => cut % (length + 1)).sort((a, b) => a - b), length]
          const pieces = at.slice(1).map((end, index) => plain.subarray(at[index], end))
          const made = await compress(pieces, level)
          expect(gunzipSync(made).equals(plain)).toBe(true)
          expect(plainSizeByTail(made.subarray(-CLOSING_BYTES))).toEqual({ bytes: length, isExact: true })
          const sizes = await memberSizes(made)
          expect(sizes.pop()).toBe(0)
          const last = sizes.at(-1) ?? 0
          expect(sizes.slice(0, -1).every((size) => size === MEMBER_BYTES)).toBe(true)
          expect(last).toBeLessThanOrEqual(MEMBER_BYTES)
          expect(sizes).toHaveLength(Math.ceil(length / MEMBER_BYTES))
        },
      ),
      { numRuns: 25 },
    )
  })

  it('is read by gunzip and by Node’s stream, and found damaged by both', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'a.gz')
    const plain = lines(3 * MEMBER_BYTES + 4711)
    const made = await compress([plain])
    await writeFile(path, made)
    await run('gunzip', ['-t', path])
    const { stdout } = await run('sh', ['-c', `gunzip -c ${path} | sha256sum`])
    expect(stdout.slice(0, 64)).toBe(createHash('sha256').update(plain).digest('hex'))
    expect((await buffer(createReadStream(path).pipe(createGunzip()))).equals(plain)).toBe(true)
    for (const position of [made.length >> 1, made.length - CLOSING_BYTES - 2, made.length - 3]) {
      const damaged = Buffer.from(made)
      damaged[position] = (damaged[position] ?? 0) ^ 1
      await writeFile(path, damaged)
      await expect(run('gunzip', ['-t', path]), `bit at ${position}`).rejects.toThrow()
      await expect(buffer(Readable.from([damaged]).compose(createGunzip())), `bit at ${position}`).rejects.toThrow()
    }
  })

  it('compresses nearly as one stream does', async () => {
    const plain = lines(4 * MEMBER_BYTES)
    expect((await compress([plain])).length).toBeLessThan(gzipSync(plain, { level: 7 }).length * 1.02)
  })

  it('waits for a slow reader, whatever came in meanwhile being bounded', async () => {
    const gzip = new ParallelGzip(1)
    let given = 0
    const source = Readable.from(
      (async function* () {
        for (let n = 0; n < 60; n++) {
          given += MEMBER_BYTES
          yield randomBytes(MEMBER_BYTES)
        }
      })(),
    )
    let taken = 0
    const slow = new Writable({
      highWaterMark: 1,
      write(chunk: Buffer, _encoding, done) {
        taken += chunk.length
        setTimeout(done, 10)
      },
    })
    let most = 0
    const watch = setInterval(() => {
      most = Math.max(most, given - taken)
    }, 1)
    await pipeline(source, gzip, slow)
    clearInterval(watch)
    expect(most).toBeLessThan(24 * MEMBER_BYTES)
  })

  it('ends at once with a cancel and with a source that fails', async () => {
    const cancel = new AbortController()
    const endless = Readable.from(
      (async function* () {
        for (;;) yield lines(MEMBER_BYTES)
      })(),
    )
    const nowhere = () => new Writable({ write: (_chunk, _encoding, done) => done() })
    const compressed = pipeline(endless, new ParallelGzip(9), nowhere(), { signal: cancel.signal })
    await sleep(200)
    const started = performance.now()
    cancel.abort()
    await expect(compressed).rejects.toMatchObject({ name: 'AbortError' })
    expect(performance.now() - started).toBeLessThan(allowed(500))

    const broken = Readable.from(
      (async function* () {
        yield lines(5 * MEMBER_BYTES)
        throw new Error('the server went away')
      })(),
    )
    await expect(pipeline(broken, new ParallelGzip(6), nowhere())).rejects.toThrow('the server went away')
  })

  it('leaves the event loop free while it compresses and hashes', async () => {
    const folder = await temporaryFolder()
    const piece = lines(64 * 1024)
    const source = Readable.from(
      (async function* () {
        for (let n = 0; n < 640; n++) yield piece
      })(),
    )
    const delay = monitorEventLoopDelay({ resolution: 5 })
    const everything = process.cpuUsage()
    const start = process.threadCpuUsage()
    const turns = watchTurns({ everyMs: 2 })
    delay.enable()
    await pipeline(source, new ParallelGzip(7), new HashMeter(), createWriteStream(join(folder, 'a.gz')))
    delay.disable()
    const { longest } = turns.stop()
    const own = process.threadCpuUsage(start)
    const all = process.cpuUsage(everything)
    const share = (own.user + own.system) / (all.user + all.system)
    console.log(
      `40 MB: event loop held up ${(delay.percentile(50) / 1e6).toFixed(0)} ms in the middle, ${(delay.max / 1e6).toFixed(0)} ms at most; ` +
        `longest computing of this thread ${longest.toFixed(0)} ms, its share of all ${(share * 100).toFixed(0)} %`,
    )
    expect(longest).toBeLessThan(50)
    expect(share).toBeLessThan(0.4)
  })
})

describe('plainSizeByTail', () => {
  it('takes what gzip keeps for a file of one member, and says that it is less sure', () => {
    expect(plainSizeByTail(gzipSync(lines(100_000)).subarray(-CLOSING_BYTES))).toEqual({ bytes: 100_000, isExact: false })
    expect(plainSizeByTail(gzipSync(Buffer.alloc(0)).subarray(-8))).toEqual({ bytes: 0, isExact: false })
  })
})
