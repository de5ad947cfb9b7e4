import type { PartProof, Proof } from '#shared/model/backup.ts'
import type { DrillReport } from '#shared/model/drill.ts'

/** A proof and the drill of the same files: level 3 when both are well, and failed as soon as one is. */
export function withDrill(proof: Proof, drill: DrillReport | null): Proof {
  if (drill === null) return proof
  const parts = { ...proof, drill }
  if (drill.outcome === 'failed') return { ...parts, level: Math.min(proof.level, 2), verdict: 'failed' }
  const isWhole = proof.verdict === 'verified' && proof.level === 2
  return drill.outcome === 'passed' && isWhole ? { ...parts, level: 3 } : parts
}

/**
 * What is known of files after looking at the same ones again. A quicker look neither takes a proof away nor makes a
 * failure good: only one that looked as closely does.
 */
export function mergeProofs(old: Proof, next: Proof): Proof {
  const drill = next.drill ?? old.drill
  // what was known without the drills, which are judged anew
  const before = { ...withoutDrill(old), drill: null }
  const after = { ...withoutDrill(next), drill: null }
  return withDrill(isCloser(before, after) ? before : after, drill)
}

/** Whether the older look stands: the newer one found nothing wrong, and did not look as closely. */
function isCloser(old: Proof, next: Proof): boolean {
  if (next.verdict === 'failed') return false
  if (next.verdict === 'unknown') return old.verdict !== 'unknown' || triedLevel(old) > triedLevel(next)
  return triedLevel(old) > triedLevel(next)
}

function triedLevel({ parts }: Proof): number {
  return Math.max(-1, ...parts.map(({ levels }) => tried(levels)))
}

function tried({ L0, L1, L2 }: PartProof['levels']): number {
  return L2 ? 2 : L1 ? 1 : L0 ? 0 : -1
}

/** The verdict and level that the parts alone have. */
function withoutDrill(proof: Proof): Proof {
  if (proof.drill === null) return proof
  const results = proof.parts.flatMap(({ levels }) => [levels.L0, levels.L1, levels.L2])
  const hasFailed = results.some((result) => result?.outcome === 'failed')
  const level = Math.min(proof.level, 2)
  const verdict = hasFailed
    ? 'failed'
    : proof.verdict === 'failed'
      ? level === triedLevel(proof)
        ? 'verified'
        : 'unknown'
      : proof.verdict
  return { ...proof, level, verdict }
}

/** What is wrong with a backup that failed, in one clause; empty: nothing. */
export function whatFailed({ drill, parts }: Proof): string {
  for (const { file, levels } of parts) {
    const result = [levels.L0, levels.L1, levels.L2].find((level) => level?.outcome === 'failed')
    if (result) return `${file}: ${result.reason}`
  }
  const check = drill?.checks.find(({ outcome }) => outcome === 'failed')
  return check ? `${check.name}: ${check.finding}` : ''
}
