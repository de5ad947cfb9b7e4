import { randomBytes } from 'node:crypto'
import { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { CheckedGzip } from '#engine/features/backup/pg-dump/checked-gzip.ts'

const BODY = randomBytes(600_000).toString('hex')
const WHOLE = `--\n-- PostgreSQL database dump\n--\n\n${BODY}\n--\n-- PostgreSQL database dump complete\n--\n\n`

async function pass(packed: Buffer): Promise<{ out: Buffer; problem: Error | null; plain: number; progress: number }> {
  const out: Buffer[] = []
  let problem: Error | null = null
  let progress = 0
  const checked = new CheckedGzip({
    onProgress: (bytes) => {
      progress += bytes
    },
    async requireEnd(found) {
      problem = found
    },
  })
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      out.push(chunk)
      done()
    },
  })
  const pieces = Array.from({ length: Math.ceil(packed.length / 10_000) }, (_, at) =>
    packed.subarray(at * 10_000, (at + 1) * 10_000),
  )
  await pipeline(Readable.from(pieces), checked, sink)
  return { out: Buffer.concat(out), problem, plain: checked.plainBytes, progress }
}

describe('CheckedGzip', () => {
  it('passes the bytes through as they are, and counts them unpacked', async () => {
    const packed = gzipSync(WHOLE)
    const { out, problem, plain, progress } = await pass(packed)
    expect(out.equals(packed)).toBe(true)
    expect(problem).toBeNull()
    expect([plain, progress]).toEqual([WHOLE.length, WHOLE.length])
  })

  it.each([
    ['is cut', gzipSync(WHOLE).subarray(0, 300_000)],
    ['has no completion line', gzipSync(WHOLE.replace('database dump complete', 'database dump'))],
    ['is no gzip', Buffer.from('pg_dump: error: connection failed')],
    ['is empty', gzipSync('')],
  ])('tells of a dump that %s', async (_name, packed) => {
    expect((await pass(packed)).problem).toBeInstanceOf(Error)
  })
})
