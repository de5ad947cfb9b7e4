import { IconAlertCircle, IconAlertTriangle, IconCheck, IconCircleDashed, IconHelpCircle } from '@tabler/icons-react'
import classes from './check-list.module.css'
import { icon14 } from './icons.tsx'

export type CheckOutcome = 'passed' | 'warning' | 'failed' | 'unknown' | 'untried'

export interface Check {
  name: string
  outcome: CheckOutcome
  finding: string
  /** At the end of the line: when, or how long. */
  end?: string
}

const OUTCOME_WORD: Record<CheckOutcome, string> = {
  passed: 'passed',
  warning: 'to read',
  failed: 'failed',
  unknown: 'not known',
  untried: 'not tried',
}

/** Checks as glyph, name, finding. In a pane (`stacked`) the finding stands below the name. */
export function CheckList({ checks, stacked = false }: { checks: readonly Check[]; stacked?: boolean }) {
  return (
    <ul className={classes.checks} data-stacked={stacked || undefined}>
      {checks.map((check) => (
        <li key={check.name} data-outcome={check.outcome}>
          <OutcomeIcon outcome={check.outcome} />
          <b>{check.name}</b>
          {check.finding !== '' && <span data-selectable>{check.finding}</span>}
          {check.end !== undefined && <i>{check.end}</i>}
        </li>
      ))}
    </ul>
  )
}

export function OutcomeIcon({ outcome }: { outcome: CheckOutcome }) {
  const shown = { ...icon14, 'aria-hidden': false, role: 'img', 'aria-label': OUTCOME_WORD[outcome] } as const
  if (outcome === 'passed') return <IconCheck {...shown} />
  if (outcome === 'warning') return <IconAlertTriangle {...shown} />
  if (outcome === 'failed') return <IconAlertCircle {...shown} />
  return outcome === 'unknown' ? <IconHelpCircle {...shown} /> : <IconCircleDashed {...shown} />
}
