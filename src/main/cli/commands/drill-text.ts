import { formatCount, formatDuration, formatPlural } from '#shared/format.ts'
import type { DrillReport } from '#shared/model/drill.ts'

const GLYPHS = { passed: '✓', warning: '!', failed: '✗', unknown: '?' }

/** The report of a drill, for people. */
export function drillText({ checks, outcome, recoverySeconds, seconds, server, tables, rows, keptIn }: DrillReport): string {
  const restored =
    recoverySeconds === null
      ? `  drill    not restored into ${server}, after ${secondsText(seconds)}\n`
      : `  drill    restored into ${server} in ${secondsText(recoverySeconds)}: ${formatPlural(tables, 'table')}, ${formatCount(rows)} rows\n`
  const kept = keptIn === null ? '' : `  The scratch database is kept in ${keptIn}; zbd drill --clean removes it.\n`
  const summary = {
    passed: 'The drill went well.',
    failed: 'The drill found that this backup does not restore to a whole site.',
    unknown: 'This backup could not be drilled here; nothing is said against it.',
  }[outcome]
  const lines = checks.map((check) => `    ${GLYPHS[check.outcome]} ${check.name}: ${check.finding}\n`).join('')
  return `${restored}${lines}${kept}  ${summary}\n`
}

/** Recovery times are compared with each other: tenths count. */
function secondsText(seconds: number): string {
  return seconds < 60 ? `${seconds.toFixed(1)} s` : formatDuration(seconds)
}
