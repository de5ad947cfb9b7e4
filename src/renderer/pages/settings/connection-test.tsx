import { Button } from '@mantine/core'
import { IconAlertCircle, IconAlertTriangle, IconCheck, IconPlug } from '@tabler/icons-react'
import { useState } from 'react'
import type { ConnectionCheck } from '#shared/contract/sites.ts'
import type { AppError } from '#shared/errors.ts'
import { formatMilliseconds } from '#shared/format.ts'
import type { SiteInput } from '#shared/model/site.ts'
import { readError } from '../../bridge.ts'
import { Badge } from '../../components/badge.tsx'
import { icon14, icon16 } from '../../components/icons.tsx'
import { Spinner } from '../../components/progress.tsx'
import type { GlyphState } from '../../components/state-glyph.tsx'
import { ErrorBox } from '../../components/states.tsx'
import { callUnlocking } from '../../queries.ts'
import type { ConnectionPart } from './connection-fields.tsx'
import classes from './settings.module.css'

export interface TestResult {
  checks: ConnectionCheck[]
  at: Date
}

/** The test of a site's connections, saved or not. */
export function useConnectionTest() {
  const [result, setResult] = useState<TestResult | null>(null)
  const [error, setError] = useState<AppError | null>(null)
  const [busy, setBusy] = useState(false)
  const test = async (site: SiteInput) => {
    setBusy(true)
    setError(null)
    try {
      const { checks } = await callUnlocking('sites.test', { site })
      setResult({ checks, at: new Date() })
    } catch (thrown) {
      setError(readError(thrown))
    }
    setBusy(false)
  }
  return { result, error, busy, test }
}

const SERVER_CHECKS = new Set(['Site folder', 'Media', 'Security', 'Backup folder'])

/** What the last test said of each connection; not known before one. */
export function connectionGlyphs(result: TestResult | null): Record<ConnectionPart, GlyphState> {
  const of = (belongs: (check: ConnectionCheck) => boolean): GlyphState => {
    const checks = result?.checks.filter(belongs) ?? []
    if (checks.length === 0) return 'none'
    if (checks.some((check) => check.outcome === 'failed')) return 'bad'
    return checks.some((check) => check.outcome === 'warning') ? 'warn' : 'ok'
  }
  const isServer = (check: ConnectionCheck) => SERVER_CHECKS.has(check.name)
  const isVault = (check: ConnectionCheck) => check.name === 'Vault'
  return { server: of(isServer), vault: of(isVault), database: of((check) => !isServer(check) && !isVault(check)) }
}

export function TestButton({
  busy,
  tested,
  disabled,
  onTest,
}: {
  busy: boolean
  tested: boolean
  disabled: boolean
  onTest(): void
}) {
  return (
    <div className={classes.testButton}>
      <Button leftSection={busy ? <Spinner /> : <IconPlug {...icon16} />} disabled={disabled || busy} onClick={onTest}>
        {busy ? 'Testing' : tested ? 'Test again' : 'Test'}
      </Button>
      <span>{disabled ? 'Fill in what is marked first' : 'Reads only; nothing is changed'}</span>
    </div>
  )
}

/** The steps of a test beside the form, with times and advice. */
export function TestPanel({ result, error, busy }: { result: TestResult | null; error: AppError | null; busy: boolean }) {
  return (
    <section className={classes.panel} aria-label="Test result" aria-live="polite" aria-busy={busy}>
      <div className={classes.panelHead}>
        <h2>Test result</h2>
        {result && <Verdict checks={result.checks} />}
        {result && (
          <span>
            {result.at.toISOString().slice(11, 19)} ·{' '}
            {formatMilliseconds(result.checks.reduce((sum, check) => sum + check.milliseconds, 0))}
          </span>
        )}
      </div>
      {error && <ErrorBox error={error} />}
      {!result && !error && (
        <p className={classes.explain}>
          {busy ? 'Testing, step by step.' : 'Not tested yet. A test tries the database and every folder, and changes nothing.'}
        </p>
      )}
      <ul className={classes.testSteps}>
        {result?.checks.map((check) => (
          <li key={check.name} data-outcome={check.outcome}>
            {check.outcome === 'passed' && <IconCheck {...icon14} />}
            {check.outcome === 'warning' && <IconAlertTriangle {...icon14} />}
            {check.outcome === 'failed' && <IconAlertCircle {...icon14} />}
            <b>{check.name}</b>
            <span data-selectable>{check.finding}</span>
            <i>{formatMilliseconds(check.milliseconds)}</i>
            {check.advice !== '' && (
              <p className={classes.advice} data-selectable>
                {check.advice}
              </p>
            )}
          </li>
        ))}
      </ul>
    </section>
  )
}

function Verdict({ checks }: { checks: readonly ConnectionCheck[] }) {
  const failed = checks.filter((check) => check.outcome === 'failed').length
  const warnings = checks.filter((check) => check.outcome === 'warning').length
  if (failed > 0) return <Badge tone="bad">{failed} failed</Badge>
  if (warnings > 0) return <Badge tone="warn">Works, {warnings === 1 ? '1 warning' : `${warnings} warnings`}</Badge>
  return <Badge tone="ok">Works</Badge>
}
