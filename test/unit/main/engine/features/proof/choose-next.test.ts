import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Candidate, chooseNext, estimateSeconds, leastKnownFirst } from '#engine/features/proof/choose-next.ts'

type Named = Candidate & { name: string }
const candidate = (name: string, change: Partial<Candidate> = {}): Named => ({
  name,
  repository: 'vault',
  timestamp: '2026-11-20T03:00:00Z',
  verifiedAt: null,
  canDrill: true,
  verifySeconds: 10,
  drillSeconds: 50,
  ...change,
})
const chosen = (waiting: Named[], secondsLeft: number, hasRunOne = true) => {
  const next = chooseNext(waiting, secondsLeft, hasRunOne)
  return next && [next.candidate.name, next.level]
}

describe('leastKnownFirst', () => {
  it('takes never verified ones first, the newest of them first, the vault before the server; then the oldest proof', () => {
    const all = [
      candidate('proven yesterday', { verifiedAt: '2026-11-22T04:00:00Z' }),
      candidate('never, older', { timestamp: '2026-11-19T03:00:00Z' }),
      candidate('never, on the server', { repository: 'server' }),
      candidate('proven long ago', { verifiedAt: '2026-11-01T04:00:00Z' }),
      candidate('never, in the vault'),
    ]
    expect(all.sort(leastKnownFirst).map(({ name }) => name)).toEqual([
      'never, in the vault',
      'never, on the server',
      'never, older',
      'proven long ago',
      'proven yesterday',
    ])
  })
})

describe('chooseNext', () => {
  const first = candidate('first')
  const second = candidate('second', { verifiedAt: '2026-11-01T04:00:00Z', verifySeconds: 2, drillSeconds: 5 })

  it('drills what fits, reads what fits without a drill, and stops when nothing does', () => {
    expect(chosen([second, first], 60)).toEqual(['first', 3])
    expect(chosen([second, first], 59)).toEqual(['first', 2])
    expect(chosen([second, first], 9)).toEqual(['second', 3])
    expect(chosen([second, first], 6)).toEqual(['second', 2])
    expect(chosen([second, first], 1)).toBeNull()
    expect(chosen([], 1000)).toBeNull()
  })

  it('runs the first one to the full as long as nothing ran, however long it takes; but not without any time', () => {
    expect(chosen([second, first], 1, false)).toEqual(['first', 3])
    expect(chosen([second, first], 0, false)).toBeNull()
  })

  it('does not drill what has no database', () => {
    expect(chosen([{ ...first, canDrill: false }], 1000)).toEqual(['first', 2])
    expect(chosen([{ ...first, canDrill: false }], 1000, false)).toEqual(['first', 2])
  })

  it('never starts a second one that does not fit, and looks at each only once', () => {
    const candidates = fc.array(
      fc.record({
        repository: fc.constantFrom('vault' as const, 'server' as const),
        timestamp: fc.constantFrom('2026-11-20T03:00:00Z', '2026-11-21T03:00:00Z'),
        verifiedAt: fc.constantFrom(null, '2026-11-01T00:00:00Z', '2026-11-02T00:00:00Z'),
        canDrill: fc.boolean(),
        verifySeconds: fc.integer({ min: 1, max: 100 }),
        drillSeconds: fc.integer({ min: 1, max: 400 }),
      }),
      { maxLength: 12 },
    )
    fc.assert(
      fc.property(candidates, fc.integer({ min: 1, max: 600 }), (all, budget) => {
        let waiting: Candidate[] = all
        let spent = 0
        for (let ran = 0; ; ran += 1) {
          const next = chooseNext(waiting, budget - spent, ran > 0)
          if (!next) break
          const { verifySeconds, drillSeconds } = next.candidate
          spent += next.level === 3 ? verifySeconds + drillSeconds : verifySeconds
          if (ran > 0) expect(spent).toBeLessThanOrEqual(budget)
          waiting = waiting.filter((other) => other !== next.candidate)
          expect(ran).toBeLessThan(all.length)
        }
        // what is left did not fit
        for (const { verifySeconds } of waiting) expect(verifySeconds).toBeGreaterThan(budget - spent)
        if (all.length > 0) expect(waiting.length).toBeLessThan(all.length)
      }),
    )
  })
})

describe('estimateSeconds', () => {
  it('goes by the one that is nearest in size: more takes longer, less hardly less', () => {
    const earlier = [
      { bytes: 1_000_000, seconds: 5 },
      { bytes: 100_000_000, seconds: 40 },
    ]
    expect(estimateSeconds(100_000_000, earlier, () => 0)).toBe(40)
    expect(estimateSeconds(200_000_000, earlier, () => 0)).toBe(80)
    expect(estimateSeconds(50_000_000, earlier, () => 0)).toBe(40)
    expect(estimateSeconds(1, earlier, () => 0)).toBe(5)
    expect(estimateSeconds(30, [], (bytes) => bytes * 2)).toBe(60)
  })
})
