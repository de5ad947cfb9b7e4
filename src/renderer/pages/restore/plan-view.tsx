import type { ReactNode } from 'react'
import type { AppError } from '#shared/errors.ts'
import { formatDuration, formatMomentLong } from '#shared/format.ts'
import type { RestorePlan } from '#shared/model/plan.ts'
import { Columns, Pane, PaneSection, Scroll } from '../../components/pane.tsx'
import { ErrorBox, Notice } from '../../components/states.tsx'
import { StepList } from '../../components/step-list.tsx'
import type { RestoreOptions } from '../../lib/use-restore.ts'
import { Checks, ConfigFiles, Media, Tables, whyNotRunnable } from './plan-changes.tsx'
import { LoaderOption, MoreOptions, SafetyBackupOption } from './plan-options.tsx'
import { PartCards } from './plan-parts.tsx'
import classes from './restore.module.css'

/** What the restore would do: effect, parts, now and then, checks, way back, steps. */
export function PlanView(props: {
  plan: RestorePlan
  options: RestoreOptions
  busy: boolean
  error: AppError | null
  notConfirmed: boolean
  onChange(change: Partial<RestoreOptions>): void
}) {
  const { plan, options, busy, onChange } = props
  const choice = { plan, options, busy, onChange }
  return (
    <Columns busy={busy}>
      <Scroll padded>
        {props.error && (
          <div className={classes.box}>
            <ErrorBox error={props.error} onRetry={() => onChange({})} />
          </div>
        )}
        {props.notConfirmed && <NotConfirmed />}
        {!plan.runnable && (
          <div className={classes.box}>
            <ErrorBox
              title="This restore cannot be run."
              error={whyNotRunnable(plan.checks, 'Nothing has been changed. Choose another backup, or put right what failed.')}
            />
          </div>
        )}
        <Effect plan={plan} />
        <PartCards plan={plan} asked={options.parts} busy={busy} onParts={(parts) => onChange({ parts })} />
        <LoaderOption {...choice} />
        <MoreOptions {...choice} />
        {plan.parts.includes('database') && plan.tables.length > 0 && (
          <Tables title="What is replaced" tables={plan.tables} kept={plan.keptSchema} />
        )}
        {plan.media && plan.parts.includes('files') && <Media media={plan.media} />}
        {plan.config && plan.config.length > 0 && <ConfigFiles files={plan.config} />}
        <Checks checks={plan.checks} />
      </Scroll>
      <WayBackPane plan={plan} source={plan.from}>
        <SafetyBackupOption {...choice} />
      </WayBackPane>
    </Columns>
  )
}

export function NotConfirmed() {
  return (
    <div className={classes.box}>
      <Notice tone="info" title="Not confirmed.">
        Nothing was changed. The plan stays until it is ten minutes old.
      </Notice>
    </div>
  )
}

/** Beside a plan: what can be undone and how, and the steps. `children` stands above the sentences. */
export function WayBackPane(props: {
  plan: { wayBack: readonly string[]; steps?: RestorePlan['steps'] }
  source?: string
  children?: ReactNode
}) {
  const { wayBack, steps } = props.plan
  return (
    <Pane label={steps ? 'Way back and steps' : 'Way back'} width={340} narrowWidth={264}>
      <PaneSection title="Way back">
        {props.children}
        <ul className={classes.wayBack}>
          {wayBack.map((sentence) => (
            <li key={sentence} data-selectable>
              {sentence}
            </li>
          ))}
        </ul>
      </PaneSection>
      {steps && (
        <PaneSection title="Steps">
          <StepList items={steps.map((step) => ({ ...step, state: 'waiting', done: 0, total: null }))} />
          <p className={classes.stops}>If a step fails, the run stops there and says what is as it was.</p>
          {props.source !== undefined && <p className={classes.source}>{props.source}</p>}
        </PaneSection>
      )}
    </Pane>
  )
}

function Effect({ plan }: { plan: RestorePlan }) {
  const moment = <b>{formatMomentLong(plan.backup.timestamp)}</b>
  const age = `${formatDuration(plan.ageSeconds)} ago`
  const ofOther = plan.sourceSite === plan.site ? null : <> of {plan.sourceSite}</>
  if (!plan.parts.includes('database')) {
    return (
      <p className={classes.effect} data-selectable>
        Puts the files{ofOther} of {moment}, {age}, back onto the live site <b>{plan.site}</b>. Its database stays as it is.
      </p>
    )
  }
  if (ofOther) {
    return (
      <p className={classes.effect} data-selectable>
        Makes <b>{plan.site}</b> a copy{ofOther} as it was on {moment}, {age}, in its schema <code>{plan.schema}</code>.
      </p>
    )
  }
  return (
    <p className={classes.effect} data-selectable>
      Sets the live site <b>{plan.site}</b> back to {moment}, {age}. {whereTheRestGoes(plan)}
    </p>
  )
}

function whereTheRestGoes({ keptSchema, safetyBackup }: RestorePlan): string {
  const places = [
    ...(safetyBackup === null ? [] : ['in the safety backup']),
    ...(keptSchema === null ? [] : ['in the kept schema']),
  ]
  return places.length === 0 ? '' : `Everything written since leaves the live site and stays ${places.join(' and ')}.`
}
