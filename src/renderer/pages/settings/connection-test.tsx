import { Button } from '@mantine/core'
import { IconPlug } from '@tabler/icons-react'
import { useState } from 'react'
import type { HostKey } from '#shared/contract/servers.ts'
import type { ConnectionCheck } from '#shared/contract/sites.ts'
import type { AppError } from '#shared/errors.ts'
import { formatMilliseconds } from '#shared/format.ts'
import type { SiteInput } from '#shared/model/site.ts'
import { readError } from '../../bridge.ts'
import { Badge } from '../../components/badge.tsx'
import { OutcomeIcon } from '../../components/check-list.tsx'
import { icon16 } from '../../components/icons.tsx'
import { Spinner } from '../../components/progress.tsx'
import type { GlyphState } from '../../components/state-glyph.tsx'
import { ErrorBox } from '../../components/states.tsx'
import { changedKeyIn } from '../../lib/host-keys.ts'
import { callUnlocking } from '../../queries.ts'
import type { ConnectionPart } from './connection-fields.tsx'
import { ChangedKeyCard, HostKeyCard } from './host-key-card.tsx'
import classes from './settings.module.css'

export interface TestResult {
  checks: ConnectionCheck[]
  unknownHost: HostKey | null
  /** A server that showed another key than was accepted. */
  changed: { known: HostKey; shown: string } | null
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
      const { checks, unknownHost } = await callUnlocking('sites.test', { site })
      setResult({ checks, unknownHost, changed: await changedKeyOf(checks), at: new Date() })
    } catch (thrown) {
      setError(readError(thrown))
    }
    setBusy(false)
  }
  return { result, error, busy, test }
}

async function changedKeyOf(checks: readonly ConnectionCheck[]): Promise<TestResult['changed']> {
  const refusals = checks.filter(({ outcome, finding }) => outcome === 'failed' && finding.includes('SHA256:'))
  if (refusals.length === 0) return null
  const { hosts } = await callUnlocking('hosts.list', {})
  return refusals.map(({ finding }) => changedKeyIn(finding, hosts)).find((changed) => changed !== null) ?? null
}

const PART_OF: Record<ConnectionCheck['connection'], ConnectionPart> = {
  vault: 'vault',
  server: 'server',
  zotonic: 'server',
  database: 'database',
  filestore: 'filestore',
}

/** What the last test said of each connection; not known before one. */
export function connectionGlyphs(result: TestResult | null): Record<ConnectionPart, GlyphState> {
  const of = (part: ConnectionPart): GlyphState => {
    const checks = result?.checks.filter(({ connection }) => PART_OF[connection] === part) ?? []
    if (checks.some(({ outcome }) => outcome === 'failed')) return 'bad'
    if (checks.length === 0 || checks.every(({ outcome }) => outcome === 'skipped')) return 'none'
    return checks.some(({ outcome }) => outcome === 'warning') ? 'warn' : 'ok'
  }
  return { server: of('server'), vault: of('vault'), database: of('database'), filestore: of('filestore') }
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
      <span>{disabled ? 'Fill in what is marked first' : 'What it writes to see whether it may, it removes again'}</span>
    </div>
  )
}

const GROUPS: { connection: ConnectionCheck['connection']; title: string }[] = [
  { connection: 'server', title: 'Server' },
  { connection: 'zotonic', title: 'Zotonic' },
  { connection: 'database', title: 'Database' },
  { connection: 'filestore', title: 'Filestore' },
  { connection: 'vault', title: 'Vault' },
]

/** The steps of a test beside the form, by connection, with times and advice. */
export function TestPanel(props: { result: TestResult | null; error: AppError | null; busy: boolean; onTest(): void }) {
  const { result, error, busy, onTest } = props
  const groups = GROUPS.map((group) => ({
    ...group,
    checks: result?.checks.filter(({ connection }) => connection === group.connection) ?? [],
  })).filter(({ checks }) => checks.length > 0)
  return (
    <section className={classes.panel} aria-label="Test result" aria-live="polite" aria-busy={busy}>
      <div className={classes.panelHead}>
        <h2>Test result</h2>
        {result && <Verdict result={result} />}
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
          {busy ? 'Testing, step by step.' : 'Not tested yet. A test tries every connection and every folder, step by step.'}
        </p>
      )}
      {result?.unknownHost && <HostKeyCard hostKey={result.unknownHost} onAccepted={onTest} />}
      {result?.changed && <ChangedKeyCard {...result.changed} onForgotten={onTest} />}
      {groups.map(({ connection, title, checks }) => (
        <div key={connection} className={classes.testGroup}>
          {groups.length > 1 && <h3>{title}</h3>}
          <ul className={classes.testSteps}>
            {checks.map((check) => (
              <li key={check.name} data-outcome={check.outcome}>
                <OutcomeIcon outcome={check.outcome === 'skipped' ? 'untried' : check.outcome} />
                <b>{check.name}</b>
                <span data-selectable>{check.finding}</span>
                <i>{check.outcome === 'skipped' ? 'not tried' : formatMilliseconds(check.milliseconds)}</i>
                {check.advice !== '' && (
                  <p className={classes.advice} data-selectable>
                    {check.advice}
                  </p>
                )}
              </li>
            ))}
          </ul>
        </div>
      ))}
    </section>
  )
}

function Verdict({ result: { checks, unknownHost } }: { result: TestResult }) {
  const failed = checks.filter((check) => check.outcome === 'failed').length
  const warnings = checks.filter((check) => check.outcome === 'warning').length
  if (unknownHost) return <Badge tone="warn">Waits for the key</Badge>
  if (failed > 0) return <Badge tone="bad">{failed} failed</Badge>
  if (warnings > 0) return <Badge tone="warn">Works, {warnings === 1 ? '1 warning' : `${warnings} warnings`}</Badge>
  return <Badge tone="ok">Works</Badge>
}
