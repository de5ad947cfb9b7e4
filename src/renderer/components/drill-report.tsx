import { formatDuration, formatMilliseconds, formatPlural } from '#shared/format.ts'
import type { DrillCheck, DrillReport } from '#shared/model/drill.ts'
import { drillOutcome } from '../lib/jobs.ts'
import { CheckList } from './check-list.tsx'
import classes from './drill-report.module.css'
import { CopyButton } from './kbd.tsx'

/** What restoring a backup into a scratch database showed: the measured recovery time, every check, what was kept. */
export function DrillReportView({ report }: { report: DrillReport }) {
  const { outcome, recoverySeconds, seconds, keptIn } = report
  return (
    <div className={classes.report} data-outcome={outcome}>
      <p className={classes.outcome} data-selectable>
        {drillOutcome(report)}
      </p>
      <p data-selectable>
        {recoverySeconds === null
          ? `${report.server}; ${formatDuration(seconds)} with all checks.`
          : `Measured recovery time ${formatMilliseconds(recoverySeconds * 1000)}, from the first byte to a database that answers. ` +
            `${formatPlural(report.tables, 'table')}, ${formatPlural(report.rows, 'row')} in ${report.server}; ` +
            `${formatDuration(seconds)} with all checks.`}
      </p>
      <CheckList stacked checks={withOneLinePerReason(report.checks)} />
      {keptIn !== null && (
        <div className={classes.kept}>
          <p>The scratch database is kept, to be looked at:</p>
          <span>
            <code data-selectable title={keptIn}>
              {keptIn}
            </code>
            <CopyButton text={keptIn} label="Copy the folder of the scratch database" />
          </span>
        </div>
      )}
    </div>
  )
}

/** Checks that could not be told for one and the same reason stand together. */
function withOneLinePerReason(checks: readonly DrillCheck[]): DrillCheck[] {
  const lines = new Map<string, DrillCheck>()
  for (const check of checks) {
    const key = check.outcome === 'unknown' ? check.finding : check.id
    const earlier = lines.get(key)
    lines.set(key, earlier ? { ...earlier, name: `${earlier.name}, ${check.name.toLowerCase()}` } : check)
  }
  return [...lines.values()]
}
