import type { Proof } from '#shared/model/backup.ts'

export interface LevelSummary {
  level: 'L0' | 'L1' | 'L2'
  text: string
  outcome: 'passed' | 'failed' | 'unknown' | 'untried'
  /** Named parts and why, unless every part passed. */
  reason: string
}

const TEXT: Record<LevelSummary['level'], string> = {
  L0: 'Every part is present',
  L1: 'Hashes equal the index',
  L2: 'Opens and reads to the end',
}

/** One line per verification level over all parts of a copy: the worst part speaks. */
export function levelSummaries(proof: Proof | null): LevelSummary[] {
  return (['L0', 'L1', 'L2'] as const).map((level) => {
    const results = (proof?.parts ?? []).flatMap((part) => {
      const result = part.levels[level]
      return result ? [{ file: part.file, ...result }] : []
    })
    const worst = results.find((result) => result.outcome === 'failed') ?? results.find((result) => result.outcome === 'unknown')
    if (worst) return { level, text: TEXT[level], outcome: worst.outcome, reason: `${worst.file}: ${worst.reason}` }
    return { level, text: TEXT[level], outcome: results.length > 0 ? 'passed' : 'untried', reason: '' }
  })
}
