import { formatDuration } from '#shared/format.ts'
import type { Proof } from '#shared/model/backup.ts'
import { failedChecks } from './copies.ts'

export interface LevelSummary {
  level: 'L0' | 'L1' | 'L2' | 'L3'
  text: string
  outcome: 'passed' | 'failed' | 'unknown' | 'untried'
  /** Named parts and why, unless every part passed; of a drill what it took. */
  reason: string
  /** When it was found; null: not tried. */
  at: string | null
}

const TEXT: Record<LevelSummary['level'], string> = {
  L0: 'Every part is present',
  L1: 'Hashes equal the index',
  L2: 'Opens and reads to the end',
  L3: 'Restored in a drill',
}

/** One line per verification level over all parts of a copy: the worst part speaks. */
export function levelSummaries(proof: Proof | null): LevelSummary[] {
  return [...(['L0', 'L1', 'L2'] as const).map((level) => partLevel(proof, level)), drillLevel(proof)]
}

function partLevel(proof: Proof | null, level: 'L0' | 'L1' | 'L2'): LevelSummary {
  const results = (proof?.parts ?? []).flatMap((part) => {
    const result = part.levels[level]
    return result ? [{ file: part.file, ...result }] : []
  })
  const summary = { level, text: TEXT[level], at: results.length > 0 ? (proof?.verifiedAt ?? null) : null }
  const worst = results.find((result) => result.outcome === 'failed') ?? results.find((result) => result.outcome === 'unknown')
  if (worst) return { ...summary, outcome: worst.outcome, reason: `${worst.file}: ${worst.reason}` }
  return { ...summary, outcome: results.length > 0 ? 'passed' : 'untried', reason: '' }
}

function drillLevel(proof: Proof | null): LevelSummary {
  const report = proof?.drill ?? null
  const summary = { level: 'L3' as const, text: TEXT.L3 }
  if (!report) return { ...summary, outcome: 'untried', reason: '', at: null }
  const { outcome, recoverySeconds, startedAt } = report
  if (outcome === 'passed')
    return {
      ...summary,
      outcome,
      reason: recoverySeconds === null ? '' : `Answers after ${formatDuration(recoverySeconds)}`,
      at: startedAt,
    }
  const failed = failedChecks(report)
  const unknown = report.checks.find((check) => check.outcome === 'unknown')
  return { ...summary, outcome, reason: outcome === 'failed' ? failed : (unknown?.finding ?? ''), at: startedAt }
}
