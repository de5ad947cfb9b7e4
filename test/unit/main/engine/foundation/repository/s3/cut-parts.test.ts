import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { PartCutter } from '#engine/foundation/repository/s3/cut-parts.ts'
import { MAX_PARTS, partBytesFor } from '#engine/foundation/repository/s3/multipart.ts'

const MiB = 1024 * 1024
const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('hex')

it('cuts the same parts whatever pieces a stream comes in', async () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 30 })
  await fc.assert(
    fc.asyncProperty(pieces, fc.integer({ min: 1, max: 50 }), async (chunks, size) => {
      const whole = Buffer.concat(chunks)
      const cutter = new PartCutter(Readable.from(chunks.filter(({ length }) => length > 0)), { isHashed: true })
      let at = 0
      for (let number = 1; ; number += 1) {
        const part = await cutter.next(size)
        if (part === null) break
        const expected = whole.subarray(at, at + size)
        expect([part.number, part.bytes.equals(expected), part.md5.toString('hex')]).toEqual([number, true, md5(expected)])
        at += expected.length
        // its memory is used for the next one
        cutter.giveBack(part)
      }
      expect(at).toBe(whole.length)
      expect(cutter.sha256()).toBe(createHash('sha256').update(whole).digest('hex'))
    }),
  )
})

it('gives up a source that stalls as soon as it is asked to', async () => {
  const abort = new AbortController()
  const cutter = new PartCutter(new Readable({ read: () => {} }))
  const waiting = cutter.next(10, abort.signal)
  abort.abort(new Error('stop'))
  await expect(waiting).rejects.toThrow('stop')
  cutter.destroy()
})

it('never needs more parts than S3 takes, and keeps them small otherwise', () => {
  expect(partBytesFor(1)).toBe(8 * MiB)
  expect(partBytesFor(8 * MiB * MAX_PARTS)).toBe(8 * MiB)
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 * 1024 * 1024 * MiB }), (size) => {
      const bytes = partBytesFor(size)
      expect(Math.ceil(size / bytes)).toBeLessThanOrEqual(MAX_PARTS)
      expect(bytes % MiB).toBe(0)
    }),
  )
})
