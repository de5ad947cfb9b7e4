import { IconAlertCircle, IconAlertTriangle, IconCheck } from '@tabler/icons-react'
import { useState } from 'react'
import type { PasswordTest, PasswordTrial } from '#shared/contract/secrets.ts'
import type { AppError } from '#shared/errors.ts'
import { readError } from '../../bridge.ts'
import { Badge } from '../../components/badge.tsx'
import { icon14, REPOSITORY_LABEL } from '../../components/icons.tsx'
import { CommandLine } from '../../components/kbd.tsx'
import { ErrorBox } from '../../components/states.tsx'
import { callUnlocking } from '../../queries.ts'
import classes from './settings.module.css'

/** The test of a password on the newest encrypted backups: the stored one, or the one that is typed. */
export function usePasswordTest(site: string) {
  const [result, setResult] = useState<PasswordTest | null>(null)
  const [error, setError] = useState<AppError | null>(null)
  const [busy, setBusy] = useState(false)
  const test = async (password?: string) => {
    setBusy(true)
    setError(null)
    setResult(null)
    try {
      setResult(await callUnlocking('secrets.testPassword', { site, ...(password === undefined ? {} : { password }) }))
    } catch (thrown) {
      setError(readError(thrown))
    }
    setBusy(false)
  }
  const forget = () => {
    setResult(null)
    setError(null)
  }
  return { result, error, busy, test, forget }
}

/** What was opened, or why not, for each repository. */
export function PasswordTestPanel({
  site,
  result,
  error,
}: {
  site: string
  result: PasswordTest | null
  error: AppError | null
}) {
  if (!result && !error) return null
  return (
    <section className={classes.panel} aria-label="Password test" aria-live="polite">
      <div className={classes.panelHead}>
        <h2>Password test</h2>
        {result && (
          <div>
            <Verdict verdict={result.verdict} />
          </div>
        )}
      </div>
      {error && <ErrorBox error={error} />}
      {result?.verdict === 'nothing-to-open' && (
        <p className={classes.explain}>{site} has no encrypted backup yet, so there is nothing to try a password on.</p>
      )}
      <ul className={classes.testSteps}>
        {result?.trials.map((trial) => (
          <li key={trial.repository} data-outcome={STEP_OF[trial.outcome]}>
            <OutcomeIcon outcome={trial.outcome} />
            <b>{REPOSITORY_LABEL[trial.repository]}</b>
            <span data-selectable>{trial.finding}</span>
          </li>
        ))}
        {result?.problems.map(({ repository, message, hint }) => (
          <li key={`problem-${repository}`} data-outcome="failed">
            <IconAlertCircle {...icon14} />
            <b>{PLACE_LABEL[repository] ?? repository}</b>
            <span data-selectable>{message}</span>
            <p className={classes.advice}>{hint}</p>
          </li>
        ))}
      </ul>
      <CommandLine command={`zbd password test ${site}`} />
    </section>
  )
}

const PLACE_LABEL: Record<string, string> = REPOSITORY_LABEL

const STEP_OF: Record<PasswordTrial['outcome'], 'passed' | 'warning' | 'failed'> = {
  opens: 'passed',
  'opens-with-older': 'warning',
  'does-not-open': 'failed',
  unreadable: 'failed',
}

function OutcomeIcon({ outcome }: { outcome: PasswordTrial['outcome'] }) {
  if (outcome === 'opens') return <IconCheck {...icon14} />
  return outcome === 'opens-with-older' ? <IconAlertTriangle {...icon14} /> : <IconAlertCircle {...icon14} />
}

function Verdict({ verdict }: { verdict: PasswordTest['verdict'] }) {
  switch (verdict) {
    case 'opens':
      return <Badge tone="ok">Opens the newest backup</Badge>
    case 'opens-with-older':
      return <Badge tone="warn">An older one opens it</Badge>
    case 'does-not-open':
      return <Badge tone="bad">Does not open it</Badge>
    case 'unreadable':
      return <Badge tone="bad">Could not be tried</Badge>
    case 'nothing-to-open':
      return <Badge>Nothing to try it on</Badge>
  }
}
