import { describe, expect, it } from 'vitest'
import { createRateLimit, noRateLimit, type RateLimit } from '#engine/foundation/rate-limit.ts'
import { allowed } from '#test/support/patience.ts'

const never = new AbortController().signal

/** Seconds that a transfer of so many bytes takes under a limit. */
async function secondsFor(limit: RateLimit, bytes: number): Promise<number> {
  const started = performance.now()
  for (let left = bytes; left > 0; ) {
    const piece = Math.min(left, limit.pieceBytes(), 64 * 1024)
    await limit.take(piece, never)
    left -= piece
  }
  return (performance.now() - started) / 1000
}

describe('the limit of transfers', () => {
  it('lets bytes through at the rate that was set, shared by all who draw from it', async () => {
    const limit = createRateLimit(async () => 2_000_000)
    const started = performance.now()
    await Promise.all([secondsFor(limit, 1_000_000), secondsFor(limit, 1_000_000), secondsFor(limit, 1_000_000)])
    const rate = 3_000_000 / ((performance.now() - started) / 1000)
    expect(rate).toBeGreaterThan(1_700_000 / allowed(1))
    expect(rate).toBeLessThan(2_300_000)
  })

  it('follows a change within about a second', async () => {
    let rate: number | null = 100_000
    const limit = createRateLimit(async () => rate)
    setTimeout(() => {
      rate = null
    }, 200)
    // 40 s at the first rate
    expect(await secondsFor(limit, 4_000_000)).toBeLessThan(allowed(2.5))
  })

  it('does nothing where there is none', async () => {
    expect(await secondsFor(noRateLimit, 1e9)).toBeLessThan(allowed(0.5))
    expect(
      await secondsFor(
        createRateLimit(async () => null),
        1e9,
      ),
    ).toBeLessThan(allowed(0.5))
  })

  it('ends its wait when the transfer is cancelled', async () => {
    const limit = createRateLimit(async () => 1000)
    const cancel = new AbortController()
    await limit.take(1_000_000, cancel.signal)
    setTimeout(() => cancel.abort(), 50)
    const started = performance.now()
    await expect(limit.take(1, cancel.signal)).rejects.toThrow()
    expect(performance.now() - started).toBeLessThan(allowed(400))
  })
})
