import { Button, Checkbox } from '@mantine/core'
import { IconAlertCircle, IconAlertTriangle, IconArrowRight, IconCheck } from '@tabler/icons-react'
import { useState } from 'react'
import type { AppError } from '#shared/errors.ts'
import { formatBytes, formatCount, formatDuration, formatMomentLong, formatPlural } from '#shared/format.ts'
import type { PlanCheck, RestorePart, RestorePlan } from '#shared/model/plan.ts'
import { icon14 } from '../../components/icons.tsx'
import { Spinner } from '../../components/progress.tsx'
import { ErrorBox, Notice } from '../../components/states.tsx'
import { StepList } from '../../components/step-list.tsx'
import { differenceText, splitTables, TABLE_WORD } from '../../lib/plan-tables.ts'
import classes from './restore.module.css'

/** What the restore would do: effect, parts, now and then, checks, way back, steps. */
export function PlanView(props: {
  plan: RestorePlan
  /** The parts that were asked for; the backup or the site may not have them all. */
  asked: readonly RestorePart[]
  busy: boolean
  error: AppError | null
  notConfirmed: boolean
  onParts(parts: RestorePart[]): void
}) {
  const { plan, busy, onParts } = props
  return (
    <div className={classes.columns} aria-busy={busy}>
      <div className={classes.left}>
        {props.error && (
          <div className={classes.box}>
            <ErrorBox error={props.error} onRetry={() => onParts(plan.parts)} />
          </div>
        )}
        {props.notConfirmed && (
          <div className={classes.box}>
            <Notice tone="info" title="Not confirmed.">
              Nothing was changed. The plan stays until it is ten minutes old.
            </Notice>
          </div>
        )}
        {!plan.runnable && (
          <div className={classes.box}>
            <ErrorBox title="This restore cannot be run." error={{ code: 'plan-not-runnable', ...whyNot(plan.checks) }} />
          </div>
        )}
        <Effect plan={plan} />
        <Parts plan={plan} asked={props.asked} busy={busy} onParts={onParts} />
        {plan.parts.includes('database') && plan.tables.length > 0 && <Tables plan={plan} />}
        {plan.media && plan.parts.includes('files') && <Media media={plan.media} />}
        <Checks checks={plan.checks} />
      </div>
      <aside className={classes.right} aria-label="Way back and steps">
        <h2>Way back</h2>
        <ul className={classes.wayBack}>
          {plan.wayBack.map((sentence) => (
            <li key={sentence} data-selectable>
              {sentence}
            </li>
          ))}
        </ul>
        <h2>Steps</h2>
        <StepList items={plan.steps.map((step) => ({ ...step, state: 'waiting', done: 0, total: null }))} />
        <p className={classes.stops}>If a step fails, the run stops there and says what is as it was.</p>
        <p className={classes.source}>{plan.from}</p>
      </aside>
    </div>
  )
}

function Effect({ plan }: { plan: RestorePlan }) {
  const moment = <b>{formatMomentLong(plan.backup.timestamp)}</b>
  const age = `${formatDuration(plan.ageSeconds)} ago`
  if (!plan.parts.includes('database')) {
    return (
      <p className={classes.effect} data-selectable>
        Puts the media files of {moment}, {age}, back onto the live site <b>{plan.site}</b>. Its database stays as it is.
      </p>
    )
  }
  return (
    <p className={classes.effect} data-selectable>
      Sets the live site <b>{plan.site}</b> back to {moment}, {age}.{' '}
      {plan.keptSchema !== null && 'Everything written since leaves the live site and stays in the kept schema.'}
    </p>
  )
}

function whyNot(checks: readonly PlanCheck[]): { message: string; hint: string } {
  const failed = checks.filter((check) => check.outcome === 'failed').map((check) => `${check.name}: ${check.finding}.`)
  return { message: failed.join(' '), hint: 'Nothing has been changed. Choose another backup, or put right what failed.' }
}

