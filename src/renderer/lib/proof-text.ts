import type { SiteStatus } from '#shared/contract/backups.ts'
import { formatAge, formatDay, formatDuration, formatNearDay } from '#shared/format.ts'
import type { BackupRow } from './join-backups.ts'

const OLD_DRILL_MS = 30 * 86_400_000

/** What the proof column shows: the level, a second line, and its colour where it needs a person. */
export interface ProofText {
  level: number | null
  second: string
  tone?: 'warn' | 'bad'
}

function isOldDrill(at: string, now: Date): boolean {
  return now.getTime() - new Date(at).getTime() > OLD_DRILL_MS
}

/** Of one backup: the best level of its copies and its date. */
export function rowProof(row: Pick<BackupRow, 'proof' | 'drill' | 'copies'>, now: Date): ProofText {
  const level = row.proof?.level ?? null
  if (row.drill?.outcome === 'failed') return { level, second: 'drill failed', tone: 'bad' }
  if (!row.proof) {
    const failed = Object.values(row.copies).some((copy) => copy.state === 'failed')
    return failed ? { level, second: 'failed', tone: 'bad' } : { level, second: 'not verified' }
  }
  const isOld = row.proof.level >= 3 && isOldDrill(row.proof.at, now)
  return { level, second: formatNearDay(row.proof.at, now), ...(isOld ? { tone: 'warn' } : {}) }
}

/** Of a site: the level of its newest backup, and how long ago any backup was drilled. */
export function siteProof({ proof, drill }: Pick<SiteStatus, 'proof' | 'drill'>, now: Date): ProofText {
  const level = proof.at === null ? null : proof.level
  if (!drill || drill.outcome === 'unknown') return { level, second: proof.at === null ? 'not verified' : 'not drilled' }
  if (drill.outcome === 'failed') return { level, second: 'drill failed', tone: 'bad' }
  return {
    level,
    second: `drill ${formatAge(drill.startedAt, now)}`,
    ...(isOldDrill(drill.startedAt, now) ? { tone: 'warn' } : {}),
  }
}

/** "Restored in 12 s on 21 Nov", of the newest drill; null: there was none, or it failed, which the proof itself says. */
export function drillText(drill: SiteStatus['drill']): string | null {
  if (!drill || drill.outcome === 'failed') return null
  const day = formatDay(drill.startedAt)
  if (drill.outcome === 'unknown') return `Could not be drilled on this computer on ${day}`
  return drill.recoverySeconds === null ? `Restored on ${day}` : `Restored in ${formatDuration(drill.recoverySeconds)} on ${day}`
}
