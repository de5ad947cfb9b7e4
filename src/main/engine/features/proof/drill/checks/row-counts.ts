import { formatCount, formatMoment } from '#shared/format.ts'
import { type Finding, failed, passed, some, unknown, warning } from './check.ts'

/** What an earlier drill of the same site counted. */
export interface EarlierCounts {
  name: string
  /** Of the backup, ISO UTC. */
  timestamp: string
  rowCounts: Record<string, number>
}

/** What a site can't lose by half from one backup to the next without something being wrong. */
const KEY_TABLES = ['rsc', 'edge', 'medium', 'identity']
/** Queues and logs, which are emptied all the time. */
const RESTLESS = /^(?:log|log_\w+|\w+_log|\w*queue|emailq|email_status|pivot_\w+|oauth2_\w+)$/
const WARN_SHARE = 0.2
const WARN_ROWS = 50
/** Of fewer rows, losing all or half is nothing. */
const ALL_FROM = 3
const HALF_FROM = 10

/** Row counts near those of the backup before. @param earlier null: none was drilled */
export function checkRowCounts(counts: Record<string, number>, earlier: EarlierCounts | null): Finding {
  if (earlier === null) return unknown('No earlier backup of this site was drilled, so there is nothing to compare with')
  const before = `${earlier.name} of ${formatMoment(earlier.timestamp)}`
  const lost = KEY_TABLES.filter((table) => isLost(counts[table] ?? 0, earlier.rowCounts[table] ?? 0))
  if (lost.length > 0)
    return failed(`Too few rows, compared with ${before}: ${some(lost.map((table) => change(table, counts, earlier)))}`)
  const gone = Object.keys(earlier.rowCounts).filter((table) => counts[table] === undefined)
  const moved = Object.keys(earlier.rowCounts).filter(
    (table) => counts[table] !== undefined && !RESTLESS.test(table) && isFar(counts[table], earlier.rowCounts[table] ?? 0),
  )
  const oddities = [
    ...(gone.length > 0 ? [`${some(gone)} ${gone.length === 1 ? 'is' : 'are'} gone`] : []),
    ...(moved.length > 0 ? [some(moved.map((table) => change(table, counts, earlier)))] : []),
  ]
  if (oddities.length > 0) return warning(`Compared with ${before}: ${oddities.join('; ')}`)
  return passed(`Near those of ${before} in every table`)
}

function isLost(now: number, then: number): boolean {
  return (now === 0 && then >= ALL_FROM) || (then >= HALF_FROM && now < then / 2)
}

function isFar(now: number, then: number): boolean {
  const difference = Math.abs(now - then)
  return difference > WARN_ROWS && difference > then * WARN_SHARE
}

function change(table: string, counts: Record<string, number>, earlier: EarlierCounts): string {
  return `${table} ${formatCount(counts[table] ?? 0)} (was ${formatCount(earlier.rowCounts[table] ?? 0)})`
}