function Parts({
  plan,
  asked,
  busy,
  onParts,
}: {
  plan: RestorePlan
  asked: readonly RestorePart[]
  busy: boolean
  onParts(parts: RestorePart[]): void
}) {
  const toggle = (part: RestorePart) => {
    const next = plan.parts.includes(part)
      ? plan.parts.filter((one) => one !== part)
      : ([...plan.parts, part].sort() as RestorePart[])
    if (next.length > 0) onParts(next)
  }
  const cards: { part: RestorePart; title: string; size: string; effect: string }[] = [
    {
      part: 'database',
      title: 'Database',
      size: plan.databaseBytes === null ? '' : `${formatBytes(plan.databaseBytes)}, `,
      effect: 'replaced',
    },
    {
      part: 'files',
      title: 'Media files',
      size: plan.media === null ? '' : `${formatBytes(plan.media.bytes)}, `,
      effect: 'merged in',
    },
  ]
  return (
    <div className={classes.cards}>
      {cards.map(({ part, title, size, effect }) => {
        const on = plan.parts.includes(part)
        const onlyOne = on && plan.parts.length === 1
        const missing = !on && asked.includes(part)
        return (
          <label
            key={part}
            htmlFor={`part-${part}`}
            className={classes.card}
            data-on={on}
            title={onlyOne ? 'One part at least is restored' : undefined}
          >
            <Checkbox
              id={`part-${part}`}
              checked={on}
              disabled={busy || onlyOne || missing}
              onChange={() => toggle(part)}
              aria-label={title}
            />
            <span>
              <b>{title}</b>
              <i>{on ? `${size}${effect}` : missing && !busy ? 'not available; see Checks' : 'stays as it is'}</i>
            </span>
          </label>
        )
      })}
      {busy && (
        <span className={classes.replanning} role="status">
          <Spinner /> Making the plan again
        </span>
      )}
    </div>
  )
}

function Tables({ plan }: { plan: RestorePlan }) {
  const [all, setAll] = useState(false)
  const { shown, same } = splitTables(plan.tables)
  return (
    <section className={classes.section}>
      <h2>What is replaced</h2>
      <table className={classes.tables}>
        <thead>
          <tr>
            <th>Table</th>
            <th className={classes.number}>Now</th>
            <th className={classes.arrow}>
              <span className="visually-hidden">to</span>
            </th>
            <th className={classes.number}>Then</th>
            <th className={classes.number}>Difference</th>
          </tr>
        </thead>
        <tbody>
          {(all ? [...shown, ...same] : shown).map(({ table, rowsNow, rowsThen }) => {
            const difference = differenceText(rowsNow, rowsThen)
            const word = TABLE_WORD[table]
            return (
              <tr key={table}>
                <td>
                  {word !== undefined && `${word} `}
                  <code>{table}</code>
                </td>
                <td className={classes.number}>{rowsNow === null ? '–' : formatCount(rowsNow)}</td>
                <td className={classes.arrow}>
                  <IconArrowRight {...icon14} />
                </td>
                <td className={classes.number}>{rowsThen === null ? '–' : formatCount(rowsThen)}</td>
                <td className={classes.number}>
                  {difference === 'same' ? <span className={classes.dim}>same</span> : <b>{difference}</b>}
                </td>
              </tr>
            )
          })}
        </tbody>
      </table>
      {same.length > 0 && !all && (
        <Button className={classes.more} data-size="inline" variant="subtle" onClick={() => setAll(true)}>
          {formatPlural(same.length, 'other table')} with the same number of rows
        </Button>
      )}
      {plan.keptSchema !== null && (
        <p className={classes.kept} data-selectable>
          The live schema is kept as <code>{plan.keptSchema}</code>.
        </p>
      )}
    </section>
  )
}

function Media({ media }: { media: NonNullable<RestorePlan['media']> }) {
  return (
    <section className={classes.section}>
      <h2>Media files</h2>
      <p data-selectable>
        {formatPlural(media.entries, 'file')} in the backup: {formatCount(media.added)} added, {formatCount(media.replaced)}{' '}
        replaced, {formatCount(media.same)} the same.{' '}
        {media.stay > 0 && `${formatPlural(media.stay, 'newer file')} on the live site ${media.stay === 1 ? 'stays' : 'stay'}.`}
      </p>
    </section>
  )
}

function Checks({ checks }: { checks: readonly PlanCheck[] }) {
  const count = (outcome: PlanCheck['outcome']) => checks.filter((check) => check.outcome === outcome).length
  const summary = [
    count('passed') > 0 ? `${count('passed')} passed` : '',
    count('warning') > 0 ? `${count('warning')} to read` : '',
    count('failed') > 0 ? `${count('failed')} failed` : '',
  ].filter((text) => text !== '')
  return (
    <section className={classes.section}>
      <h2>
        Checks <span>{summary.join(', ')}</span>
      </h2>
      <ul className={classes.checks}>
        {checks.map((check) => (
          <li key={check.name} data-outcome={check.outcome}>
            {check.outcome === 'passed' && <IconCheck {...icon14} />}
            {check.outcome === 'warning' && <IconAlertTriangle {...icon14} />}
            {check.outcome === 'failed' && <IconAlertCircle {...icon14} />}
            <b>{check.name}</b>
            <span data-selectable>{check.finding}</span>
          </li>
        ))}
      </ul>
    </section>
  )
}
