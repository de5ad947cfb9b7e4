import type { SettingsProblem } from '#shared/contract/sites.ts'
import { Notice } from '../../components/states.tsx'
import classes from './overview.module.css'

/** Settings files that could not be used: what was set aside, and what to do. */
export function Problems({ problems }: { problems: readonly SettingsProblem[] }) {
  if (problems.length === 0) return null
  return (
    <div className={classes.problems}>
      {problems.map((problem) => (
        <Notice key={`${problem.file} ${problem.code}`} tone="warn" title={problem.message}>
          {problem.hint}
          {problem.keptAs !== null && (
            <p>
              Kept as <code className={classes.mono}>{problem.keptAs}</code>
            </p>
          )}
        </Notice>
      ))}
    </div>
  )
}
