import { constants, PerformanceObserver } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { collectPassed } from '#engine/foundation/collect-passed.ts'

const BYTES = 1024 * 1024 * 1024
const PIECE = 240 * 1024

it('clears away what passed before V8 looks through all of its memory', async () => {
  const kinds: (number | undefined)[] = []
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) kinds.push((entry as { detail?: { kind?: number } }).detail?.kind)
  })
  observer.observe({ entryTypes: ['gc'] })
  for (let at = 0; at < BYTES; at += PIECE) {
    const piece = Buffer.allocUnsafeSlow(PIECE)
    collectPassed(piece.length)
    // as between two pieces that come over a network
    if (at % (PIECE * 16) === 0) await sleep(0)
  }
  await sleep(10)
  observer.disconnect()
  const whole = kinds.filter((kind) => kind === constants.NODE_PERFORMANCE_GC_MAJOR).length
  expect(kinds).toContain(constants.NODE_PERFORMANCE_GC_MINOR)
  expect(whole).toBeLessThan(4)
})
